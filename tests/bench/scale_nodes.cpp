// Many nodes in one process: each is the real agent with a bridge and a link of its own, and
// declares CPUS cpus. Only the executors are not there: a task that is started registers and runs
// at once, until it is stopped; the program "true" ends by itself.
//   scale_nodes DIR FIRST COUNT CPUS HEARTBEAT_MS
// For each line on its standard input it prints "<nodes that are registered> <tasks that were
// started> <tasks that run>"; it ends with its standard input.
#include "actors/cluster/inventory.hpp"
#include "actors/cluster/node_agent.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "tests/bench/shared_transport.hpp"
#include "tests/support/no_packages.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace troupe::bench {

class no_executors;

// A task was ordered: its agent hears of an executor.
struct executor_begins {
  no_executors* launcher = nullptr;
  start_task_msg order;
  int process = 0;
};

} // namespace troupe::bench

template <>
struct caf::allowed_unsafe_message_type<troupe::bench::executor_begins> : std::true_type {};

namespace troupe::bench {
constexpr auto patience = std::chrono::seconds{3600}; // until a gang is complete

struct counters {
  std::atomic<int> links = 0; // of nodes to the master
  std::atomic<int> started = 0;
  std::atomic<int> running = 0;
};

class no_executors final : public executor_launcher {
public:
  no_executors(caf::actor all, counters& seen) : all_(std::move(all)), seen_(seen) {}

  result<int> start(const start_task_msg& order) override {
    ++seen_.started;
    ++seen_.running;
    caf::anon_send(all_, executor_begins{this, order, ++last_});
    return last_;
  }
  void end(int process, bool) override { ended(process, 143); }
  std::vector<ended_executor> collect() override {
    std::lock_guard guard{mutex_};
    return std::exchange(ended_, {});
  }
  std::vector<std::pair<start_task_msg, int>> left_running() override { return {}; }
  void remember(const start_task_msg&) override {}
  std::vector<start_task_msg> left_waiting() override { return {}; }
  void forget(const task_id_msg&) override {}

  // From any thread. The agent looks at once, as when the link of an executor ends.
  void ended(int process, int code) {
    {
      std::lock_guard guard{mutex_};
      ended_.push_back({process, code});
    }
    --seen_.running;
    caf::anon_send(agent, node_link_changed{"executor", false});
  }

  node_agent agent;

private:
  caf::actor all_;
  counters& seen_;
  int last_ = 0;
  std::mutex mutex_; // guards ended_
  std::vector<ended_executor> ended_;
};

namespace {

// The gang is complete, or the task is to end.
void run_command(caf::event_based_actor* self, const executor_begins& x,
                 const executor_orders_msg& orders) {
  if (!orders.spec)
    return;
  auto ends = x.order.command.front() == "true";
  executor_report_msg out;
  out.report = std::make_unique<task_report_msg>();
  out.report->task = std::make_unique<task_id_msg>(*x.order.task);
  out.report->state = ends ? task_state::succeeded : task_state::running;
  self->request(x.launcher->agent, patience, std::move(out))
    .then(
      [x, ends](const executor_orders_msg&) {
        if (ends)
          x.launcher->ended(x.process, 0);
      },
      [](caf::error&) {});
}

// What the executors of all nodes do.
caf::behavior executors(caf::event_based_actor* self) {
  return {[self](const executor_begins& x) {
    executor_register_msg mine;
    mine.task = std::make_unique<task_id_msg>(*x.order.task);
    mine.pid = static_cast<uint32_t>(x.process);
    mine.host = std::string{"127.0.0.1"};
    mine.port = static_cast<uint16_t>(1024 + x.process % 60'000);
    self->request(x.launcher->agent, patience, std::move(mine))
      .then([self, x](const executor_orders_msg& orders) { run_command(self, x, orders); },
            [](caf::error&) {});
  }};
}

struct node {
  node(caf::actor_system& system, const caf::actor& all, counters& seen, const std::string& name,
       duration heartbeat, transport& carrier)
    : launcher(all, seen),
      link(system, options_of(name, heartbeat),
           {[this, &seen](const peer& who) { tell(seen, who, true); },
            [this, &seen](const peer& who, const error&) { tell(seen, who, false); }}) {
    [[maybe_unused]] auto attached = link.attach(carrier);
  }

  static bridge_options options_of(const std::string& name, duration heartbeat) {
    bridge_options options;
    options.name = name;
    options.heartbeat = heartbeat;
    options.silence_max = 6 * heartbeat;
    options.tick = std::chrono::seconds{1}; // of 2,500 bridges
    return options;
  }

  void tell(counters& seen, const peer& who, bool up) {
    seen.links += up ? 1 : -1;
    caf::anon_send(launcher.agent, node_link_changed{who.name, up});
  }

  no_executors launcher;
  bridge link;
};

int run(const std::string& directory, int first, int count, uint32_t cpus, duration heartbeat) {
  log::set_level(log::level::off);
  caf::actor_system_config config;
  caf::actor_system system{with_threads(config, 2)};
  shared_transport carrier;
  if (!carrier.start())
    return 1;
  counters seen;
  testing::empty_cache packages;
  auto all = system.spawn(executors);
  std::vector<std::unique_ptr<node>> nodes;
  for (int i = first; i < first + count; ++i) {
    agent_ports ports;
    ports.options.name = std::string{"n"}.append(std::to_string(i));
    ports.options.capacity = {cpus, 0, 0};
    ports.options.incarnation = 1;
    ports.options.executor_silence = patience; // they say nothing while they run
    auto& part = carrier.add();
    nodes.push_back(std::make_unique<node>(system, all, seen, ports.options.name, heartbeat, part));
    auto& made = *nodes.back();
    ports.link = &made.link;
    ports.executors = &made.launcher;
    ports.packages = &packages;
    ports.tick = std::chrono::seconds{1}; // of 2,500 agents
    ports.report_every = std::max(ports.report_every, heartbeat);
    made.launcher.agent = spawn_node_agent(system, std::move(ports));
    made.link.publish<agent_api>("agent", made.launcher.agent);
    made.link.keep_connected(part, "local:" + directory + "/master.sock");
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%d %d %d\n", seen.links.load(), seen.started.load(), seen.running.load());
    std::fflush(stdout);
  }
  std::_Exit(0); // all of it at once, as when machines die
}

} // namespace
} // namespace troupe::bench

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "scale_nodes: say DIR FIRST COUNT CPUS HEARTBEAT_MS\n");
    return 2;
  }
  return troupe::bench::run(argv[1], std::atoi(argv[2]), std::atoi(argv[3]),
                            static_cast<uint32_t>(std::atoi(argv[4])),
                            std::chrono::milliseconds{std::atoi(argv[5])});
}
