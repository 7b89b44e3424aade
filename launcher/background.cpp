#include "launcher/background.hpp"

#include "runtime/base/file_text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

// A spawn returns while the new program is still being loaded: until then its command line reads
// empty, and it would be taken for one that has ended.
void wait_loaded(pid_t pid) {
  for (int tries = 0; tries < 1000 && command_line_of(pid).empty(); ++tries) {
    if (::waitpid(pid, nullptr, WNOHANG) != 0)
      return; // it has ended already
    ::poll(nullptr, 0, 1);
  }
}

} // namespace

result<pid_t> start_background(const std::string& directory, const std::string& name,
                               const std::vector<std::string>& command) {
  std::error_code failed;
  fs::create_directories(directory + "/run", failed);
  fs::create_directories(directory + "/logs", failed);
  if (failed)
    return {errc::io, "cannot write in " + directory + ": " + failed.message()};
  auto log = directory + "/logs/" + name + ".out";
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (auto& each : command)
    words.push_back(const_cast<char*>(each.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  auto code = ::posix_spawn(&pid, words[0], &files, &attributes, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (code != 0)
    return {errc::io, "cannot start " + command[0] + ": " + std::strerror(code)};
  std::ofstream{directory + "/run/" + name + ".pid"} << pid << '\n';
  wait_loaded(pid);
  return pid;
}

std::vector<background_process> background_processes(const std::string& directory) {
  std::vector<background_process> found;
  std::error_code failed;
  for (auto& entry : fs::directory_iterator{directory + "/run", failed}) {
    pid_t pid = 0;
    std::ifstream{entry.path()} >> pid;
    // A number may belong to another program by now: ours has the directory in its command line.
    auto line = pid > 0 ? command_line_of(pid) : std::string{};
    if (line.find(directory) != std::string::npos)
      found.push_back({entry.path().stem().string(), pid});
  }
  return found;
}

bool wait_gone(const std::string& directory, duration limit) {
  constexpr int step_ms = 20;
  for (auto waited = duration{}; waited < limit; waited += std::chrono::milliseconds(step_ms)) {
    if (background_processes(directory).empty())
      return true;
    ::poll(nullptr, 0, step_ms);
  }
  return background_processes(directory).empty();
}

} // namespace troupe::launcher
