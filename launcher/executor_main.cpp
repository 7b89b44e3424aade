// troupe-executor: runs one task of a gang for its node's agent; task_executor.hpp is its contract.
//
// It is started by the agent, not by people, and must start in milliseconds: nothing heavy is
// linked, and it is a fork of a process that waits, loaded (fork_server.hpp).
#include "actors/jobs/task_executor.hpp"
#include "launcher/beside.hpp"
#include "launcher/fork_server.hpp"
#include "launcher/in_image.hpp"

#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>
#include <thread>

namespace troupe {
namespace {

constexpr auto usage
  = "troupe-executor --agent local:/path/agent.sock --agent-name NAME --job N --attempt N --type "
    "T\n"
    "  --index N --directory DIR --output DIR --log FILE [--cpus N] [--memory BYTES]\n"
    "  [--host ADDRESS] [--orphan-timeout SECONDS] [--timeout-ms N] [--grace-ms N]\n"
    "  [--framework NAME] [--accelerator NAME[=FILE]]... [--own-accelerator N]... [--user NAME] "
    "[--image NAME] [--mount PATH]... [--log-bytes N] [--trace-files 1]\n"
    "  -- command args...\n"
    "The agent starts it; it runs one task.\n";

template <class T>
result<void> read_number(const std::string& name, std::string_view text, T& out) {
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (code == std::errc{} && end == text.data() + text.size() && !text.empty())
    return {};
  return {errc::invalid, name + " " + std::string{text} + " is no number in range; give a count"};
}

result<void> read_seconds(const std::string& name, std::string_view text, duration& out) {
  uint32_t seconds = 0;
  TROUPE_TRY(read_number(name, text, seconds));
  out = std::chrono::seconds(seconds);
  return {};
}

result<void> read_framework(const std::string& name, framework& out) {
  for (auto each : EnumValuesframework())
    if (name == EnumNameframework(each)) {
      out = each;
      return {};
    }
  return {errc::invalid, "unknown framework '" + name + "'; update this node"};
}

result<void> read_option(const std::string& name, const std::string& value,
                         task_executor_options& out) {
  std::map<std::string, std::string*, std::less<>> texts{{"--agent", &out.agent_endpoint},
                                                         {"--agent-name", &out.agent_node},
                                                         {"--type", &out.type},
                                                         {"--directory", &out.task.directory},
                                                         {"--output", &out.output_directory},
                                                         {"--log", &out.task.log_file},
                                                         {"--host", &out.host},
                                                         {"--user", &out.task.user},
                                                         {"--image", &out.task.image.name}};
  if (auto found = texts.find(name); found != texts.end()) {
    *found->second = value;
    return {};
  }
  if (name == "--job")
    return read_number(name, value, out.job);
  if (name == "--attempt")
    return read_number(name, value, out.attempt);
  if (name == "--index")
    return read_number(name, value, out.index);
  if (name == "--cpus")
    return read_number(name, value, out.cpus_declared);
  if (name == "--memory")
    return read_number(name, value, out.task.memory);
  if (name == "--log-bytes")
    return read_number(name, value, out.task.log_bytes_max);
  if (name == "--trace-files") {
    out.task.trace_reads = value == "1";
    return {};
  }
  if (name == "--mount" || name == "--own-mount") {
    auto& image = out.task.image;
    (name == "--mount" ? image.mounts : image.own).push_back(value);
    return {};
  }
  if (name == "--accelerator") {
    auto equals = std::min(value.find('='), value.size());
    out.accelerators.push_back(
      {value.substr(0, equals), value.substr(std::min(equals + 1, value.size()))});
    return {};
  }
  if (name == "--own-accelerator")
    return read_number(name, value, out.own_accelerators.emplace_back());
  if (name == "--framework")
    return read_framework(value, out.framework);
  if (name == "--orphan-timeout")
    return read_seconds(name, value, out.orphan_timeout);
  if (name == "--timeout-ms" || name == "--grace-ms") {
    uint64_t ms = 0;
    TROUPE_TRY(read_number(name, value, ms));
    (name == "--timeout-ms" ? out.timeout : out.stop_grace) = std::chrono::milliseconds(ms);
    return {};
  }
  return {errc::invalid, "unknown option " + name + "; see --help"};
}

// Its name; empty when it has none.
std::string add_variable(std::string_view variable, std::map<std::string, std::string>& out) {
  auto equals = variable.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return {};
  std::string name{variable.substr(0, equals)};
  out[name] = variable.substr(equals + 1);
  return name;
}

result<task_executor_options> read_order(launcher::fork_order order) {
  task_executor_options out;
  for (char** each = ::environ; *each; ++each)
    add_variable(*each, out.task.environment);
  for (auto& each : order.environment)
    out.set_by_job.insert(add_variable(each, out.task.environment));
  auto& given = order.words;
  size_t i = 0;
  for (; i < given.size() && given[i] != "--"; i += 2) {
    if (i + 1 == given.size())
      return {errc::invalid, given[i] + " needs a value; see --help"};
    TROUPE_TRY(read_option(given[i], given[i + 1], out));
  }
  for (++i; i < given.size(); ++i)
    out.task.command.push_back(std::move(given[i]));
  for (auto* needed : {&out.agent_endpoint, &out.agent_node, &out.type, &out.task.directory,
                       &out.output_directory, &out.task.log_file})
    if (needed->empty())
      return {errc::invalid, "--agent, --agent-name, --type, --directory, --output and --log are "
                             "needed; see --help"};
  if (out.task.command.empty())
    return {errc::invalid, "no command was given; write it after --"};
  return out;
}

int fail_with(const error& why, int code) {
  std::fprintf(stderr, "troupe-executor: %s\n", why.text.c_str());
  return code;
}

int run(const task_guard& guard, launcher::fork_order order) {
  if (!order.words.empty() && order.words.front() == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  auto options = read_order(std::move(order));
  if (!options)
    return fail_with(options.error(), 2);
  // Blocked before the first thread starts, so that only the waiting thread takes them.
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1); // what flees from its group comes back to us
  system_clock time;
  task_executor executor{std::move(*options), time, guard};
  std::thread waiter{[&] {
    for (int number = 0; ::sigwait(&ends, &number) == 0;)
      executor.stop();
  }};
  auto code = executor.run();
  // Whoever was owed the exit has it: the threads and the actors need not be taken down one by one.
  ::_exit(code ? *code : fail_with(code.error(), 3));
}

int run_or_serve(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == launcher::beside_option)
    return launcher::run_beside(argc, argv);
  if (argc > 1 && std::string_view{argv[1]} == in_image_option)
    return launcher::run_in_image(argc, argv);
  ::mallopt(M_ARENA_MAX, 1); // a heap for each of the few threads would cost more than it gives
  auto guard = task_guard::start();
  if (!guard)
    return fail_with(guard.error(), 3);
  if (argc > 1 && std::string_view{argv[1]} == launcher::fork_server_option)
    return launcher::serve_forks(argc, argv, guard->process(), [&](launcher::fork_order order) {
      return run(*guard, std::move(order));
    });
  return run(*guard, {{argv + 1, argv + argc}, {}});
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  return troupe::run_or_serve(argc, argv);
}
