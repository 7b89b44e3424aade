#include "launcher/mpi_slot.hpp"

#include "launcher/mpi_request.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/tcp_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace troupe::launcher {
namespace {

constexpr int exit_no_connection = 255; // as ssh has it
constexpr size_t sessions_max = 64;
constexpr auto request_time = std::chrono::seconds(5);
constexpr auto connect_time = std::chrono::seconds(60);

std::string text_of(const char* variable) {
  auto* text = std::getenv(variable);
  return text ? text : "";
}

// A connection to a host of the gang; to the first, if the name is empty.
result<owned_fd> connect_to(const std::string& host) {
  auto address = mpi_peer(text_of("TROUPE_MPI_PEERS"), host);
  if (!address)
    return address.error();
  auto connected = connect_tcp(*address, system_clock{}.now() + connect_time);
  if (!connected)
    return connected.error();
  return owned_fd{*connected};
}

pid_t start_command(const std::string& command) {
  auto parent = ::getpid();
  auto child = ::fork();
  if (child != 0)
    return child;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
    ::_exit(exit_no_connection);
  ::setpgid(0, 0);
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(exit_no_connection);
}

// A connection, and the command that came over it.
class session {
public:
  session(owned_fd connection, time_point due) : connection_(std::move(connection)), due_(due) {}
  session(session&& other) noexcept
    : connection_(std::move(other.connection_)), exited_(std::move(other.exited_)),
      request_(std::move(other.request_)), due_(other.due_),
      command_(std::exchange(other.command_, 0)) {}
  session& operator=(session&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(exited_, other.exited_);
    std::swap(request_, other.request_);
    std::swap(due_, other.due_);
    std::swap(command_, other.command_);
    return *this;
  }
  ~session() {
    if (command_ <= 0)
      return;
    ::kill(-command_, SIGKILL);
    ::kill(command_, SIGKILL); // before it had its group
    ::waitpid(command_, nullptr, 0);
  }

  pollfd connection() const { return {connection_.get(), POLLIN, 0}; }
  pollfd exited() const { return {exited_.get(), POLLIN, 0}; }
  bool late(time_point now) const { return command_ == 0 && now >= due_; }

  // Something came, or the connection has ended; false: this session is over.
  bool hear(const std::string& secret) {
    std::array<char, 65536> bytes;
    auto got = ::recv(connection_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && would_block())
      return true;
    if (got <= 0 || command_ != 0)
      return false;
    request_.append(bytes.data(), static_cast<size_t>(got));
    auto command = read_mpi_request(request_, secret);
    return command && (!*command || begin(**command));
  }

  // The command has ended: tells its exit code.
  void tell_end() {
    int status = 0;
    if (::waitpid(std::exchange(command_, 0), &status, 0) < 0)
      return;
    auto code = static_cast<char>(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    [[maybe_unused]] auto told = send_all(connection_.get(), {&code, 1}, request_time);
  }

private:
  bool begin(const std::string& command) {
    command_ = start_command(command);
    if (command_ <= 0)
      return false;
    exited_ = pidfd_of(command_);
    return static_cast<bool>(exited_);
  }

  owned_fd connection_;
  owned_fd exited_; // a pidfd
  std::string request_;
  time_point due_;
  pid_t command_ = 0; // and its process group
};

// One round: true until the chief has ended.
bool serve(int listening, int chief, const std::string& secret, std::vector<session>& all) {
  system_clock time;
  std::vector<pollfd> seen{{chief, POLLIN, 0},
                           {all.size() < sessions_max ? listening : -1, POLLIN, 0}};
  for (auto& each : all) {
    seen.push_back(each.connection());
    seen.push_back(each.exited());
  }
  constexpr int look_ms = 1000; // for late requests
  if (::poll(seen.data(), seen.size(), look_ms) < 0)
    return true;
  auto now = time.now();
  std::vector<session> left;
  for (size_t i = 0; i < all.size(); ++i) {
    auto over = all[i].late(now);
    if (seen[2 * i + 3].revents != 0) {
      all[i].tell_end();
      over = true;
    } else if (seen[2 * i + 2].revents != 0) {
      over = !all[i].hear(secret);
    }
    if (!over)
      left.push_back(std::move(all[i]));
  }
  all = std::move(left);
  if (seen[1].revents != 0)
    if (owned_fd more{::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)})
      all.emplace_back(std::move(more), now + request_time);
  return seen[0].revents == 0;
}

int complain_at(const error& why, int code) {
  std::fprintf(stderr, "troupe-rsh: %s\n", why.text.c_str());
  return code;
}

} // namespace

int wait_for_commands() {
  auto number = text_of("TROUPE_LISTEN_FD");
  int listening = -1;
  std::from_chars(number.data(), number.data() + number.size(), listening);
  auto secret = text_of("TROUPE_SECRET");
  if (listening < 0 || secret.empty())
    return complain_at({errc::invalid, "--wait is for a task of framework mpi; start one with: "
                                       "troupe submit"},
                       2);
  ::fcntl(listening, F_SETFD, FD_CLOEXEC);
  // Its executor keeps the port, and accepts nobody, as long as its command runs.
  auto chief = connect_to("");
  if (!chief)
    return complain_at(chief.error(), 1);
  std::vector<session> all;
  while (serve(listening, chief->get(), secret, all)) {
  }
  return 0;
}

int run_at(const std::string& host, const std::vector<std::string>& words) {
  std::string command;
  for (auto& each : words)
    command.append(command.empty() ? "" : " ").append(each);
  if (host == text_of("TROUPE_TASK_TYPE") + "-" + text_of("TROUPE_TASK_INDEX")) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    return exit_no_connection;
  }
  if (command.empty() || command.size() > mpi_command_max)
    return complain_at({errc::invalid, "the command has " + std::to_string(command.size())
                                         + " bytes: give 1 to 1048576"},
                       exit_no_connection);
  auto connection = connect_to(host);
  if (!connection)
    return complain_at(connection.error(), exit_no_connection);
  auto to = connection->get();
  std::string code;
  if (send_all(to, mpi_request(text_of("TROUPE_SECRET"), command), request_time)
      && wait_for(to, POLLIN, time_point::max()) && receive_some(to, code, request_time))
    return static_cast<uint8_t>(code[0]);
  return complain_at({errc::unavailable, "task " + host
                                           + " ended before the command did; see its "
                                             "log"},
                     exit_no_connection);
}

} // namespace troupe::launcher
