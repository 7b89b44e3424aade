// The shared memory of a group: its layout, and how ranks meet in it.
//
// Memory order: what a rank writes before it arrives at a meeting is visible to each rank that left
// that meeting.
// Threads: meet() from one thread per rank; end() from any thread.
#pragma once

#include "kernels/collective/operation.hpp"
#include "kernels/collective/proof.hpp"

#include <atomic>
#include <functional>

namespace troupe::collective::shm {

inline constexpr uint64_t magic = 0x325f6d68735f7274; // "tr_shm_2"

// A process, so that a later process with the same number is not taken for it.
struct process_mark {
  uint64_t pid = 0;
  uint64_t start = 0;     // clock ticks after boot
  uint64_t pid_space = 0; // inode of its pid namespace: numbers of another one mean nothing here
};

process_mark this_process();

// False when it has ended or waits to be reaped. True when that cannot be known.
bool is_running(const process_mark& mark);

enum slot_state : uint32_t { slot_free, slot_claimed, slot_joined, slot_left };

struct alignas(64) slot {
  alignas(64) std::atomic<uint32_t> arrived; // meetings, counted from 1
  operation called[2]; // by parity of the sequence: the last one may still be read
  alignas(64) std::atomic<uint32_t> state; // a slot_state
  process_mark process;
  std::atomic<int32_t> shared_file; // a descriptor of that process; -1: none
  std::atomic<bool> shares;         // it sees the files of all
  // A transfer to one other rank: pieces in the mailbox, and how many of them were taken.
  alignas(64) std::atomic<uint32_t> mail_to; // a rank + 1; 0: nobody
  std::atomic<uint32_t> mail_sent;
  operation mail;
  alignas(64) std::atomic<uint32_t> mail_taken;
};

struct alignas(64) header {
  uint64_t magic;
  uint32_t size;
  digest nonce;
  digest proof; // of the secret, over generation, size and nonce
  alignas(64) std::atomic<uint32_t> joined;
  std::atomic<uint32_t> cause;                // 0, or why the group ended: errc | (rank + 1) << 8
  alignas(64) std::atomic<uint32_t> bell;     // what waiters sleep on
  alignas(64) std::atomic<uint32_t> sleepers; // who arrives as the last one rings if there are any
};

static_assert(std::atomic<uint32_t>::is_always_lock_free);

// A window is what one rank shows to the others at a time; a piece is what it sends to one.
size_t window_bytes(uint32_t ranks);
size_t piece_bytes(uint32_t ranks);
size_t region_bytes(uint32_t ranks);
digest region_proof(const group_options& options, const digest& nonce);

class region {
public:
  // Takes over the mapping.
  region(void* base, uint32_t rank, uint32_t ranks);
  ~region();
  region(const region&) = delete;
  region& operator=(const region&) = delete;

  header& head() { return *static_cast<header*>(base_); }
  slot& slot_of(uint32_t rank);

  // Each rank has two windows, and a mailbox of two pieces; see group.cpp for why that is enough.
  std::byte* window(uint32_t rank, uint32_t turn);
  std::byte* piece(uint32_t rank, uint32_t turn);

  // Waits until all ranks have joined.
  result<void> wait_joined(time_point until, const std::function<bool()>& called_off);

  // A barrier.
  result<void> meet(time_point until);

  // Waits for something that another rank does and then rings for.
  result<void> wait_for(uint32_t rank, const std::function<bool()>& done, time_point until);
  void ring_sleepers();

  // Fails when the group has ended or another rank has gone.
  result<void> look();

  void end(errc why);

private:
  template <class Done, class Missing>
  result<void> wait(const Done& done, const Missing& missing, time_point until);
  bool has_gone(uint32_t rank, bool look_at_process);
  error ended_by_other();
  error lost(uint32_t rank);
  error give_up(errc why, const std::string& text);
  void ring();

  void* base_;
  uint32_t rank_;
  uint32_t ranks_;
  int spins_; // before sleeping
  uint32_t met_ = 0;
  const std::function<bool()>* called_off_ = nullptr; // while joining
};

// Makes the region (rank 0) or finds it, and returns when all ranks have joined.
result<std::unique_ptr<region>> join(const group_options& options, const std::string& name,
                                     time_point until);

// A row from one rank to one other, through the sender's mailbox.
result<void> send_pieces(region& memory, uint32_t rank, const call& x, uint32_t to,
                         time_point until);
result<void> take_pieces(region& memory, uint32_t rank, const call& x, uint32_t from,
                         time_point until);

result<std::unique_ptr<common_group>> make_group(const group_options& options,
                                                 const std::string& name, time_point until);

} // namespace troupe::collective::shm
