// Collective operations between the ranks of a gang.
//
// A group is one numbered generation of ranks 0 .. size-1. Every rank calls the same operations in
// the same order.
// - An operation ends within the group's deadline, with a result or an error. When a rank dies,
//   freezes or aborts, the others fail with errc::aborted or errc::deadline; they never hang. A
//   rank that already has its result may return it although another one fails: it learns in its
//   next operation.
// - Ranks that do not call the same operation with the same number of elements of the same type get
//   errc::invalid; in shared memory, one that sends or receives while others do something else gets
//   errc::deadline.
// - After an error the group is dead: every later operation fails at once, and what was to be
//   written is unspecified. The survivors make a new generation. A call that is wrong by itself
//   (errc::invalid: rows of the wrong length, a root that is not there) changes nothing.
// - A member proves the generation's secret before its first byte is used; another generation is
//   refused (errc::refused, at the latest when the deadline ends).
// - Reductions are made in the same order on every rank and in every run of one backend, if the
//   ranks share hosts in the same way: results are bit-identical. The order follows from the
//   operation, the number of ranks and the length of the row. bf16 and f16 are added up in f32 and
//   rounded once.
// - `in` and `out` are the same row, or do not overlap; where a rank's own part of the longer row
//   is the shorter row (allgather, reduce_scatter), it may lie there. What a rank does not read or
//   write (the out of a reduce, but at its root) may be empty.
// - Destroying a group that the others still use is the same to them as dying.
// Threads: one thread calls the operations of a group; abort() may be called from any thread.
// Sources: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in
// MPICH", 2005 (binomial trees, recursive doubling, vector halving and distance doubling);
// Patarasuk, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009
// (the ring).
#pragma once

#include "kernels/collective/element.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/memory.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe::collective {

enum class reduction : uint32_t { sum, mean, min, max };

inline constexpr uint32_t group_size_max = 1024;

struct group_options {
  uint32_t rank = 0;
  uint32_t size = 1;
  uint64_t generation = 1; // the attempt of the gang: a later one never meets an earlier one
  std::string secret;      // shared by the members of one generation
  duration deadline = std::chrono::seconds(30); // of joining, and of each operation

  // Asked now and then while joining, where it is set: true ends that with errc::aborted, because a
  // later generation has made this one void.
  std::function<bool()> called_off{};
};

class group {
public:
  virtual ~group() = default;

  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;

  // Combines the rows (the same number of elements on every rank) element by element.
  virtual result<void> allreduce(input in, output out, reduction how) = 0;
  result<void> allreduce(output data, reduction how) { return allreduce(data, data, how); }

  // Combines rows of size() parts; rank r gets part r. A part has as many elements as `out`.
  virtual result<void> reduce_scatter(input in, output out, reduction how) = 0;

  // Every rank gets the rows of all, in the order of the ranks.
  virtual result<void> allgather(input in, output out) = 0;

  // Copies the root's row to every rank.
  virtual result<void> broadcast(output data, uint32_t root) = 0;

  // As allreduce, allgather, and its reverse; only the root has the long row.
  virtual result<void> reduce(input in, output out, reduction how, uint32_t root) = 0;
  virtual result<void> gather(input in, output out, uint32_t root) = 0;
  virtual result<void> scatter(input in, output out, uint32_t root) = 0;

  // Rows of size() parts: part q of rank r's `in` becomes part r of rank q's `out`. Not in place.
  virtual result<void> all_to_all(input in, output out) = 0;

  // Returns when every rank has called it.
  virtual result<void> barrier() = 0;

  // From one rank to another, which has to expect as many elements of the same type. Returns when
  // they have been taken: of two ranks that both want to send first, none gets on.
  virtual result<void> send(input data, uint32_t to) = 0;
  virtual result<void> receive(output data, uint32_t from) = 0;

  // Memory that the backend reaches without a copy, where it can: gradients that lie in it are
  // reduced where they are. Every rank calls this with the same number of bytes; rows begin at the
  // same offset on all ranks. Not to be used after the group.
  virtual result<std::unique_ptr<memory>> allocate(size_t bytes) = 0;

  // Fails, and the group is dead, if it has ended or a rank is known to have gone; does not wait.
  // For who waits for something else that needs the other ranks.
  virtual result<void> look() = 0;

  // Ends the group: an operation that runs, here or on another rank, fails soon.
  virtual void abort() = 0;
};

// Ranks of one host, over a shared memory file named by `name` (the same on every rank, unique to
// job and generation; no slash in it; at most 200 bytes). Returns when all have joined. Takes at
// most about 21 MiB of /dev/shm for up to 256 ranks; the file's name is gone once all have joined.
// A rank in another pid namespace that dies is noticed by the deadline only.
result<std::unique_ptr<group>> join_shm(const group_options& options, const std::string& name);

// Ranks anywhere. `members[r]` is "host:port" of rank r. `listener` is this rank's bound and
// listening socket, whose port stands in members[rank]; it is closed before this returns. Every
// rank connects to every other one: 2 * (size - 1) descriptors. Returns when all have joined.
// Reductions keep memory for two rows of their sums at most.
// Payload is neither encrypted nor authenticated after the handshake. A host that is a name is
// looked up by the system's resolver, which keeps its own time limits: pass addresses where that
// matters.
result<std::unique_ptr<group>> join_tcp(const group_options& options, int listener,
                                        const std::vector<std::string>& members);

// Both: ranks whose members name the same host reduce, broadcast and wait in shared memory, and one
// of each host does so with the other hosts. Ranks of two hosts that call different operations may
// learn it at the deadline only.
result<std::unique_ptr<group>> join_hierarchical(const group_options& options,
                                                 const std::string& name, int listener,
                                                 const std::vector<std::string>& members);

} // namespace troupe::collective
