#include "launcher/beside.hpp"

#include "actors/jobs/control_group.hpp"
#include "actors/jobs/task_user.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::launcher {
namespace {

constexpr int exit_not_allowed = 126;
constexpr int exit_not_found = 127;

int give_up(const std::string& what) {
  std::fprintf(stderr, "troupe exec: %s: %s\n", what.c_str(), std::strerror(errno));
  return exit_not_allowed;
}

// What was made for the command alone: this process did not inherit it.
bool is_for_the_command_only(std::string_view variable) {
  return variable.starts_with("TROUPE_METRICS_FD=") || variable.starts_with("TROUPE_LISTEN_FD=");
}

// The task's variables; none: it is not there, or it still enters its image.
std::vector<std::string> environment_of(const std::string& folder) {
  std::vector<std::string> out;
  std::istringstream in{text_of_file(folder + "/environ")};
  for (std::string variable; std::getline(in, variable, '\0');)
    if (!is_for_the_command_only(variable))
      out.push_back(variable);
  return out;
}

// Whom the node's tasks run as. Not whom the process is: a program may make itself another one.
bool become(const std::string& user) {
  if (user.empty())
    return true;
  auto found = find_task_user(user);
  return found && found->become();
}

// Its cores and its memory; with a control group, that has the memory.
void take_limits(pid_t task) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(task, sizeof cores, &cores) == 0)
    ::sched_setaffinity(0, sizeof cores, &cores);
  rlimit data{};
  if (::prlimit(task, RLIMIT_DATA, nullptr, &data) == 0)
    ::setrlimit(RLIMIT_DATA, &data);
  join_groups_of(task);
}

// The files that the task sees: those of its image (task_image.hpp), with the rights that it has
// there.
bool enter_files_of(const std::string& folder) {
  struct stat its {
  }, ours{};
  owned_fd files{::open((folder + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC)};
  if (!files || ::fstat(files.get(), &its) != 0 || ::stat("/proc/self/ns/mnt", &ours) != 0)
    return ::geteuid() != 0; // only root's tasks have images
  if (its.st_ino == ours.st_ino)
    return true;
  return ::setns(files.get(), CLONE_NEWNS) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

} // namespace

int run_beside(int argc, char** argv) {
  pid_t task = 0;
  std::string_view number{argc > 2 ? argv[2] : ""};
  std::from_chars(number.data(), number.data() + number.size(), task);
  std::string user;
  auto terminal = false;
  int first = 3;
  for (; first < argc && std::string_view{argv[first]} != "--"; ++first)
    if (std::string_view{argv[first]} == "--terminal")
      terminal = true;
    else if (std::string_view{argv[first]} == "--user" && first + 1 < argc)
      user = argv[++first];
  if (task <= 0 || ++first >= argc) {
    std::fprintf(stderr, "troupe-executor: %s needs a process and a command\n", beside_option);
    return 2;
  }
  auto folder = "/proc/" + std::to_string(task);
  int directory = ::open((folder + "/cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto environment = environment_of(folder);
  if (directory < 0 || environment.empty())
    return give_up("the task's process cannot be looked into");
  take_limits(task);
  if (!enter_files_of(folder))
    return give_up("the task's image cannot be entered");
  if (terminal && ::ioctl(0, TIOCSCTTY, 0) != 0)
    return give_up("no terminal");
  if (terminal)
    environment.emplace_back("TERM=xterm-256color");
  if (::fchdir(directory) != 0 || !become(user))
    return give_up("this process may not become one of the task's; run the node as root");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL); // without its agent, nobody hears it
  ::clearenv();
  for (auto& each : environment)
    ::putenv(each.data());
  ::execvp(argv[first], argv + first);
  auto code = errno;
  std::fprintf(stderr, "troupe exec: %s: %s\n", argv[first], std::strerror(code));
  return code == ENOENT ? exit_not_found : exit_not_allowed;
}

} // namespace troupe::launcher
