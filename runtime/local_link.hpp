// One connected stream socket with its two buffers; a part of local_transport.
#pragma once

#include "runtime/framing.hpp"
#include "runtime/transport.hpp"

#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace troupe {

class local_link {
public:
  local_link(link_id id, int fd, bool accepted, std::string principal);
  ~local_link();

  local_link(const local_link&) = delete;
  local_link& operator=(const local_link&) = delete;

  const link_id id;
  const bool accepted;
  const std::string principal;

  enum class after_send { done, must_flush };

  // Appends a frame, and writes what waits if it is urgent or much. Any thread.
  result<after_send> send(frame_view frame, urgency when);

  // Writes what the socket takes; false when some is left. Any thread.
  result<bool> flush();

  // Reads once and hands over every whole frame. `shared` is what it reads into while it keeps no
  // part of a frame: of thousands of idle links, none needs a buffer of its own. The transport's
  // thread only.
  result<void> receive(transport_receiver& receiver, std::span<uint64_t> shared);

  // No byte is sent or received from now on. Any thread.
  void shut_down();

  int fd() const { return fd_; }

private:
  result<bool> flush_locked();
  void keep(std::span<const std::byte> part, size_t whole);

  const int fd_;
  std::mutex mutex_; // guards the output side
  std::vector<std::byte> out_;
  size_t written_ = 0; // bytes of out_ that the kernel has
  bool flush_asked_ = false;
  std::unique_ptr<uint64_t[]> in_; // holds a part of a frame; words, so that frames are aligned
  size_t in_size_ = 0;             // bytes
  size_t in_end_ = 0;
};

} // namespace troupe
