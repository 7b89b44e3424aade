// What waits to be sent, link by link: filled by any thread, emptied by the one that owns the
// sockets.
//
// Frames of a link that wait together become one batch of up to 64 KiB, so that a busy link pays
// for one message and not for each frame. Limits: limits::link_buffer_max bytes per link, then
// errc::queue_full; limits::links_max links. Threads: every method may be called from any thread.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/limits.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace troupe {

class outboxes {
public:
  static constexpr size_t batch_size = 64 << 10;

  // False if there are limits::links_max already.
  bool open(link_id link);
  void close(link_id link);
  size_t count() const;

  // True: the link had nothing to send before, so the sending thread must be told.
  result<bool> push(link_id link, std::span<const std::byte> frame);

  // The links that got something to send since the last call.
  std::vector<link_id> take_ready();

  // The oldest batch of a link. None: there is nothing, and push() will tell of the next.
  std::optional<std::vector<std::byte>> pop(link_id link);

private:
  struct box {
    std::deque<std::vector<std::byte>> batches;
    size_t bytes = 0;
    bool ready = false;
  };

  mutable std::mutex mutex_;
  std::unordered_map<link_id, box> boxes_;
  std::vector<link_id> ready_;
};

} // namespace troupe
