// Connections to the master, shared by threads that each need one for a moment.
// Limits: so many; who needs one more waits, for at most five seconds. Threads: any.
#pragma once

#include "actors/cluster/client.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>

namespace troupe::launcher {

class client_pool {
public:
  client_pool(std::string directory, size_t clients_max)
    : directory_(std::move(directory)), clients_max_(clients_max) {}

  // Given back when it is destroyed; the pool outlives it.
  using lease = std::unique_ptr<client, std::function<void(client*)>>;

  // errc::unavailable: no master answers, or all connections are in use.
  result<lease> borrow();

private:
  void give_back(client* x);

  const std::string directory_;
  const size_t clients_max_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<std::unique_ptr<client>> idle_;
  size_t made_ = 0;
};

} // namespace troupe::launcher
