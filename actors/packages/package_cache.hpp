// The packages on a node's disk, as its agent uses them: the agent's only way to their content.
#pragma once

#include "actors/packages/package_plan.hpp"
#include "runtime/protocol/messages.hpp"

#include <functional>

namespace troupe {

class package_cache {
public:
  virtual ~package_cache() = default;

  struct cached {
    std::string hash;
    uint64_t bytes = 0; // of its content
  };

  // What an earlier life left, whole; those that were used last come last.
  virtual std::vector<cached> found() = 0;

  // Whether the master is on another machine.
  virtual bool remote() const = 0;

  // Gets a package with the master's ticket, unpacks it, and calls `ended` once, from any thread.
  // One fetch of a package at a time.
  virtual void fetch(const std::string& hash, const bulk_access_msg& access,
                     std::function<void(fetch_outcome)> ended)
    = 0;

  // Ends a fetch soon, with errc::aborted if it is not over by then.
  virtual void cancel(const std::string& hash) = 0;

  // Removes a package that is here.
  virtual void drop(const std::string& hash) = 0;

  // Ends all fetches; when it returns, `ended` was called for each. Those that are asked for later
  // end at once.
  virtual void stop() = 0;
};

} // namespace troupe
