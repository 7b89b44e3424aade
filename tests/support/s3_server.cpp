#include "tests/support/s3_server.hpp"

#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <sstream>
#include <utility>

namespace troupe::testing {

namespace {

constexpr auto script = "tests/support/s3_server.py";
constexpr int start_ms = 60'000;

} // namespace

std::string s3_server::missing(const std::string& directory) {
  if (::access("/usr/lib/python3/dist-packages/swift/common/middleware/s3api", R_OK) != 0)
    return "OpenStack Swift is not installed (Debian: python3-swift)";
  if (::setxattr(directory.c_str(), "user.troupe", "1", 1, 0) != 0)
    return "the file system of " + directory + " has no extended attributes";
  return "";
}

result<void> s3_server::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return {errc::io, "no pipe"};
  owned_fd from{ends[0]};
  owned_fd to{ends[1]};
  auto log = directory_ + "/log";
  std::string port = "0";
  // Isolated: of the system's Python and its packages alone.
  std::array<std::string, 5> words{"/usr/bin/python3", "-I", script, directory_, port};
  std::array<char*, 6> argv{};
  for (size_t i = 0; i < words.size(); ++i)
    argv[i] = words[i].data();
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, to.get(), 1);
  ::posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  auto failed = ::posix_spawn(&process_, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    return {errc::io, "cannot start " + words[0]};
  to.close();
  std::string line;
  while (line.find('\n') == std::string::npos) {
    pollfd wait{from.get(), POLLIN, 0};
    std::array<char, 64> some{};
    auto n = ::poll(&wait, 1, start_ms) == 1 ? ::read(from.get(), some.data(), some.size()) : 0;
    if (n <= 0) {
      kill();
      return {errc::io, "the S3 server does not start; see " + log};
    }
    line.append(some.data(), static_cast<size_t>(n));
  }
  std::istringstream words_of{line};
  std::string ready;
  words_of >> ready >> port_ >> tls_port_;
  return {};
}

void s3_server::kill() {
  if (process_ == 0)
    return;
  ::kill(process_, SIGKILL);
  ::waitpid(std::exchange(process_, 0), nullptr, 0);
}

} // namespace troupe::testing
