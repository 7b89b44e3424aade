#include "actors/jobs/task_guard.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

namespace troupe {

namespace {

// The owner's pidfd travels beside it; without one, the group is to be forgotten.
struct notice {
  pid_t group;
  bool watch;
};

union control_room {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

struct watched {
  pid_t group;
  owned_fd owner;
};

class guard_loop {
public:
  explicit guard_loop(int socket) : socket_(socket) {}

  void run() {
    while (open_ || !groups_.empty()) {
      std::vector<pollfd> wait{{open_ ? socket_ : -1, POLLIN, 0}};
      for (auto& each : groups_)
        wait.push_back({each.owner.get(), POLLIN, 0});
      if (::poll(wait.data(), wait.size(), -1) < 0)
        continue;
      std::vector<pid_t> orphans;
      for (size_t i = 1; i < wait.size(); ++i)
        if (wait[i].revents)
          orphans.push_back(groups_[i - 1].group);
      // What an owner said before its end counts before its end.
      while (open_ && receive()) {
      }
      for (auto each : orphans)
        if (drop(each))
          ::kill(-each, SIGKILL);
    }
  }

private:
  // One notice, if there is one.
  bool receive() {
    notice said{};
    iovec body{&said, sizeof said};
    control_room room{};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    message.msg_control = &room;
    message.msg_controllen = sizeof room;
    auto got = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
      return errno == EINTR;
    open_ = got != 0;
    if (got != sizeof said)
      return open_;
    if (!said.watch)
      drop(said.group);
    else if (auto* attached = CMSG_FIRSTHDR(&message)) {
      int owner = -1;
      std::memcpy(&owner, CMSG_DATA(attached), sizeof owner);
      groups_.push_back({said.group, owned_fd{owner}});
    } else {
      ::kill(-said.group, SIGKILL);
    }
    return true;
  }

  bool drop(pid_t group) {
    return std::erase_if(groups_, [group](auto& each) { return each.group == group; }) > 0;
  }

  int socket_;
  bool open_ = true;
  std::vector<watched> groups_;
};

[[noreturn]] void be_guard(int socket) {
  ::setsid();
  ::prctl(PR_SET_NAME, "troupe-guard");
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Every other descriptor: the guard must not keep a socket or a pipe open.
  if (socket > 0)
    ::close_range(0, static_cast<unsigned>(socket) - 1, 0);
  ::close_range(static_cast<unsigned>(socket) + 1, ~0u, 0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  guard_loop{socket}.run();
  ::_exit(0);
}

bool send_notice(int socket, notice said, std::optional<int> owner) noexcept {
  iovec body{&said, sizeof said};
  control_room room{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  if (owner) {
    message.msg_control = &room;
    message.msg_controllen = sizeof room;
    auto* attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(attached), &*owner, sizeof(int));
  }
  ssize_t sent = 0;
  while ((sent = ::sendmsg(socket, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  return sent == sizeof said;
}

} // namespace

result<task_guard> task_guard::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return {errc::io, "no socket for the guard of the tasks: " + std::string{std::strerror(errno)}
                        + "; raise the limit of open files"};
  owned_fd ours{ends[0]}, theirs{ends[1]};
  auto process = ::fork();
  if (process == 0) {
    ours.close();
    be_guard(theirs.get());
  }
  if (process < 0)
    return {errc::io, "no process for the guard of the tasks: " + std::string{std::strerror(errno)}
                        + "; raise the limit of processes"};
  return task_guard{process, std::move(ours)};
}

bool task_guard::watch(pid_t group, int owner) const noexcept {
  return send_notice(socket_.get(), {group, true}, owner);
}

bool task_guard::forget(pid_t group) const noexcept {
  return send_notice(socket_.get(), {group, false}, {});
}

} // namespace troupe
