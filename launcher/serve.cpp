// The long-lived processes: they run until a signal or their role ends them. SIGTERM ends a process
// in order, a second one at once; what follows the first within a moment is the same wish.
#include "actors/jobs/control_group.hpp"
#include "launcher/commands.hpp"
#include "launcher/processes.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/base/restart_policy.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>

namespace troupe::launcher {

namespace {

// The signals that end a process, as a file descriptor. Blocked before the first thread starts.
int end_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

// Waits for either; true: a signal came.
bool signal_or_end(int signals, int ended) {
  pollfd wait[2] = {{signals, POLLIN, 0}, {ended, POLLIN, 0}};
  while (::poll(wait, 2, -1) < 0) {
  }
  signalfd_siginfo info;
  return wait[0].revents != 0 && ::read(signals, &info, sizeof(info)) == sizeof(info);
}

// Waits until the role has left, or is told once more. Who signals every process of a container, as
// Slurm does, tells a role twice: itself, and by its supervisor.
void wait_left(int signals, int ended) {
  constexpr auto same_wish = std::chrono::seconds(2);
  auto first = std::chrono::steady_clock::now();
  while (signal_or_end(signals, ended) && std::chrono::steady_clock::now() - first < same_wish) {
  }
}

// Runs a role until it ends, in order after the first signal, at once after the second.
template <class Start>
int serve(const std::string& directory, const std::string& name, Start start) {
  std::error_code ignored;
  std::filesystem::create_directories(directory + "/logs", ignored);
  log::open(directory + "/logs/" + name + ".log", log::level::info);
  auto signals = end_signals();
  int ended[2];
  if (::pipe2(ended, O_CLOEXEC) != 0)
    return complain({errc::io, "cannot make a pipe"});
  std::atomic<bool> failed = false;
  auto role = start([&](const error* reason) {
    failed = reason != nullptr;
    [[maybe_unused]] auto n = ::write(ended[1], "x", 1);
  });
  if (!role) {
    log::error("cannot start", {{"role", name}, {"reason", role.error().text}});
    return complain(role.error());
  }
  log::info("started", {{"role", name}, {"process", ::getpid()}});
  if (signal_or_end(signals, ended[0]) && (*role)->leave()) {
    log::info("leaves", {{"role", name}});
    wait_left(signals, ended[0]);
  }
  log::info("ends", {{"role", name}});
  ::signal(SIGTERM, SIG_DFL);
  sigset_t set;
  ::sigfillset(&set);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr); // the second signal ends it at once
  role->reset();
  return failed ? 1 : 0;
}

// Each link of a node or a client is a descriptor.
void allow_many_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
    return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

// Keeps one child alive, as restart_policy says.
int supervise(const std::string& directory, const std::string& name,
              const std::function<int()>& child) {
  auto signals = end_signals();
  system_clock time;
  restart_policy policy;
  for (;;) {
    auto started = time.now();
    auto pid = ::fork();
    if (pid < 0)
      return complain({errc::io, "cannot start " + name + ": no process can be made"});
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::_exit(child());
    }
    bool asked = false;
    auto ended = pidfd_of(pid);
    if (!ended) {
      ::kill(pid, SIGKILL);
      return complain({errc::unavailable, "this kernel has no pidfd_open; use Linux 5.3 or later"});
    }
    while (signal_or_end(signals, ended.get())) {
      asked = true;
      ::kill(pid, SIGTERM);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (asked || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
      return 0;
    // Bad input stays bad: only a death is mended by another start.
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 2 || WEXITSTATUS(status) == 3))
      return WEXITSTATUS(status);
    auto pause = policy.died(started, time.now());
    if (!pause)
      return complain({errc::internal, name + " died " + std::to_string(policy.deaths())
                                         + " times in a row; see " + directory + "/logs/" + name
                                         + ".log"});
    std::fprintf(stderr, "troupe: %s died (status %d); starting it again\n", name.c_str(), status);
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*pause).count();
    pollfd signal{signals, POLLIN, 0};
    if (::poll(&signal, 1, static_cast<int>(ms)) > 0)
      return 0;
  }
}

} // namespace

int run_master(const shared_options& shared, const head_options& options) {
  auto& directory = shared.directory;
  return supervise(directory, "master", [&] {
    allow_many_descriptors();
    return serve(directory, "master",
                 [&](end_callback on_end) { return start_master(directory, options, on_end); });
  });
}

int run_http(const shared_options& shared, const http_options& options) {
  auto& directory = shared.directory;
  return supervise(directory, "http", [&] {
    return serve(directory, "http",
                 [&](const end_callback&) { return start_http(directory, options); });
  });
}

int run_node(const shared_options& shared, const node_options& options) {
  make_room_for_control_groups(); // before the fork, which inherits the place
  return supervise(shared.directory, options.name, [&] {
    return serve(shared.directory, options.name,
                 [&](end_callback on_end) { return start_node(shared, options, on_end); });
  });
}

} // namespace troupe::launcher
