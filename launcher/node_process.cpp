// The node process: the agent, and the executors it starts.
#include "actors/cluster/node_agent.hpp"
#include "launcher/executors.hpp"
#include "launcher/machine.hpp"
#include "launcher/processes.hpp"
#include "launcher/role_system.hpp"
#include "runtime/metrics.hpp"
#include "runtime/zmq_transport.hpp"

#include <caf/all.hpp>

#include <filesystem>

namespace troupe::launcher {

namespace {

class node_role final : public running_role {
public:
  result<void> start(const shared_options& shared, const node_options& options,
                     const end_callback& on_end) {
    auto endpoint = "local:" + shared.directory + "/agent-" + options.name + ".sock";
    auto address = address_of(options);
    if (!address)
      return address.error();
    executors = make_executors(
      {std::filesystem::path{shared.program}.parent_path() / "troupe-executor", options.name,
       endpoint, shared.directory + "/executors/" + options.name, *address});
    net = std::make_unique<role_system>(options.name, [this](const node_link_changed& x) {
      std::lock_guard guard{mutex};
      if (actor)
        caf::anon_send(actor, x);
    });
    TROUPE_TRY(net->link.attach(*net->local));
    agent_ports ports;
    auto found = machine_capacity();
    ports.options.name = options.name;
    ports.options.capacity = {options.capacity.cpus != 0 ? options.capacity.cpus : found.cpus,
                              options.capacity.memory != 0 ? options.capacity.memory : found.memory,
                              options.capacity.accelerators};
    ports.options.incarnation = static_cast<uint64_t>(net->time.wall_ns());
    ports.link = &net->link;
    ports.executors = executors.get();
    ports.on_stop = [on_end] { on_end(nullptr); };
    auto spawned = spawn_node_agent(net->system, std::move(ports));
    {
      std::lock_guard guard{mutex};
      actor = spawned;
    }
    net->hold(caf::actor_cast<caf::actor>(spawned), on_end);
    net->link.publish<agent_api>("agent", spawned);
    net->link.publish<agent_executor_api>("agent/executors", spawned);
    auto listening = net->local->listen(endpoint);
    if (!listening)
      return listening.error();
    if (!options.metrics.empty()) {
      auto opened = metrics_endpoint::open(options.metrics,
                                           [this] { return families_of(net->link.statistics()); });
      if (!opened)
        return opened.error();
      metrics = std::move(*opened);
    }
    if (options.join.empty()) {
      net->link.keep_connected(*net->local, "local:" + shared.directory + "/master.sock");
      return {};
    }
    remote = make_zmq_transport({shared.directory, options.name, "master"});
    TROUPE_TRY(net->link.attach(*remote));
    net->link.keep_connected(*remote, "tcp://" + options.join);
    return {};
  }

  bool leave() override {
    std::lock_guard guard{mutex};
    caf::anon_send(actor, leave_cluster{});
    return true;
  }

private:
  static result<std::string> address_of(const node_options& options) {
    if (!options.address.empty())
      return options.address;
    return options.join.empty() ? std::string{"127.0.0.1"} : address_towards(options.join);
  }

  std::unique_ptr<executor_launcher> executors;
  std::mutex mutex;
  node_agent actor;
  std::unique_ptr<transport> remote; // outlives the bridge that uses it
  std::unique_ptr<role_system> net;
  std::unique_ptr<metrics_endpoint> metrics;
};

} // namespace

result<std::unique_ptr<running_role>> start_node(const shared_options& shared,
                                                 const node_options& options, end_callback on_end) {
  auto valid
    = !options.name.empty()
      && options.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789._-")
           == std::string::npos;
  if (!valid)
    return {errc::invalid,
            "'" + options.name + "' is no node name; use letters, digits, '.', '_' and '-'"};
  auto role = std::make_unique<node_role>();
  TROUPE_TRY(role->start(shared, options, on_end));
  return std::unique_ptr<running_role>{std::move(role)};
}

} // namespace troupe::launcher
