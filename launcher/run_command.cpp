#include "launcher/run_command.hpp"

#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace troupe::launcher {

namespace {

// Files in memory, rather than pipes: nobody has to read while the program writes.
owned_fd memory_file() {
  return owned_fd{::memfd_create("troupe", MFD_CLOEXEC)};
}

bool fill(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    auto more = ::write(fd, text.data() + done, text.size() - done);
    if (more <= 0)
      return false;
    done += static_cast<size_t>(more);
  }
  return ::lseek(fd, 0, SEEK_SET) == 0;
}

std::string content(int fd) {
  std::string text;
  std::array<char, 4096> block{};
  for (ssize_t more = 0;
       (more = ::pread(fd, block.data(), block.size(), static_cast<off_t>(text.size()))) > 0;)
    text.append(block.data(), static_cast<size_t>(more));
  return text;
}

result<pid_t> spawn(const std::vector<std::string>& words, int in, int out, int err) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& each : words)
    argv.push_back(const_cast<char*>(each.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in, 0);
  ::posix_spawn_file_actions_adddup2(&files, out, 1);
  ::posix_spawn_file_actions_adddup2(&files, err, 2);
  pid_t pid = 0;
  auto code = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (code == ENOENT)
    return {errc::not_found, words[0] + " is not in the PATH"};
  if (code != 0)
    return {errc::io, "cannot run " + words[0] + ": " + std::strerror(code)};
  return pid;
}

// The exit status, or nothing when it had to be killed.
result<int> wait_for(pid_t pid, const std::string& name, duration limit) {
  auto ended = pidfd_of(pid);
  pollfd wait{ended.get(), POLLIN, 0};
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit);
  auto in_time = ::poll(&wait, 1, static_cast<int>(ms.count())) > 0;
  if (!in_time)
    ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!in_time)
    return {errc::deadline, name + " did not end within " + std::to_string(ms.count() / 1000)
                              + " s, and was killed"};
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

result<finished_command> run_command(const std::vector<std::string>& words,
                                     const std::string& input, duration limit) {
  auto in = memory_file();
  auto out = memory_file();
  auto err = memory_file();
  if (!in || !out || !err || !fill(in.get(), input))
    return {errc::io, std::string{"cannot make a file in memory: "} + std::strerror(errno)};
  auto pid = spawn(words, in.get(), out.get(), err.get());
  if (!pid)
    return pid.error();
  auto code = wait_for(*pid, words[0], limit);
  if (!code)
    return code.error();
  return finished_command{*code, content(out.get()), content(err.get())};
}

std::string shell_quote(const std::string& word) {
  std::string quoted{"'"};
  for (auto each : word)
    if (each == '\'')
      quoted += "'\\''";
    else
      quoted += each;
  return quoted + "'";
}

std::string shell_quote(const std::vector<std::string>& words) {
  std::string line;
  for (auto& each : words)
    line.append(line.empty() ? "" : " ").append(shell_quote(each));
  return line;
}

std::string one_line(const std::string& text) {
  std::string joined;
  for (size_t from = 0; from < text.size();) {
    auto to = std::min(text.find('\n', from), text.size());
    auto first = text.find_first_not_of(" \t\r", from);
    if (first < to) {
      auto last = text.find_last_not_of(" \t\r\n", to);
      joined.append(joined.empty() ? "" : "; ").append(text, first, last + 1 - first);
    }
    from = to + 1;
  }
  return joined;
}

} // namespace troupe::launcher
