#include "actors/jobs/exec_session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace troupe {
namespace {

constexpr size_t kept_max = 1 << 20; // bytes, of each stream
constexpr size_t told_max = 256 << 10;

error no_process(int code) {
  return {errc::io, "the command cannot be started: " + std::string{std::strerror(code)}
                      + "; check the limits of the node"};
}

// Both ends; those of the command are inherited by nobody else.
struct ends {
  owned_fd ours, theirs;
};

result<ends> make_pipe(bool we_read) {
  std::array<int, 2> made{};
  if (::pipe2(made.data(), O_CLOEXEC) != 0)
    return no_process(errno);
  owned_fd read{made[0]}, write{made[1]};
  ::fcntl(we_read ? read.get() : write.get(), F_SETFL, O_NONBLOCK);
  if (we_read)
    return ends{std::move(read), std::move(write)};
  return ends{std::move(write), std::move(read)};
}

result<ends> make_terminal() {
  ends out;
  out.ours = owned_fd{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  std::array<char, 64> name{};
  if (!out.ours || ::grantpt(out.ours.get()) != 0 || ::unlockpt(out.ours.get()) != 0
      || ::ptsname_r(out.ours.get(), name.data(), name.size()) != 0)
    return no_process(errno);
  out.theirs = owned_fd{::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (!out.theirs)
    return no_process(errno);
  return out;
}

std::vector<std::string> words_of(const exec_options& options) {
  std::vector<std::string> words{options.program, "--beside", std::to_string(options.beside)};
  if (!options.user.empty())
    words.insert(words.end(), {"--user", options.user});
  if (options.terminal)
    words.emplace_back("--terminal");
  words.emplace_back("--");
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

// In a session of its own, so that its group and its terminal are its own.
result<pid_t> spawn(std::vector<std::string> words, const std::array<int, 3>& descriptors) {
  std::vector<char*> arguments;
  for (auto& each : words)
    arguments.push_back(each.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  for (int i = 0; i < 3; ++i)
    ::posix_spawn_file_actions_adddup2(&files, descriptors[static_cast<size_t>(i)], i);
  posix_spawnattr_t how;
  ::posix_spawnattr_init(&how);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&how, &none);
  ::posix_spawnattr_setsigdefault(&how, &all);
  ::posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t made = 0;
  auto code = ::posix_spawn(&made, arguments[0], &files, &how, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&how);
  if (code != 0)
    return no_process(code);
  return made;
}

// The first that the client has not seen.
std::vector<uint8_t> first_of(const std::deque<uint8_t>& bytes) {
  auto count = std::min(bytes.size(), told_max);
  return {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count)};
}

} // namespace

result<std::unique_ptr<exec_session>> exec_session::start(const exec_options& options,
                                                          std::function<void()> on_news) {
  std::unique_ptr<exec_session> made{new exec_session(std::move(on_news))};
  TROUPE_TRY(made->launch(options));
  made->thread_ = std::thread{[session = made.get()] { session->watch(); }};
  return made;
}

exec_session::~exec_session() {
  {
    std::lock_guard hold{mutex_};
    stop_ = true;
  }
  uint64_t one = 1;
  [[maybe_unused]] auto told = ::write(wake_.get(), &one, sizeof one);
  if (thread_.joinable())
    thread_.join();
}

result<void> exec_session::launch(const exec_options& options) {
  wake_ = owned_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  task_ = pidfd_of(options.beside);
  if (!task_)
    return {errc::unavailable, "the task has ended; see its log with: troupe logs"};
  terminal_ = options.terminal;
  owned_fd in, out, err;
  if (terminal_) {
    auto made = make_terminal();
    if (!made)
      return made.error();
    input_ = owned_fd{::fcntl(made->ours.get(), F_DUPFD_CLOEXEC, 0)};
    output_.fd = std::move(made->ours);
    in = std::move(made->theirs);
  } else {
    auto first = make_pipe(false), second = make_pipe(true), third = make_pipe(true);
    for (auto* each : {&first, &second, &third})
      if (!*each)
        return each->error();
    input_ = std::move(first->ours);
    output_.fd = std::move(second->ours);
    errors_.fd = std::move(third->ours);
    in = std::move(first->theirs);
    out = std::move(second->theirs);
    err = std::move(third->theirs);
  }
  auto made = spawn(words_of(options),
                    {in.get(), terminal_ ? in.get() : out.get(), terminal_ ? in.get() : err.get()});
  if (!made)
    return made.error();
  command_ = *made;
  exited_ = pidfd_of(command_);
  return {};
}

void exec_session::watch() {
  for (;;) {
    std::array<pollfd, 6> seen{};
    {
      std::lock_guard hold{mutex_};
      auto room = [](const stream& x) { return x.bytes.size() < kept_max ? x.fd.get() : -1; };
      auto waits = !unread_.empty() ? input_.get() : -1;
      seen = {{{exited_.get(), POLLIN, 0},
               {task_.get(), POLLIN, 0},
               {wake_.get(), POLLIN, 0},
               {room(output_), POLLIN, 0},
               {room(errors_), POLLIN, 0},
               {waits, POLLOUT, 0}}};
      if (stop_)
        break;
    }
    if (::poll(seen.data(), seen.size(), -1) < 0)
      continue;
    uint64_t count = 0;
    if (seen[2].revents != 0) [[maybe_unused]]
      auto taken = ::read(wake_.get(), &count, sizeof count);
    if (seen[0].revents != 0 || seen[1].revents != 0)
      break;
    if (pump(false))
      on_news_();
  }
  end_command();
  on_news_();
}

// Whether there is news.
bool exec_session::pump(bool last) {
  std::lock_guard hold{mutex_};
  write_input();
  auto wrote = read_into(output_, last);
  return read_into(errors_, last) || wrote;
}

// At the end all that a pipe may hold: what a command wrote before its end is not lost.
bool exec_session::read_into(stream& from, bool all) {
  std::array<uint8_t, 65536> bytes;
  bool any = false;
  while (from.fd && from.bytes.size() < (all ? 2 * kept_max : kept_max)) {
    auto got = ::read(from.fd.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno == EAGAIN)
      break;
    if (got <= 0) { // a terminal that nobody holds any more says EIO
      from.fd.close();
      break;
    }
    from.bytes.insert(from.bytes.end(), bytes.begin(), bytes.begin() + got);
    any = true;
  }
  return any;
}

void exec_session::write_input() {
  while (input_ && !unread_.empty()) {
    std::array<uint8_t, 4096> bytes;
    auto count = std::min(unread_.size(), bytes.size());
    std::copy_n(unread_.begin(), count, bytes.begin());
    auto put = ::write(input_.get(), bytes.data(), count);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0 && errno == EAGAIN)
      return;
    if (put < 0) { // nobody reads it any more
      unread_.clear();
      input_.close();
      return;
    }
    unread_.erase(unread_.begin(), unread_.begin() + put);
  }
  if (input_ends_ && unread_.empty() && !terminal_)
    input_.close();
}

// With its whole group; its last words are read first.
void exec_session::end_command() {
  ::kill(-command_, SIGKILL);
  pump(true);
  int status = 0;
  while (::waitpid(command_, &status, 0) < 0 && errno == EINTR) {
  }
  std::lock_guard hold{mutex_};
  ended_ = true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

exec_news_msg exec_session::step(const exec_io_msg& x) {
  std::lock_guard hold{mutex_};
  auto forget = [](stream& from, uint64_t seen) {
    auto count = std::min<uint64_t>(seen - std::min(seen, from.begin), from.bytes.size());
    from.bytes.erase(from.bytes.begin(), from.bytes.begin() + static_cast<ptrdiff_t>(count));
    from.begin += count;
  };
  forget(output_, x.output_seen);
  forget(errors_, x.errors_seen);
  if (x.offset <= taken_ && x.offset + x.input.size() > taken_ && !input_ends_) {
    auto known = static_cast<ptrdiff_t>(taken_ - x.offset);
    auto room = kept_max - std::min(kept_max, unread_.size());
    auto count = std::min(x.input.size() - static_cast<size_t>(known), room);
    auto begin = x.input.begin() + known;
    unread_.insert(unread_.end(), begin, begin + static_cast<ptrdiff_t>(count));
    taken_ += count;
  }
  if (x.input_ends && x.offset + x.input.size() == taken_)
    input_ends_ = true;
  if (terminal_ && x.rows != 0 && input_) {
    winsize size{x.rows, x.columns, 0, 0};
    ::ioctl(input_.get(), TIOCSWINSZ, &size);
  }
  uint64_t one = 1;
  [[maybe_unused]] auto told = ::write(wake_.get(), &one, sizeof one);
  exec_news_msg out;
  out.output = first_of(output_.bytes);
  out.errors = first_of(errors_.bytes);
  out.taken = taken_;
  out.ended = ended_ && out.output.size() == output_.bytes.size()
              && out.errors.size() == errors_.bytes.size();
  out.exit_code = exit_code_;
  return out;
}

} // namespace troupe
