#include "actors/jobs/task_process.hpp"

#include "actors/jobs/accelerators.hpp"
#include "actors/jobs/process_list.hpp"
#include "actors/jobs/read_trace.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/log.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

namespace troupe {

// What run() holds while the command lives.
struct task_process::group : process_group {
  bool cut = false;     // the log reached its limit
  bool drained = false; // a process of it was asked to end
  bool terminated = false;
  bool killed = false;
  bool too_many = false; // it had more processes than it may
  std::unique_ptr<accelerator_meter> meter;
  std::unique_ptr<read_trace> reads;
  bool confined = false; // it was to enter a control group, once
  time_point measure_at;
};

namespace {

constexpr auto measure_first = std::chrono::seconds(1); // after the start
constexpr auto measure_every = std::chrono::seconds(5);

std::optional<control_group> make_group(const task_command& what) {
  group_limits limits{what.memory, what.cpus_declared, what.processes, {}};
  for (auto& each : what.denied_devices) {
    struct stat found {};
    if (::stat(each.c_str(), &found) == 0 && S_ISCHR(found.st_mode))
      limits.denied.push_back(found.st_rdev);
  }
  auto made = control_group::make(::getpid(), limits);
  if (made)
    return std::move(*made);
  log::info("the task has no control group", {{"reason", made.error().text}});
  if (!limits.denied.empty())
    log::warning("the task may open every accelerator", {{"reason", made.error().text}});
  return std::nullopt;
}

// What a process has to catch to be asked; 0: a request of a later version.
int signal_of(task_request x) {
  switch (x) {
  case task_request::checkpoint:
    return SIGUSR1;
  case task_request::dump_stacks:
    return SIGUSR2;
  case task_request::drain:
    return SIGTERM;
  case task_request::log_level:
    return SIGHUP;
  }
  return 0;
}

void write_level(log_level level, const std::string& path) {
  if (!write_regular_file(path, std::string{EnumNamelog_level(level)}.append("\n"), 0644))
    log::warning("no file for the log level", {{"path", path}});
}

std::set<pid_t> who_catches(int number, const std::vector<seen_process>& all) {
  std::set<pid_t> out;
  for (auto& each : all)
    if (each.catches(number))
      out.insert(each.id);
  return out;
}

// How many of the group listen to what they are asked, and were told. A process between fork and
// exec still shows the handlers of its parent, and would die of the signal: who listens still does
// so a moment later.
int ask_group(task_request what, const process_group& running) {
  constexpr int moment_ms = 50;
  auto number = signal_of(what);
  if (number == 0)
    return 0;
  auto listened = who_catches(number, processes_of_group(running.command));
  ::poll(nullptr, 0, listened.empty() ? 0 : moment_ms);
  int told = 0;
  for (auto& each : processes_of_group(running.command))
    if (!each.catches(number) && what == task_request::dump_stacks)
      write_all(running.log.get(), text_of_threads(each));
    else if (each.catches(number) && listened.contains(each.id))
      told += ::kill(each.id, number) == 0 ? 1 : 0;
  auto in_vain = what == task_request::checkpoint || what == task_request::drain;
  if (told == 0 && in_vain)
    write_all(running.log.get(), std::string{"[asked for: "}
                                   .append(EnumNametask_request(what))
                                   .append(", but no process of this task catches SIG")
                                   .append(::sigabbrev_np(number))
                                   .append("]\n"));
  return told;
}

task_exit read_status(int status, const std::string& log_file) {
  task_exit out;
  if (WIFSIGNALED(status)) {
    auto number = WTERMSIG(status);
    out.code = 128 + number;
    out.reason = "the command was ended by signal " + std::to_string(number) + " ("
                 + ::strsignal(number) + "); see its log " + log_file;
  } else if (out.code = WEXITSTATUS(status); out.code != 0) {
    out.reason = "the command ended with exit code " + std::to_string(out.code) + "; see its log "
                 + log_file;
  }
  return out;
}

} // namespace

task_process::task_process(const clock& time, const task_guard& guard)
  : time_(time), guard_(guard), metrics_(time), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  TROUPE_ASSERT(wake_);
}

void task_process::stop(duration grace) {
  {
    std::lock_guard hold{mutex_};
    auto at = time_.now() + std::max(grace, duration{});
    kill_at_ = kill_at_ ? std::min(*kill_at_, at) : at;
  }
  wake();
}

void task_process::request(task_request what, log_level level) {
  {
    std::lock_guard hold{mutex_};
    requests_.insert(what);
    if (what == task_request::log_level)
      level_ = level;
  }
  wake();
}

// The thread in watch(), which alone knows whether the group still lives.
void task_process::wake() {
  uint64_t one = 1;
  write_all(wake_.get(), {reinterpret_cast<const char*>(&one), sizeof one});
}

result<task_exit> task_process::run(const task_command& what,
                                    const std::function<void(int)>& started) {
  group running;
  {
    std::lock_guard hold{mutex_};
    if (kill_at_)
      return {errc::aborted, "the task was stopped before it started"};
  }
  if (what.memory > 0 || !what.denied_devices.empty())
    running.limits = make_group(what);
  TROUPE_TRY(launch_group(what, guard_, running));
  trace(running, what);
  metrics_.open(what.metrics_file);
  running.measure_at = time_.now() + measure_first;
  started(running.command);
  watch(running, what);
  metrics_.measure(running.command); // what it used stays to be seen until it is waited for
  if (running.meter)
    measure_accelerators(running, what);
  auto out = read_status(end_group(guard_, running), what.log_file);
  if (running.drained && out.code == 128 + SIGTERM)
    out = {};
  pump(running, what.log_bytes_max);
  read_metrics(running);
  metrics_.finish();
  paths_ = metrics_.take_paths();
  if (running.reads)
    paths_.opened = running.reads->stop(paths_.left_out);
  if (!what.image.name.empty() && out.code == exit_no_image)
    out.reason = "the image " + what.image.name + " cannot be entered; the log " + what.log_file
                 + " says why";
  if (running.limits && running.limits->ran_out_of_memory() && out.code != 0) {
    out.out_of_memory = true;
    out.reason = "the command used more than its " + std::to_string(what.memory >> 20)
                 + " MiB of memory and was killed; ask for more, or use less";
  }
  if (running.too_many)
    out.reason = "the command had more than " + std::to_string(what.processes)
                 + " processes and was killed; start fewer";
  std::lock_guard hold{mutex_};
  out.stopped = kill_at_.has_value();
  return out;
}

// Its first open waits until this was called.
void task_process::trace(group& running, const task_command& what) {
  if (running.opens)
    running.reads = std::make_unique<read_trace>(std::move(running.opens));
  else if (what.trace_reads)
    write_all(running.log.get(),
              "[the files that this task reads are not recorded: " + running.untraced + "]\n");
}

std::optional<time_point> task_process::killed_at() const {
  std::lock_guard hold{mutex_};
  return kill_at_;
}

void task_process::watch(group& running, const task_command& what) {
  for (;;) {
    enforce_requests(running, what.log_file);
    auto limit = measure(running, what);
    if (auto to_kill = enforce_stop(running); to_kill >= duration{})
      limit = std::min(limit, to_kill);
    auto wait_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit).count());
    std::array<pollfd, 4> seen{{{running.exited.get(), POLLIN, 0},
                                {running.output.get(), POLLIN, 0},
                                {running.metrics.get(), POLLIN, 0},
                                {wake_.get(), POLLIN, 0}}};
    if (::poll(seen.data(), seen.size(), wait_ms) < 0)
      continue;
    if (seen[1].revents)
      pump(running, what.log_bytes_max);
    if (seen[2].revents)
      read_metrics(running);
    if (seen[3].revents) {
      uint64_t count = 0;
      [[maybe_unused]] auto taken = ::read(wake_.get(), &count, sizeof count);
    }
    if (seen[0].revents)
      return;
  }
}

// Those of the task, wherever they fled: where this process is a subreaper, they are below it.
std::vector<pid_t> task_process::processes_of(const group& running) const {
  int adopts = 0;
  auto all = ::prctl(PR_GET_CHILD_SUBREAPER, &adopts) == 0 && adopts != 0;
  auto out = tree_of(all ? ::getpid() : running.command);
  std::erase_if(out, [&](auto id) { return id == ::getpid() || id == guard_.process(); });
  return out;
}

// A task that started outside a control group enters one; where there is none, it is counted.
void task_process::confine(group& running, const task_command& what) {
  if (running.limits)
    return;
  if (processes_of(running).size() > what.processes) {
    running.too_many = true;
    ::kill(-running.command, SIGKILL); // the others of it when this one has ended
  } else if (!std::exchange(running.confined, true)) {
    enter_group(running, what);
  }
}

void task_process::enter_group(group& running, const task_command& what) {
  running.limits = make_group(what);
  std::set<pid_t> taken;
  constexpr int rounds_max = 10; // for those that were started meanwhile
  for (int round = 0; running.limits && round < rounds_max; ++round) {
    auto before = taken.size();
    for (auto id : processes_of(running))
      if (taken.insert(id).second && !running.limits->take(id) && id == running.command) {
        log::warning("the task cannot be moved into its control group", {});
        running.limits.reset(); // so that it is counted
        return;
      } // another one has ended
    if (taken.size() == before)
      return;
  }
}

void task_process::measure_accelerators(group& running, const task_command& what) {
  if (what.accelerators.empty())
    return;
  if (!running.meter)
    running.meter = std::make_unique<accelerator_meter>(what.accelerators, measure_every);
  if (auto used = running.meter->newest())
    metrics_.add_usage(*used);
}

// Measures when it is time; returns how long until the next time.
duration task_process::measure(group& running, const task_command& what) {
  auto now = time_.now();
  if (now >= running.measure_at) {
    metrics_.measure(running.command);
    measure_accelerators(running, what);
    confine(running, what);
    running.measure_at = now + measure_every;
  }
  return running.measure_at - now;
}

// Sends what is due; returns how long until the next is, negative for never.
duration task_process::enforce_stop(group& running) {
  std::lock_guard hold{mutex_};
  if (!kill_at_ || running.killed)
    return duration{-1};
  if (!std::exchange(running.terminated, true))
    ::kill(-running.command, SIGTERM);
  auto left = *kill_at_ - time_.now();
  if (left > duration{})
    return left;
  running.killed = true;
  ::kill(-running.command, SIGKILL);
  return duration{-1};
}

void task_process::enforce_requests(group& running, const std::string& log_file) {
  std::set<task_request> due;
  log_level level{};
  {
    std::lock_guard hold{mutex_};
    due.swap(requests_);
    level = level_;
  }
  for (auto what : due) {
    if (what == task_request::log_level)
      write_level(level, log_level_file(log_file));
    auto told = ask_group(what, running);
    if (what == task_request::drain)
      running.drained = running.drained || told > 0;
  }
}

// Bounded per call, so that a chatty command cannot keep the loop from its exit or a stop.
void task_process::pump(group& running, uint64_t log_bytes_max) {
  std::array<char, 65536> bytes;
  for (int round = 0; round < 32 && running.output; ++round) {
    auto got = ::read(running.output.get(), bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (got <= 0)
      return running.output.close();
    auto room = log_bytes_max - std::min(log_bytes_max, running.logged);
    auto kept = std::min<uint64_t>(static_cast<uint64_t>(got), room);
    // A full disk costs the log, not the task.
    write_all(running.log.get(), {bytes.data(), kept});
    running.logged += kept;
    if (kept < static_cast<uint64_t>(got) && !std::exchange(running.cut, true))
      write_all(running.log.get(), "\n[the log was cut here: it reached its limit of "
                                     + std::to_string(log_bytes_max) + " bytes]\n");
  }
}

void task_process::read_metrics(group& running) {
  std::array<char, 4096> bytes;
  for (int round = 0; round < 32 && running.metrics; ++round) {
    auto got = ::read(running.metrics.get(), bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (got <= 0)
      return running.metrics.close();
    metrics_.read({bytes.data(), static_cast<size_t>(got)});
  }
}

std::string log_level_file(const std::string& log_file) {
  return std::filesystem::path{log_file}.replace_extension(".level").string();
}

} // namespace troupe
