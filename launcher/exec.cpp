// troupe exec: a command beside a running task, with this terminal, or this input and output.
#include "actors/cluster/client.hpp"
#include "launcher/commands.hpp"
#include "launcher/filters.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/base/random.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <thread>

namespace troupe::launcher {

namespace {

constexpr size_t input_max = 64 << 10; // bytes in one message

// Every key goes to the command, and what it writes comes as it is, while this lives.
class raw_terminal {
public:
  raw_terminal() {
    if (::tcgetattr(0, &before_) != 0)
      return;
    auto raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(0, TCSADRAIN, &raw) == 0;
  }
  ~raw_terminal() {
    if (changed_)
      ::tcsetattr(0, TCSADRAIN, &before_);
  }
  raw_terminal(const raw_terminal&) = delete;
  raw_terminal& operator=(const raw_terminal&) = delete;

private:
  termios before_{};
  bool changed_ = false;
};

// A master that is new may not know the node again yet.
result<exec_news_msg> ask_patiently(client& cluster, const exec_io_msg& what) {
  constexpr int pause_ms = 100;
  constexpr int tries_max = 300;
  for (int i = 0;; ++i) {
    auto news = cluster.exec_io(what);
    if (news || news.error().code != errc::unavailable || i == tries_max)
      return news;
    ::poll(nullptr, 0, pause_ms);
  }
}

// Sends what this process reads, over a connection of its own, until its end or ours.
class input_feeder {
public:
  input_feeder(client& cluster, exec_io_msg to)
    : cluster_(cluster), next_(std::move(to)), stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { feed(); }) {}

  ~input_feeder() {
    uint64_t one = 1;
    [[maybe_unused]] auto told = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  input_feeder(const input_feeder&) = delete;
  input_feeder& operator=(const input_feeder&) = delete;

private:
  bool wait_for_input(int timeout_ms) {
    std::array<pollfd, 2> seen{{{stop_.get(), POLLIN, 0}, {0, POLLIN, 0}}};
    auto watched = timeout_ms < 0 ? seen.size() : 1u;
    while (::poll(seen.data(), watched, timeout_ms) < 0) {
    }
    return seen[0].revents == 0;
  }

  void feed() {
    std::array<uint8_t, input_max> bytes;
    while (!next_.input_ends && wait_for_input(-1)) {
      auto got = ::read(0, bytes.data(), bytes.size());
      next_.input_ends = got <= 0;
      next_.input.assign(bytes.begin(), bytes.begin() + std::max<ssize_t>(got, 0));
      if (!send())
        return;
    }
  }

  // Until all of it is taken: the command may be slow to read.
  bool send() {
    constexpr int pause_ms = 50;
    for (;;) {
      auto news = ask_patiently(cluster_, next_);
      if (!news || news->ended)
        return false;
      auto taken = static_cast<size_t>(news->taken - std::min(news->taken, next_.offset));
      next_.input.erase(next_.input.begin(), next_.input.begin() + static_cast<ptrdiff_t>(taken));
      next_.offset += taken;
      if (next_.input.empty())
        return true;
      if (!wait_for_input(pause_ms))
        return false;
    }
  }

  client& cluster_;
  exec_io_msg next_;
  owned_fd stop_;
  std::thread thread_;
};

void print(FILE* to, const std::vector<uint8_t>& bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), to);
  std::fflush(to);
}

// Prints what the command writes, until its end; its exit code.
result<int> show_output(client& cluster, exec_io_msg next) {
  next.wait = true;
  for (;;) {
    winsize size{};
    if (::ioctl(0, TIOCGWINSZ, &size) == 0) {
      next.rows = size.ws_row;
      next.columns = size.ws_col;
    }
    auto news = ask_patiently(cluster, next);
    if (!news)
      return news.error();
    print(stdout, news->output);
    print(stderr, news->errors);
    next.output_seen += news->output.size();
    next.errors_seen += news->errors.size();
    if (news->ended)
      return news->exit_code;
  }
}

// The task that is meant; of a job with one task, that.
result<named_task> choose_task(client& cluster, const exec_command& options) {
  if (options.task.empty()) {
    auto job = cluster.status(options.job);
    if (!job)
      return job.error();
    if (job->tasks.empty())
      return {errc::unavailable, "job " + std::to_string(options.job) + " has no tasks now"};
    return named_task{job->tasks.front()->type, static_cast<int32_t>(job->tasks.front()->index)};
  }
  auto meant = read_task(options.task);
  if (meant && meant->index < 0)
    meant->index = 0;
  return meant;
}

result<int> run(client& cluster, client& feeder, const exec_command& options) {
  auto meant = choose_task(cluster, options);
  if (!meant)
    return meant.error();
  exec_task_msg asked;
  asked.session = unforeseen_number();
  asked.job = options.job;
  asked.type = meant->type;
  asked.index = static_cast<uint32_t>(meant->index);
  asked.command = options.command.empty() ? std::vector<std::string>{"sh"} : options.command;
  asked.terminal = ::isatty(0) != 0 && ::isatty(1) != 0;
  auto started = cluster.exec(asked);
  if (!started)
    return started.error();
  exec_io_msg next;
  next.node = started->node;
  next.session = asked.session;
  std::unique_ptr<raw_terminal> raw;
  if (asked.terminal)
    raw = std::make_unique<raw_terminal>();
  input_feeder input{feeder, next};
  return show_output(cluster, next);
}

} // namespace

int exec(const shared_options& shared, const exec_command& options) {
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  auto feeder = client::connect(shared.directory);
  if (!feeder)
    return complain(feeder.error());
  auto code = run(**cluster, **feeder, options);
  return code ? *code : complain(code.error());
}

} // namespace troupe::launcher
