#include "actors/jobs/task_launch.hpp"

#include "actors/jobs/process_list.hpp"
#include "actors/jobs/read_trace.hpp"
#include "actors/jobs/task_user.hpp"
#include "runtime/base/regular_file.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace troupe {

namespace {

// What the child does between vfork and exec: prepared before, as it shares this memory until then.
struct launch {
  std::string program;
  std::vector<char*> arguments;
  std::vector<std::string> variables;
  std::vector<char*> environment;
  owned_fd null, output_write, metrics_write, failed_write;
  owned_fd for_image;             // where a task with an image has its variables
  std::vector<std::string> words; // that enter it
  owned_fd self;                  // the pidfd of this process
  int metrics_number = 0;         // of metrics_write in the child
  const control_group* limits = nullptr;
  bool counts_processes = false; // by a limit of this process: no group will
  std::optional<task_user> user;
  owned_fd own_directory; // of that user
  mutable std::optional<trace_request> trace;
};

enum class step : int { enter_directory, set_up, execute };

struct launch_failure {
  step where;
  int code;
};

struct pipe_ends {
  owned_fd read, write;
};

result<pipe_ends> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return {errc::io, "no pipe for the task: " + std::string{std::strerror(errno)}
                        + "; raise the limit of open files"};
  return pipe_ends{owned_fd{ends[0]}, owned_fd{ends[1]}};
}

// Out of the way of the small numbers that the child's descriptors get. Below 64: to grow its table
// of descriptors beyond, a process with threads waits for the kernel's RCU, 10 to 20 ms.
void move_up(owned_fd& fd) {
  constexpr int least = 32;
  owned_fd moved{::fcntl(fd.get(), F_DUPFD_CLOEXEC, least)};
  if (moved)
    fd = std::move(moved);
}

// The lowest number that is free in the child: a POSIX shell redirects to one digit only.
int free_number(const std::vector<int>& taken) {
  int out = 3;
  while (std::find(taken.begin(), taken.end(), out) != taken.end())
    ++out;
  return out;
}

bool is_program(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode)
         && ::access(path.c_str(), X_OK) == 0;
}

// The file of a program, as a shell would find it; relative paths count from the task's directory.
result<std::string> find_program(const task_command& what) {
  auto& name = what.command.front();
  auto at = [&](const std::string& path) {
    return path.starts_with('/') ? path : what.directory + "/" + path;
  };
  if (name.find('/') != std::string::npos) {
    if (is_program(at(name)))
      return at(name);
    return {errc::not_found, "the program '" + name
                               + "' does not exist or may not be executed; correct the task's "
                                 "command or its mode"};
  }
  auto set = what.environment.find("PATH");
  std::string path = set != what.environment.end() ? set->second : "/usr/local/bin:/usr/bin:/bin";
  for (size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find(':', begin), path.size());
    auto folder = path.substr(begin, end - begin);
    auto candidate = at((folder.empty() ? "." : folder) + "/" + name);
    if (is_program(candidate))
      return candidate;
    begin = end + 1;
  }
  return {errc::not_found, "the program '" + name + "' was not found in the PATH " + path
                             + "; install it on the node or give its full path"};
}

[[noreturn]] void give_up(const launch& prepared, step where) {
  launch_failure why{where, errno};
  auto written = ::write(prepared.failed_write.get(), &why, sizeof why);
  ::_exit(written == sizeof why ? 127 : 126);
}

bool limit_to(__rlimit_resource_t what, uint64_t value) {
  rlimit limit{value, value};
  return ::setrlimit(what, &limit) == 0;
}

bool take_limits(const task_command& what, const launch& prepared) {
  if (prepared.limits)
    return prepared.limits->join();
  return what.memory == 0 || limit_to(RLIMIT_DATA, what.memory);
}

// A machine that runs out of memory ends its tasks before what it runs them with.
void offer_to_end_first() {
  owned_fd score{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
  [[maybe_unused]] auto written = ::write(score.get(), "500", 3); // refused to who offers more
}

[[noreturn]] void become(const task_command& what, const launch& prepared, const task_guard& guard,
                         pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
    ::_exit(126);
  if (::setpgid(0, 0) != 0 || !guard.watch(::getpid(), prepared.self.get()))
    give_up(prepared, step::set_up);
  for (int number = 1; number < 32; ++number)
    ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(prepared.null.get(), 0) < 0 || ::dup2(prepared.output_write.get(), 1) < 0
      || ::dup2(prepared.output_write.get(), 2) < 0)
    give_up(prepared, step::set_up);
  // Whatever this process was given by its own parent stays here.
  ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  if (::dup2(prepared.metrics_write.get(), prepared.metrics_number) < 0)
    give_up(prepared, step::set_up);
  for (int fd : what.inherited)
    if (::fcntl(fd, F_SETFD, 0) != 0)
      give_up(prepared, step::set_up);
  // A task with an image takes its limits when it has it.
  if (prepared.for_image ? ::fcntl(prepared.for_image.get(), F_SETFD, 0) != 0
                         : !take_limits(what, prepared))
    give_up(prepared, step::set_up);
  offer_to_end_first();
  if (prepared.trace)
    prepared.trace->install(false); // while it may: from here on nothing opens a file
  if (prepared.counts_processes && !limit_to(RLIMIT_NPROC, what.processes))
    give_up(prepared, step::set_up);
  if (prepared.user && !prepared.user->become())
    give_up(prepared, step::set_up);
  // As the user: not where the user could not go. Its own directory may be behind one of ours.
  if (::chdir(what.directory.c_str()) != 0
      && !(prepared.own_directory && ::fchdir(prepared.own_directory.get()) == 0))
    give_up(prepared, step::enter_directory);
  if (prepared.trace)
    prepared.trace->install(true);
  ::execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  give_up(prepared, step::execute);
}

error explain(const launch_failure& why, const task_command& what) {
  std::string text = std::strerror(why.code);
  auto code = why.code == ENOENT || why.code == ENOTDIR ? errc::not_found : errc::invalid;
  switch (why.where) {
  case step::enter_directory:
    return {code, "the task's directory '" + what.directory + "' cannot be entered: " + text
                    + "; create it on the node"};
  case step::execute:
    return {code, "the program '" + what.command.front() + "' cannot be executed: " + text
                    + "; a script needs a first line such as #!/bin/sh"};
  case step::set_up:
    break;
  }
  return {errc::io, "the task's process cannot be set up: " + text + "; check the node's limits"};
}

// The program that enters the image gets the task's variables by a file: it runs as root, and they
// are not all ours.
result<void> prepare_image(const task_command& what, launch& out) {
  out.for_image = owned_fd{::memfd_create("troupe-environment", MFD_CLOEXEC)};
  move_up(out.for_image);
  for (auto& each : out.variables)
    if (auto size = each.size() + 1;
        ::write(out.for_image.get(), each.c_str(), size) != static_cast<ssize_t>(size))
      return {errc::io, "no memory for the task's variables: " + std::string{std::strerror(errno)}
                          + "; check the node's memory"};
  ::lseek(out.for_image.get(), 0, SEEK_SET);
  auto add = [&](const char* name, std::string value) {
    out.words.insert(out.words.end(), {name, std::move(value)});
  };
  out.program = what.enters_image;
  out.words.push_back(what.enters_image);
  add(in_image_option, what.image.name);
  add("--environment", std::to_string(out.for_image.get()));
  add("--directory", what.directory);
  if (!what.user.empty())
    add("--user", what.user);
  if (out.limits)
    for (auto& file : out.limits->member_files())
      add("--group", file);
  add("--memory", std::to_string(what.memory));
  for (auto& each : what.image.own)
    add("--own-mount", each);
  for (auto& each : what.image.mounts)
    add("--mount", each);
  out.words.emplace_back("--");
  for (auto& each : out.words)
    out.arguments.push_back(each.data());
  return {};
}

result<void> trace_reads(launch& out) {
  auto made = trace_request::make();
  if (!made)
    return made.error();
  out.trace = std::move(*made);
  return {};
}

// What became of it, when the command has been executed.
void take_trace(const task_command& what, const launch& prepared, process_group& running) {
  if (!what.trace_reads)
    return;
  auto listener = prepared.trace ? prepared.trace->listener()
                                 : result<owned_fd>{errc::unavailable, "it runs in an image"};
  if (listener)
    running.opens = std::move(*listener);
  else
    running.untraced = listener.error().text;
}

// Everything that the child needs; the read ends go to `running`.
result<launch> prepare(const task_command& what, process_group& running, owned_fd& failed) {
  TROUPE_ASSERT(!what.command.empty());
  launch out;
  if (running.limits)
    out.limits = &*running.limits;
  // Nobody counts root's.
  out.counts_processes
    = !out.limits && (!what.user.empty() || ::geteuid() != 0) && !has_control_groups();
  if (what.image.name.empty()) {
    auto program = find_program(what);
    if (!program)
      return program.error();
    out.program = *program;
  }
  if (!what.user.empty() && what.image.name.empty()) {
    auto user = find_task_user(what.user);
    if (!user)
      return user.error();
    out.user = std::move(*user);
    owned_fd there{::open(what.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct stat found {};
    if (there && ::fstat(there.get(), &found) == 0 && found.st_uid == out.user->id)
      out.own_directory = std::move(there);
  }
  if (what.trace_reads && what.image.name.empty())
    TROUPE_TRY(trace_reads(out));
  auto output = make_pipe(), metrics = make_pipe(), failure = make_pipe();
  for (auto* each : {&output, &metrics, &failure})
    if (!*each)
      return each->error();
  running.output = std::move(output->read);
  running.metrics = std::move(metrics->read);
  failed = std::move(failure->read);
  out.output_write = std::move(output->write);
  out.metrics_write = std::move(metrics->write);
  out.failed_write = std::move(failure->write);
  move_up(out.metrics_write);
  move_up(out.failed_write);
  out.metrics_number = free_number(what.inherited);
  out.null = owned_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  out.self = pidfd_of(::getpid());
  running.log = open_regular_file(what.log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
  struct stat now {};
  if (!running.log || ::fstat(running.log.get(), &now) != 0)
    return error{errc::io, "the log '" + what.log_file + "' cannot be opened: "
                             + std::strerror(errno) + "; check the node's directory"};
  running.logged = static_cast<uint64_t>(now.st_size);
  ::fcntl(running.output.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(running.metrics.get(), F_SETFL, O_NONBLOCK);
  for (auto& [name, value] : what.environment)
    out.variables.push_back(name + "=" + value);
  out.variables.push_back("TROUPE_METRICS_FD=" + std::to_string(out.metrics_number));
  if (what.image.name.empty())
    for (auto& each : out.variables)
      out.environment.push_back(each.data());
  else
    TROUPE_TRY(prepare_image(what, out));
  out.environment.push_back(nullptr);
  for (auto& each : what.command)
    out.arguments.push_back(const_cast<char*>(each.c_str()));
  out.arguments.push_back(nullptr);
  return out;
}

// Signals are blocked across, so that no handler of ours runs in the child.
result<void> fork_command(const task_command& what, const launch& prepared, const task_guard& guard,
                          process_group& running) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  auto parent = ::getpid();
  // Copying the tables of this process's memory would cost more than all else here.
  running.command = ::vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (running.command == 0)
    become(what, prepared, guard, parent);
  auto code = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (running.command < 0)
    return {errc::io, "no process for the task: " + std::string{std::strerror(code)}
                        + "; raise the limit of processes"};
  running.exited = pidfd_of(running.command);
  if (!running.exited)
    return {errc::io, "the kernel gives no pidfd: " + std::string{std::strerror(errno)}
                        + "; Linux 5.3 or later is needed"};
  return {};
}

} // namespace

result<void> launch_group(const task_command& what, const task_guard& guard,
                          process_group& running) {
  owned_fd failed;
  {
    auto prepared = prepare(what, running, failed);
    if (!prepared)
      return prepared.error();
    if (auto forked = fork_command(what, *prepared, guard, running); !forked) {
      end_group(guard, running);
      return forked.error();
    }
    take_trace(what, *prepared, running);
  } // closes our copies of the child's ends
  launch_failure why{};
  ssize_t got = 0;
  while ((got = ::read(failed.get(), &why, sizeof why)) < 0 && errno == EINTR) {
  }
  if (got != sizeof why)
    return {};
  end_group(guard, running);
  return explain(why, what);
}

int end_group(const task_guard& guard, process_group& running) {
  if (running.command <= 0)
    return 0;
  ::kill(-running.command, SIGKILL);
  // Before the number of the group may be given away.
  guard.forget(running.command);
  int status = 0;
  while (::waitpid(running.command, &status, 0) < 0 && errno == EINTR) {
  }
  end_descendants(guard.process());
  return status;
}

} // namespace troupe
