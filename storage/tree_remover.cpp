#include "storage/tree_remover.hpp"

#include "runtime/base/log.hpp"
#include "storage/unpack.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace troupe::storage {

namespace fs = std::filesystem;

tree_remover::tree_remover(std::string folder) : folder_(std::move(folder)) {
  std::error_code none;
  for (auto& left : fs::directory_iterator{folder_, none})
    queue(left.path().string());
}

tree_remover::~tree_remover() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

void tree_remover::remove(const std::string& path) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(path, failed)))
    return;
  std::string gone;
  {
    std::lock_guard guard{mutex_};
    gone = folder_ + "/" + std::to_string(::getpid()) + "." + std::to_string(++moved_);
  }
  fs::create_directories(folder_, failed);
  if (std::rename(path.c_str(), gone.c_str()) == 0)
    queue(gone);
  else if (!remove_tree(path)) // a read-only directory of another user, or no such file system
    log::warning("cannot remove", {{"path", path}});
}

void tree_remover::queue(std::string what) {
  std::lock_guard guard{mutex_};
  waiting_.push_back(std::move(what));
  if (!thread_.joinable())
    thread_ = std::thread{[this] { work(); }};
  changed_.notify_all();
}

void tree_remover::work() {
  std::unique_lock guard{mutex_};
  for (;;) {
    changed_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_)
      return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    if (!remove_tree(next))
      log::warning("cannot remove", {{"path", next}});
    guard.lock();
  }
}

} // namespace troupe::storage
