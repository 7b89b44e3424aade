#include "launcher/fork_message.hpp"
#include "launcher/fork_server.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

namespace troupe::launcher {

namespace {

// Room for the command line of a fork.
constexpr size_t words_shown = 4096;

// Ours, and the setting that is for the server only. `setting` holds it.
std::vector<char*> environment_of_server(std::string& setting) {
  std::vector<char*> out;
  for (char** each = environ; *each; ++each)
    out.push_back(*each);
  if (!std::getenv(bind_variable)) {
    setting.append(bind_variable).append("=").append(bind_value);
    out.push_back(setting.data());
  }
  out.push_back(nullptr);
  return out;
}

} // namespace

fork_client::~fork_client() {
  stop_server();
}

result<void> fork_client::start_server() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return {errc::io, "no socket for starting tasks: " + std::string{std::strerror(errno)}
                        + "; raise the limit of open files"};
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::string program = program_, option = fork_server_option, room(words_shown, ' ');
  char* words[] = {program.data(), option.data(), room.data(), nullptr};
  std::string setting;
  auto environment = environment_of_server(setting);
  auto code = ::posix_spawn(&server_, words[0], &files, &attributes, words, environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  if (code != 0) {
    ::close(ends[0]);
    return {errc::io, "cannot start " + program_ + ": " + std::strerror(code)
                        + "; build it with: cmake --build --preset release"};
  }
  channel_ = ends[0];
  return {};
}

void fork_client::stop_server() {
  if (channel_ < 0)
    return;
  ::close(std::exchange(channel_, -1));
  ::kill(server_, SIGKILL); // it would end by itself, but not at once
  ::waitpid(server_, nullptr, 0);
  lost_ = true;
}

// Reads one piece of news, if there is one or `wait`; false when there is none or the server is
// gone.
bool fork_client::read_news(bool wait, int& forked) {
  pollfd readable{channel_, POLLIN, 0};
  if (channel_ < 0 || (!wait && ::poll(&readable, 1, 0) <= 0))
    return false;
  fork_news news;
  if (!receive_whole(channel_, &news, sizeof news)) {
    stop_server();
    return false;
  }
  if (news.what == fork_news::forked)
    forked = news.process;
  else
    ended_.push_back({news.process, news.status});
  return true;
}

result<int> fork_client::start(const std::vector<std::string>& words,
                               const std::vector<std::string>& environment) {
  std::string request;
  for (auto* texts : {&words, &environment})
    for (auto& each : *texts)
      request.append(each).push_back('\0');
  fork_request head{static_cast<uint32_t>(request.size()), static_cast<uint32_t>(words.size())};
  request.insert(0, reinterpret_cast<const char*>(&head), sizeof head);
  if (channel_ < 0)
    TROUPE_TRY(start_server());
  int forked = 0;
  if (!send_whole(channel_, request.data(), request.size()))
    stop_server();
  while (forked == 0 && read_news(true, forked)) {
  }
  if (forked > 0)
    return forked;
  return {errc::io, "no process for the task: "
                      + (forked < 0 ? std::string{std::strerror(-forked)}
                                    : "the process that starts tasks was killed")
                      + "; try again"};
}

std::vector<ended_fork> fork_client::ended() {
  for (int none = 0; read_news(false, none);) {
  }
  return std::exchange(ended_, {});
}

bool fork_client::lost() {
  return std::exchange(lost_, false);
}

} // namespace troupe::launcher
