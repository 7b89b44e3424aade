// Collective operations between the ranks of a gang.
//
// A group is one numbered generation of ranks 0 .. size-1. Every rank calls the same operations in
// the same order.
// - An operation ends within the group's deadline, with a result or an error. When a rank dies,
//   freezes or aborts, the others fail with errc::aborted or errc::deadline; they never hang. A
//   rank that already has its result may return it although another one fails: it learns in its
//   next operation.
// - Ranks that do not call the same operation with the same number of elements get errc::invalid.
// - After an error the group is dead: every later operation fails at once, and the contents of the
//   data are unspecified. The survivors make a new generation.
// - A member proves the generation's secret before its first byte is used; another generation is
//   refused (errc::refused, at the latest when the deadline ends).
// - Sums are taken in the same order on every rank and in every run of one backend: results are
//   bit-identical.
// - Destroying a group that the others still use is the same to them as dying.
// Threads: one thread calls the operations of a group; abort() may be called from any thread.
// Sources: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in
// MPICH", 2005 (reduce-scatter and allgather); Patarasuk, Yuan, "Bandwidth optimal all-reduce
// algorithms for clusters of workstations", 2009 (the ring).
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
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
};

class group {
public:
  virtual ~group() = default;

  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;

  // Combines `data` (the same number of elements on every rank) element by element, in place.
  virtual result<void> allreduce(std::span<float> data, reduction how) = 0;

  // Copies the root's `data` to every rank.
  virtual result<void> broadcast(std::span<float> data, uint32_t root) = 0;

  // Returns when every rank has called it.
  virtual result<void> barrier() = 0;

  // Ends the group: an operation that runs, here or on another rank, fails soon.
  virtual void abort() = 0;
};

// Ranks of one host, over a shared memory file named by `name` (the same on every rank, unique to
// job and generation; no slash in it; at most 200 bytes). Returns when all have joined. Takes at
// most about 21 MiB of /dev/shm for up to 256 ranks; the file's name is gone once all have joined.
// A rank in another pid namespace that dies is noticed by the deadline only.
result<std::unique_ptr<group>> join_shm(const group_options& options, const std::string& name);

// Ranks anywhere. `members[r]` is "host:port" of rank r. `listener` is this rank's bound and
// listening socket, whose port stands in members[rank]; it is closed before this returns. The ring
// is built by connecting to the next rank. Returns when all have joined. Payload is neither
// encrypted nor authenticated after the handshake. A host that is a name is looked up by the
// system's resolver, which keeps its own time limits: pass addresses where that matters.
result<std::unique_ptr<group>> join_tcp(const group_options& options, int listener,
                                        const std::vector<std::string>& members);

} // namespace troupe::collective
