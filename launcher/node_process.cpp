// The node process: the agent, and the executors it starts.
#include "actors/cluster/node_agent.hpp"
#include "actors/jobs/accelerators.hpp"
#include "actors/jobs/task_image.hpp"
#include "actors/jobs/task_user.hpp"
#include "actors/packages/disk_package_cache.hpp"
#include "launcher/executors.hpp"
#include "launcher/machine.hpp"
#include "launcher/node_life.hpp"
#include "launcher/processes.hpp"
#include "launcher/role_system.hpp"
#include "runtime/keys.hpp"

#include <caf/all.hpp>

#include <cstdlib>
#include <filesystem>

namespace troupe::launcher {

namespace {

class node_role final : public running_role {
public:
  ~node_role() override {
    if (packages)
      packages->stop(); // while there is an actor to tell
  }

  result<void> start(const shared_options& shared, const node_options& options,
                     const end_callback& on_end) {
    auto endpoint = "local:" + shared.directory + "/agent-" + options.name + ".sock";
    auto address = address_of(options);
    if (!address)
      return address.error();
    auto found = machine_capacity();
    auto* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    auto accelerators
      = machine_accelerators(visible ? std::optional<std::string>{visible} : std::nullopt);
    resources capacity{options.capacity.cpus != 0 ? options.capacity.cpus : found.cpus,
                       options.capacity.memory != 0 ? options.capacity.memory : found.memory,
                       options.capacity.accelerators.value_or(accelerators.size())};
    if (!options.capacity.task_user.empty())
      TROUPE_TRY(find_task_user(options.capacity.task_user));
    TROUPE_TRY(open_packages(shared.directory + "/nodes/" + options.name, master_host(options)));
    auto executor = std::filesystem::path{shared.program}.parent_path() / "troupe-executor";
    executors = make_executors({executor, options.name, endpoint,
                                shared.directory + "/executors/" + options.name + ".journal",
                                *address, options.capacity.task_user, std::move(accelerators)},
                               *work);
    auto heartbeat = heartbeat_of(options.heartbeat);
    if (!heartbeat)
      return heartbeat.error();
    net = std::make_unique<role_system>(options.name, *heartbeat);
    TROUPE_TRY(net->link.attach(*net->local));
    agent_ports ports;
    ports.options.name = options.name;
    ports.options.capacity = capacity;
    ports.options.labels = options.capacity.labels;
    auto& kept = ports.options.packages.bytes_max;
    kept = options.capacity.package_cache.value_or(kept);
    if (can_enter_images())
      ports.options.labels.emplace_back(images_label);
    auto life
      = begin_life(shared.directory + "/executors/" + options.name + ".life", net->time.wall_ns());
    if (!life)
      return life.error();
    ports.options.incarnation = *life;
    ports.report_every = std::max(ports.report_every, *heartbeat);
    ports.link = &net->link;
    ports.executors = executors.get();
    ports.packages = packages.get();
    ports.exec_program = executor;
    ports.exec_user = options.capacity.task_user;
    ports.on_stop = [on_end] { on_end(nullptr); };
    actor = spawn_node_agent(net->system, std::move(ports));
    net->hold(caf::actor_cast<caf::actor>(actor), on_end);
    net->link.publish<agent_api>("agent", actor);
    net->link.publish<agent_executor_api>("agent/executors", actor);
    auto listening = net->local->listen(endpoint);
    if (!listening)
      return listening.error();
    TROUPE_TRY(
      net->serve_metrics(options.metrics, [this] { return families_of(net->link.statistics()); }));
    if (options.join.empty()) {
      net->link.keep_connected(*net->local, "local:" + shared.directory + "/master.sock");
      return {};
    }
    TROUPE_TRY(net->attach_remote(shared.directory));
    net->link.keep_connected(*net->remote, "tcp://" + options.join);
    return {};
  }

  bool leave() override {
    caf::anon_send(actor, leave_cluster{});
    return true;
  }

private:
  result<void> open_packages(const std::string& own, const std::string& master) {
    remover = std::make_unique<storage::tree_remover>(own + "/removed");
    disk_package_cache_options cached;
    cached.directory = own + "/packages";
    cached.master_host = master;
    auto cache = open_package_cache(std::move(cached), *remover);
    if (!cache)
      return cache.error();
    packages = std::move(*cache);
    work = std::make_unique<work_directories>(own + "/work", own + "/packages", *remover);
    return {};
  }

  static result<std::string> address_of(const node_options& options) {
    if (!options.address.empty())
      return launcher::address_of(options.address);
    return options.join.empty() ? std::string{"127.0.0.1"} : address_towards(options.join);
  }

  static std::string master_host(const node_options& options) {
    return options.join.substr(0, options.join.rfind(':'));
  }

  std::unique_ptr<storage::tree_remover> remover; // used by the next three
  std::unique_ptr<package_cache> packages;
  std::unique_ptr<work_directories> work;
  std::unique_ptr<executor_launcher> executors;
  std::unique_ptr<role_system> net; // ends before its executors
  node_agent actor;
};

} // namespace

result<std::unique_ptr<running_role>> start_node(const shared_options& shared,
                                                 const node_options& options, end_callback on_end) {
  if (!is_key_name(options.name))
    return {errc::invalid, "'" + options.name
                             + "' is no node name; use 1 to 64 letters, digits, '.', '_' and '-'"};
  auto role = std::make_unique<node_role>();
  TROUPE_TRY(role->start(shared, options, on_end));
  return std::unique_ptr<running_role>{std::move(role)};
}

} // namespace troupe::launcher
