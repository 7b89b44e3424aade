// Which packages a node has, which it fetches, and which it drops, as plain code.
//
// A package is fetched once, however many tasks wait for it, a few at one time. A fetch that fails
// for a reason that passes (the master or the link was lost, it is busy) is tried again, until it
// has not moved on for `patience`; one that failed because its content was damaged, once more; any
// other has failed. What nobody uses is dropped, the least recently used first, when all together
// is more than `bytes_max`. What a task uses stays, so that more than that may be here.
// Threads: none of its own; not safe for concurrent use.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/error.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe {

struct package_options {
  uint64_t bytes_max = uint64_t{20} << 30;
  size_t fetches_max = 4;
  duration patience = std::chrono::minutes{5};
  duration pause = std::chrono::seconds{1}; // before the next try
};

// Get the package from the master, and unpack it.
struct fetch_due {
  std::string hash;
  uint64_t size = 0; // bytes that travel
};

// How a fetch ended.
struct fetch_outcome {
  std::string hash;
  uint64_t bytes = 0; // it is here: of its content. It failed: of what was kept of it
  error failed;       // errc::ok: it is here
};

class package_plan {
public:
  explicit package_plan(package_options options) : options_(options) {}

  // It is here from an earlier life; in the order of their last use.
  void found(const std::string& hash, uint64_t bytes);

  bool has(const std::string& hash) const;

  // A task needs it now, whether it is here or not.
  void want(const std::string& hash, uint64_t size, time_point now);

  // The error: whoever waits for it gets it not.
  std::optional<error> ended(const fetch_outcome& outcome, time_point now);

  // Those of `wanted` to be fetched now.
  std::vector<fetch_due> due(const std::set<std::string>& wanted, time_point now);

  // Fetches that nobody waits for; each is named once, and still ends.
  std::vector<std::string> idle(const std::set<std::string>& wanted);

  // Those to be removed now; they are not here any more.
  std::vector<std::string> surplus(const std::set<std::string>& wanted);

private:
  enum class stage { wanted, fetching, cancelled, here };

  struct package {
    stage now = stage::wanted;
    uint64_t bytes = 0; // that travel, or, if it is here, of its content
    uint64_t kept = 0;  // of an earlier try
    uint64_t used = 0;  // counts uses: the least is the oldest
    bool damaged = false;
    time_point moved; // when it was first wanted, or a try last got further
    time_point try_at;
  };

  bool passes(const package& x, const fetch_outcome& outcome, time_point now) const;

  const package_options options_;
  std::map<std::string, package> packages_; // by hash
  uint64_t uses_ = 0;
};

} // namespace troupe
