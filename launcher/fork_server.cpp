#include "launcher/fork_server.hpp"

#include "launcher/fork_message.hpp"
#include "runtime/base/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace troupe::launcher {

namespace {

constexpr int channel = 0;

struct request {
  fork_request head;
  std::string texts;
};

std::optional<request> read_request() {
  request out;
  if (!receive_whole(channel, &out.head, sizeof out.head))
    return {};
  out.texts.resize(out.head.size);
  if (!receive_whole(channel, out.texts.data(), out.texts.size()))
    return {};
  return out;
}

// Writes the words over the arguments, where the kernel reads the command line.
void show(const std::vector<std::string>& words, int count, char** arguments) {
  auto* to = arguments[0];
  auto* end = arguments[count - 1] + std::strlen(arguments[count - 1]);
  std::memset(to, 0, static_cast<size_t>(end - to));
  for (auto& each : words)
    to += std::min(each.copy(to, static_cast<size_t>(end - to)) + 1, static_cast<size_t>(end - to));
}

fork_order split(const request& in) {
  fork_order out;
  for (size_t from = 0; from < in.texts.size(); from = in.texts.find('\0', from) + 1)
    (out.words.size() < in.head.words ? out.words : out.environment)
      .emplace_back(in.texts.c_str() + from);
  return out;
}

// What the server has and an executor must not: its channel, its signals.
void leave_server(int signals) {
  ::close(signals);
  ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), channel);
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Those that end a process are blocked and mean nothing here: the server ends with its agent, which
// may be told to leave by a signal to all of its processes.
int child_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (auto each : {SIGTERM, SIGINT})
    ::sigaddset(&set, each);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool tell(fork_news news) {
  return send_whole(channel, &news, sizeof news);
}

// False when the client, or the process that is needed, is gone.
bool tell_ended(int signals, int needed) {
  signalfd_siginfo info;
  while (::read(signals, &info, sizeof info) > 0) {
  }
  int status = 0;
  for (pid_t process; (process = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (process == needed || !tell({fork_news::ended, process, status}))
      return false;
  return true;
}

} // namespace

int serve_forks(int count, char** arguments, int needed,
                const std::function<int(fork_order)>& run) {
  log::debug("ready to fork"); // and the log is made
  auto signals = child_signals();
  if (auto* bind = std::getenv(bind_variable); bind && std::string_view{bind} == bind_value)
    ::unsetenv(bind_variable);
  for (;;) {
    pollfd wait[2] = {{channel, POLLIN, 0}, {signals, POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0)
      continue;
    if (wait[1].revents && !tell_ended(signals, needed))
      return 0;
    if (!wait[0].revents)
      continue;
    auto asked = read_request();
    if (!asked)
      return 0;
    auto process = ::fork();
    if (process == 0) {
      leave_server(signals);
      auto order = split(*asked);
      show(order.words, count, arguments);
      order.words.erase(order.words.begin());
      ::_exit(run(std::move(order)));
    }
    if (!tell({fork_news::forked, process > 0 ? process : -errno, 0}))
      return 0;
  }
}

} // namespace troupe::launcher
