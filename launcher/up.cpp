// up and down: a master on this machine, its nodes here or in an allocation of Slurm; key: who may
// join it from another machine.
#include "actors/cluster/client.hpp"
#include "launcher/background.hpp"
#include "launcher/commands.hpp"
#include "launcher/slurm.hpp"
#include "runtime/keys.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr auto start_limit = std::chrono::seconds(20);
constexpr auto stop_limit = std::chrono::seconds(20);

result<void> make_directory(const std::string& directory) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    return {errc::invalid,
            "cannot make " + directory + ": " + failed.message() + "; choose another with --dir"};
  ::chmod(directory.c_str(), 0700);
  return {};
}

std::vector<std::string> node_command(const shared_options& shared, const up_options& options,
                                      const std::string& name) {
  std::vector<std::string> command{shared.program, "--dir",  shared.directory,
                                   "node",         "--name", name};
  auto add = [&](const char* option, uint64_t value) {
    if (value != 0)
      command.insert(command.end(), {option, std::to_string(value)});
  };
  add("--cpus", options.capacity.cpus);
  add("--memory", options.capacity.memory);
  add("--accelerators", options.capacity.accelerators);
  for (auto& label : options.capacity.labels)
    command.insert(command.end(), {"--label", label});
  if (!options.address.empty())
    command.insert(command.end(),
                   {"--address", options.address.substr(0, options.address.find(':'))});
  return command;
}

// The nodes of that prefix which the cluster sees alive; none while no master answers.
int64_t alive_nodes(const std::string& directory, const std::string& prefix,
                    std::unique_ptr<client>& cluster) {
  constexpr auto patience = std::chrono::milliseconds(200);
  if (!cluster)
    if (auto made = client::connect(directory, patience))
      cluster = std::move(*made);
  if (!cluster)
    return -1;
  auto now = cluster->cluster();
  if (!now)
    return -1;
  return std::count_if(now->nodes.begin(), now->nodes.end(),
                       [&](auto& n) { return n->alive && n->name.starts_with(prefix); });
}

// Waits until `count` nodes are alive, or a process has ended, or the limit.
result<void> wait_ready(const std::string& directory, uint32_t count) {
  auto started = std::chrono::steady_clock::now();
  std::unique_ptr<client> cluster;
  while (std::chrono::steady_clock::now() - started < start_limit) {
    if (background_processes(directory).size() < count + 1)
      return {errc::internal,
              "a process of the cluster ended; its reason is in " + directory + "/logs"};
    if (alive_nodes(directory, "", cluster) >= count)
      return {};
    ::poll(nullptr, 0, 20);
  }
  return {errc::deadline, "the nodes did not register within "
                            + std::to_string(std::chrono::seconds(start_limit).count()) + " s; see "
                            + directory + "/logs"};
}

// Waits until the nodes of the allocation have joined: as long as Slurm's queue is, so there is no
// limit but the allocation's end.
result<void> wait_joined(const std::string& directory, uint32_t count) {
  constexpr auto ask_slurm_every = std::chrono::seconds(2); // it has others to answer
  auto asked = std::chrono::steady_clock::now();
  std::unique_ptr<client> cluster;
  while (alive_nodes(directory, slurm_node_prefix, cluster) < count) {
    ::poll(nullptr, 0, 100);
    if (std::chrono::steady_clock::now() - asked < ask_slurm_every)
      continue;
    asked = std::chrono::steady_clock::now();
    if (background_processes(directory).empty())
      return {errc::internal, "the master ended; its reason is in " + directory + "/logs"};
    auto now = find_allocation(directory);
    if (now && now->ended)
      return end_of_allocation(directory, *now);
  }
  return {};
}

void end_all(const std::string& directory, int signal) {
  for (auto& each : background_processes(directory))
    ::kill(each.pid, signal);
}

void end_processes(const std::string& directory) {
  end_all(directory, SIGTERM);
  if (!wait_gone(directory, stop_limit))
    end_all(directory, SIGKILL);
  std::error_code ignored;
  fs::remove_all(directory + "/run", ignored); // or it would look as if the cluster had died
}

result<void> start_head(const shared_options& shared, const up_options& options) {
  std::vector<std::string> command{shared.program, "--dir", shared.directory, "master"};
  if (!options.address.empty())
    command.insert(command.end(), {"--address", options.address});
  if (!options.metrics.empty())
    command.insert(command.end(), {"--metrics", options.metrics});
  auto master = start_background(shared.directory, "master", command);
  return master ? result<void>{} : master.error();
}

result<void> start_all(const shared_options& shared, const up_options& options) {
  TROUPE_TRY(start_head(shared, options));
  for (uint32_t i = 1; i <= options.nodes; ++i) {
    auto name = "node-" + std::to_string(i);
    if (auto node = start_background(shared.directory, name, node_command(shared, options, name));
        !node)
      return node.error();
  }
  return wait_ready(shared.directory, options.nodes);
}

result<void> start_in_slurm(const shared_options& shared, const up_options& given) {
  auto options = given;
  if (options.address.empty()) {
    auto address = address_in_slurm();
    if (!address)
      return address.error();
    options.address = *address;
  }
  if (background_processes(shared.directory).empty()) {
    TROUPE_TRY(start_head(shared, options));
    TROUPE_TRY(wait_ready(shared.directory, 0));
  }
  TROUPE_TRY(submit_allocation(shared, options));
  return options.slurm.wait ? wait_joined(shared.directory, options.nodes) : result<void>{};
}

// Whether what runs in the directory leaves room for what is asked.
result<void> check_free(const shared_options& shared, const up_options& options) {
  auto now = find_allocation(shared.directory);
  auto left = background_processes(shared.directory);
  auto mend = "; end it with: troupe down --dir " + shared.directory;
  if (!now)
    return now.error();
  if (!now->job.empty() && !now->ended)
    return {errc::already_exists, "allocation " + now->job + " of the cluster in "
                                    + shared.directory + " is " + now->state + mend};
  if (!left.empty() && !(options.slurm.used && !now->job.empty()))
    return {errc::already_exists, "a cluster runs in " + shared.directory + " (process "
                                    + std::to_string(left.front().pid) + ")" + mend};
  return {};
}

void tell_started(const shared_options& shared, const up_options& options) {
  auto now = options.slurm.used ? find_allocation(shared.directory) : allocation{};
  auto job = now ? now->job : std::string{};
  auto* directory = shared.directory.c_str();
  if (shared.json)
    std::printf(job.empty() ? "{\"directory\": \"%s\", \"nodes\": %u}\n"
                            : "{\"directory\": \"%s\", \"nodes\": %u, \"allocation\": \"%s\"}\n",
                directory, options.nodes, job.c_str());
  else if (job.empty() || options.slurm.wait)
    std::printf("cluster of %u nodes in %s\n", options.nodes, directory);
  else
    std::printf("cluster in %s: its %u nodes join when allocation %s starts, which is %s\n",
                directory, options.nodes, job.c_str(), now->state.c_str());
}

} // namespace

int up(const shared_options& shared, const up_options& options) {
  if (auto made = make_directory(shared.directory); !made)
    return complain(made.error());
  if (auto free = check_free(shared, options); !free)
    return complain(free.error());
  auto ran = !background_processes(shared.directory).empty();
  auto started = options.slurm.used ? start_in_slurm(shared, options) : start_all(shared, options);
  if (!started) {
    [[maybe_unused]] auto cancelled = cancel_allocation(shared.directory);
    if (!ran)
      end_processes(shared.directory);
    return complain(started.error());
  }
  tell_started(shared, options);
  return 0;
}

int down(const shared_options& shared) {
  std::error_code ignored;
  auto ran = !background_processes(shared.directory).empty();
  // Asked nicely, the master tells its nodes; whoever is left is told by signal.
  if (ran)
    if (auto cluster = client::connect(shared.directory)) {
      [[maybe_unused]] auto asked = (*cluster)->stop_cluster();
    }
  auto cancelled = cancel_allocation(shared.directory);
  if (!ran) {
    fs::remove(shared.directory + "/master.sock", ignored); // of one that could not clean up
    fs::remove(shared.directory + "/run/master.pid", ignored);
  }
  if (!ran && cancelled && !*cancelled)
    return complain({errc::unavailable, "no cluster runs in " + shared.directory});
  end_all(shared.directory, SIGTERM);
  if (!wait_gone(shared.directory, stop_limit)) {
    end_all(shared.directory, SIGKILL);
    if (!wait_gone(shared.directory, stop_limit))
      return complain({errc::internal, "processes of " + shared.directory + " do not end"});
  }
  if (!cancelled)
    return complain(cancelled.error());
  fs::remove_all(shared.directory + "/run", ignored);
  if (!shared.json)
    std::printf("the cluster in %s is down\n", shared.directory.c_str());
  return 0;
}

int add_key(const shared_options& shared, const std::string& name) {
  auto& directory = shared.directory;
  if (!fs::exists(directory + "/keys"))
    return complain({errc::unavailable, "there is no cluster in " + directory
                                          + "; start one with: troupe up --dir " + directory});
  if (auto made = make_keys(directory, name); !made && made.error().code != errc::already_exists)
    return complain(made.error());
  auto secret = directory + "/keys/" + name + ".secret";
  auto master = directory + "/keys/authorized/master.public";
  if (shared.json)
    std::printf("{\"secret\": \"%s\", \"master\": \"%s\"}\n", secret.c_str(), master.c_str());
  else
    std::printf(
      "copy %s and %s\nto the other machine, below its --dir, and delete the first here\n",
      secret.c_str(), master.c_str());
  return 0;
}

} // namespace troupe::launcher
