#include "kernels/collective/shm/link.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <sstream>

namespace troupe::collective::shm {
namespace {

constexpr duration look_interval = std::chrono::milliseconds(100); // at the processes of the others
// Before sleeping: about 20 us where each rank can have a processor of its own, else 2 us, less
// than a sleep costs.
constexpr int spins_alone = 640;
constexpr int spins_crowded = 64;

constexpr size_t header_bytes = sizeof(header);

bool crowded(uint32_t ranks) {
  cpu_set_t ours;
  return sched_getaffinity(0, sizeof ours, &ours) != 0
         || ranks > static_cast<uint32_t>(CPU_COUNT(&ours));
}

// Passive: a waiting rank leaves its core to the ones that compute. A negative answer (interrupted,
// or the value has changed already) only means one more look.
void futex_wait(std::atomic<uint32_t>& word, uint32_t seen, duration at_most) {
  auto ns = std::max<int64_t>(at_most.count(), 0);
  timespec limit{ns / 1'000'000'000, ns % 1'000'000'000};
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT, seen, &limit, nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct stat_line {
  char state = 0;
  uint64_t start = 0;
};

enum class lookup { found, absent, unknown };

// Reads state and start time, fields 3 and 22 of proc(5)'s stat. Only a process that is surely not
// there is absent: a lack of descriptors, say, tells nothing about it.
lookup read_stat(uint64_t pid, stat_line& out) {
  auto path = "/proc/" + std::to_string(pid) + "/stat";
  auto fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? lookup::absent : lookup::unknown;
  char text[1024];
  auto length = read(fd, text, sizeof(text) - 1);
  auto code = errno;
  close(fd);
  if (length <= 0)
    return length < 0 && code == ESRCH ? lookup::absent : lookup::unknown;
  text[length] = 0;
  // The name, field 2, may hold anything, also a parenthesis: the last one ends it.
  auto* rest = strrchr(text, ')');
  if (!rest)
    return lookup::unknown;
  std::istringstream fields(rest + 1);
  fields >> out.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field)
    fields >> skipped;
  fields >> out.start;
  return fields ? lookup::found : lookup::unknown;
}

uint64_t own_pid_space() {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

} // namespace

process_mark this_process() {
  process_mark mark;
  mark.pid = static_cast<uint64_t>(getpid());
  mark.pid_space = own_pid_space();
  stat_line line;
  if (read_stat(mark.pid, line) == lookup::found)
    mark.start = line.start;
  return mark;
}

bool is_running(const process_mark& mark) {
  if (mark.start == 0 || mark.pid_space != own_pid_space())
    return true;
  stat_line line;
  auto found = read_stat(mark.pid, line);
  if (found != lookup::found)
    return found == lookup::unknown;
  return line.start == mark.start && line.state != 'Z' && line.state != 'X';
}

size_t window_bytes(uint32_t ranks) {
  constexpr size_t budget = 16u << 20; // for all ranks together
  constexpr size_t page = 4096;
  auto least = std::max<size_t>(16u << 10, 64 * size_t{ranks}); // a cache line for each rank
  return (std::clamp<size_t>(budget / (2 * ranks), least, 1u << 20) + page - 1) / page * page;
}

size_t piece_bytes(uint32_t ranks) {
  return window_bytes(ranks) / 4;
}

size_t region_bytes(uint32_t ranks) {
  return header_bytes + ranks * (sizeof(slot) + 2 * window_bytes(ranks) + 2 * piece_bytes(ranks));
}

digest region_proof(const group_options& options, const digest& nonce) {
  std::vector<uint8_t> bytes(nonce.begin(), nonce.end());
  uint64_t numbers[] = {options.generation, options.size};
  auto* raw = reinterpret_cast<const uint8_t*>(numbers);
  bytes.insert(bytes.end(), raw, raw + sizeof(numbers));
  return prove(options.secret, "troupe shm", bytes);
}

region::region(void* base, uint32_t rank, uint32_t ranks)
  : base_(base), rank_(rank), ranks_(ranks), spins_(crowded(ranks) ? spins_crowded : spins_alone) {}

region::~region() {
  auto& own = slot_of(rank_);
  auto joined = static_cast<uint32_t>(slot_joined);
  // Ranks that still need this one learn it now and not by its process, which may live on.
  if (own.state.compare_exchange_strong(joined, slot_left))
    ring();
  munmap(base_, region_bytes(ranks_));
}

slot& region::slot_of(uint32_t rank) {
  return *(reinterpret_cast<slot*>(static_cast<char*>(base_) + header_bytes) + rank);
}

std::byte* region::window(uint32_t rank, uint32_t turn) {
  auto* first = static_cast<std::byte*>(base_) + header_bytes + ranks_ * sizeof(slot);
  return first + (2 * size_t{rank} + turn % 2) * window_bytes(ranks_);
}

std::byte* region::piece(uint32_t rank, uint32_t turn) {
  return window(ranks_, 0) + (2 * size_t{rank} + turn % 2) * piece_bytes(ranks_);
}

void region::ring() {
  head().bell.fetch_add(1);
  futex_wake_all(head().bell);
}

void region::ring_sleepers() {
  if (head().sleepers.load() != 0)
    ring();
}

void region::end(errc why) {
  uint32_t none = 0;
  auto cause = static_cast<uint32_t>(why) | (rank_ + 1) << 8;
  if (head().cause.compare_exchange_strong(none, cause))
    ring();
}

error region::ended_by_other() {
  auto cause = head().cause.load();
  auto code = static_cast<errc>(cause & 0xff);
  auto why = code == errc::deadline ? errc::deadline : errc::aborted;
  return {why, "rank " + std::to_string((cause >> 8) - 1) + " ended the group ("
                 + std::string(name_of(code)) + "): make a new generation."};
}

bool region::has_gone(uint32_t rank, bool look_at_process) {
  auto state = slot_of(rank).state.load();
  return state == slot_left
         || (look_at_process && state == slot_joined && !is_running(slot_of(rank).process));
}

error region::lost(uint32_t rank) {
  return give_up(errc::aborted, "rank " + std::to_string(rank) + " has gone");
}

error region::give_up(errc why, const std::string& text) {
  end(why);
  return {why, text + ": make a new generation without it or start it again."};
}

// Ends when `done` holds; fails when the group ended, a rank that is `missing` has gone, or at
// `until`.
template <class Done, class Missing>
result<void> region::wait(const Done& done, const Missing& missing, time_point until) {
  for (int i = 0; i < spins_; ++i) {
    if (done())
      return {};
    relax();
  }
  auto next_look = now() + look_interval;
  for (;;) {
    auto seen = head().bell.load();
    if (done())
      return {};
    if (head().cause.load() != 0)
      return ended_by_other();
    auto time = now();
    auto look = time >= next_look;
    uint32_t last_missing = ranks_;
    for (uint32_t r = 0; r < ranks_; ++r) {
      if (r == rank_ || !missing(r))
        continue;
      last_missing = r;
      // It may have arrived before it went: then this meeting is complete without it.
      if (has_gone(r, look) && missing(r))
        return lost(r);
    }
    if (look && called_off_ && *called_off_ && (*called_off_)())
      return give_up(errc::aborted, "joining was called off");
    if (look)
      next_look = time + look_interval;
    if (time >= until && !done())
      return give_up(errc::deadline,
                     "rank " + std::to_string(last_missing) + " did not come in time");
    head().sleepers.fetch_add(1);
    // Who changed something before it could see this sleeper is seen here.
    if (!done())
      futex_wait(head().bell, seen, std::min(until, next_look) - time);
    head().sleepers.fetch_sub(1);
  }
}

result<void> region::wait_joined(time_point until, const std::function<bool()>& called_off) {
  ring();
  auto done = [this] { return head().joined.load() == ranks_; };
  // A rank that joined and went again is missed as much as one that never came.
  called_off_ = &called_off;
  auto complete = wait(
    done, [&](uint32_t) { return !done(); }, until);
  called_off_ = nullptr;
  return complete;
}

result<void> region::look() {
  if (head().cause.load() != 0)
    return ended_by_other();
  for (uint32_t r = 0; r < ranks_; ++r)
    if (r != rank_ && has_gone(r, true))
      return lost(r);
  return {};
}

result<void> region::meet(time_point until) {
  auto target = ++met_;
  auto missing = [this, target](uint32_t r) {
    return static_cast<int32_t>(slot_of(r).arrived.load() - target) < 0;
  };
  auto done = [&] {
    for (uint32_t r = 0; r < ranks_; ++r) {
      if (missing(r))
        return false;
    }
    return true;
  };
  slot_of(rank_).arrived.store(target);
  // Only the last one to arrive wakes the others.
  if (head().sleepers.load() != 0 && done())
    ring();
  return wait(done, missing, until);
}

result<void> region::wait_for(uint32_t rank, const std::function<bool()>& done, time_point until) {
  return wait(
    done, [&](uint32_t r) { return r == rank && !done(); }, until);
}

} // namespace troupe::collective::shm
