// A command beside a running task, for a person who looks into it: what it reads, what it writes,
// and its end.
//
// It is started by `troupe-executor --beside` (launcher/beside.hpp), as the task's user, in its
// environment, directory and limits, in a process group of its own: with three pipes, or with a
// terminal. It ends with its task, and with this object.
// Limits: 1 MiB of what it wrote and 1 MiB of what it is to read are kept; when that is full, it
// waits, or the client does.
// Threads: one of its own, which calls `on_news`; step() may be called from any.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe {

struct exec_options {
  std::string program; // troupe-executor
  std::string user;    // as whom the node's tasks run; empty: as this process
  pid_t beside = 0;    // the process of the task
  std::vector<std::string> command;
  bool terminal = false;
};

class exec_session {
public:
  // errc::io: it cannot be started. A command that does not exist is told by its end, as a shell
  // does: 127.
  static result<std::unique_ptr<exec_session>> start(const exec_options& options,
                                                     std::function<void()> on_news);
  ~exec_session(); // ends the command

  exec_session(const exec_session&) = delete;
  exec_session& operator=(const exec_session&) = delete;

  // Takes input that it has not seen, and as much of it as there is room for; forgets what the
  // client has seen; says what is new. Repeated, it changes nothing.
  exec_news_msg step(const exec_io_msg& x);

private:
  // What the command wrote into one pipe, from `begin` on.
  struct stream {
    owned_fd fd;
    uint64_t begin = 0;
    std::deque<uint8_t> bytes;
  };

  explicit exec_session(std::function<void()> on_news) : on_news_(std::move(on_news)) {}
  result<void> launch(const exec_options& options);
  void watch();
  bool pump(bool last);
  bool read_into(stream& from, bool all);
  void write_input();
  void end_command();

  const std::function<void()> on_news_;
  owned_fd wake_; // an eventfd
  owned_fd task_; // a pidfd
  owned_fd exited_;
  pid_t command_ = 0; // and its process group
  bool terminal_ = false;
  std::thread thread_;

  std::mutex mutex_; // guards what follows
  stream output_, errors_;
  owned_fd input_;
  std::deque<uint8_t> unread_;
  uint64_t taken_ = 0; // bytes of input, from the start
  bool input_ends_ = false;
  bool stop_ = false;
  bool ended_ = false;
  int exit_code_ = 0;
};

} // namespace troupe
