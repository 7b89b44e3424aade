#include "launcher/client_pool.hpp"

namespace troupe::launcher {

namespace {

constexpr auto patience = std::chrono::seconds(5); // also with the master

} // namespace

result<client_pool::lease> client_pool::borrow() {
  auto give = [this](client* x) { give_back(x); };
  {
    std::unique_lock guard{mutex_};
    auto ready = [this] { return !idle_.empty() || made_ < clients_max_; };
    if (!changed_.wait_for(guard, patience, ready))
      return {errc::unavailable, "all connections to the master are in use; ask again"};
    if (!idle_.empty()) {
      auto* out = idle_.back().release();
      idle_.pop_back();
      return lease{out, give};
    }
    ++made_;
  }
  auto made = client::connect(directory_, patience, patience);
  if (made)
    return lease{made->release(), give};
  std::lock_guard guard{mutex_};
  --made_;
  changed_.notify_one();
  return made.error();
}

void client_pool::give_back(client* x) {
  std::lock_guard guard{mutex_};
  idle_.emplace_back(x);
  changed_.notify_one();
}

} // namespace troupe::launcher
