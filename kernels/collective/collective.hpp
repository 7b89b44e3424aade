// Collective operations between the ranks of a gang.
//
// A group is one numbered generation of ranks 0 .. size-1. Every rank calls the same operations in the same order.
// - An operation ends within the group's deadline: with a result on every rank, or with an error. When a rank dies,
//   freezes or aborts, the others' operation fails with errc::aborted or errc::deadline; it never hangs.
// - After an error the group is dead: every later operation fails at once. The survivors make a new generation.
// - A member proves the generation's secret before its first byte is used; another generation is refused.
// - Sums are taken in the same order on every rank and in every run: results are bit-identical.
// Threads: one thread calls the operations of a group; abort() may be called from any thread.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe::collective {

enum class reduction { sum, mean, min, max };

struct group_options {
  uint32_t rank = 0;
  uint32_t size = 1;
  uint64_t generation = 1;   // the attempt of the gang: a later one never meets an earlier one
  std::string secret;        // shared by the members of one generation
  duration deadline = std::chrono::seconds(30);
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

// Ranks of one host, over a shared memory file named by `name` (the same on every rank, unique to job and generation).
result<std::unique_ptr<group>> join_shm(const group_options& options, const std::string& name);

// Ranks anywhere. `members[r]` is "host:port" of rank r. `listener` is this rank's bound and listening socket, whose
// port stands in members[rank]; the group owns it from here on. The ring is built by connecting to the next rank.
result<std::unique_ptr<group>> join_tcp(const group_options& options, int listener,
                                        const std::vector<std::string>& members);

} // namespace troupe::collective
