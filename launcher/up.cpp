// up and down: a cluster of processes on this machine; key: who may join it from another one.
#include "actors/cluster/client.hpp"
#include "launcher/background.hpp"
#include "launcher/commands.hpp"
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
  if (!options.capacity.task_user.empty())
    command.insert(command.end(), {"--task-user", options.capacity.task_user});
  for (auto& label : options.capacity.labels)
    command.insert(command.end(), {"--label", label});
  if (!options.address.empty())
    command.insert(command.end(),
                   {"--address", options.address.substr(0, options.address.find(':'))});
  return command;
}

// Waits until `count` nodes are alive, or a process has ended, or the limit.
result<void> wait_ready(const std::string& directory, uint32_t count) {
  auto started = std::chrono::steady_clock::now();
  std::unique_ptr<client> cluster;
  while (std::chrono::steady_clock::now() - started < start_limit) {
    if (background_processes(directory).size() < count + 1)
      return {errc::internal,
              "a process of the cluster ended; its reason is in " + directory + "/logs"};
    if (!cluster)
      if (auto made = client::connect(directory, std::chrono::milliseconds(200)))
        cluster = std::move(*made);
    if (cluster) {
      auto now = cluster->cluster();
      auto alive = now ? std::count_if(now->nodes.begin(), now->nodes.end(),
                                       [](auto& n) { return n->alive; })
                       : 0;
      if (alive >= count)
        return {};
    }
    ::poll(nullptr, 0, 20);
  }
  return {errc::deadline, "the nodes did not register within "
                            + std::to_string(std::chrono::seconds(start_limit).count()) + " s; see "
                            + directory + "/logs"};
}

void end_all(const std::string& directory, int signal) {
  for (auto& each : background_processes(directory))
    ::kill(each.pid, signal);
}

int start_all(const shared_options& shared, const up_options& options) {
  std::vector<std::string> command{shared.program, "--dir", shared.directory, "master"};
  if (!options.address.empty())
    command.insert(command.end(), {"--address", options.address});
  if (!options.metrics.empty())
    command.insert(command.end(), {"--metrics", options.metrics});
  if (!options.grow_after.empty())
    command.insert(command.end(), {"--grow-after", options.grow_after});
  if (auto master = start_background(shared.directory, "master", command); !master)
    return complain(master.error());
  for (uint32_t i = 1; i <= options.nodes; ++i) {
    auto name = "node-" + std::to_string(i);
    if (auto node = start_background(shared.directory, name, node_command(shared, options, name));
        !node)
      return complain(node.error());
  }
  auto ready = wait_ready(shared.directory, options.nodes);
  return ready ? 0 : complain(ready.error());
}

} // namespace

int up(const shared_options& shared, const up_options& options) {
  if (auto made = make_directory(shared.directory); !made)
    return complain(made.error());
  if (auto left = background_processes(shared.directory); !left.empty())
    return complain({errc::already_exists, "a cluster runs in " + shared.directory + " (process "
                                             + std::to_string(left.front().pid)
                                             + "); end it with: troupe down --dir "
                                             + shared.directory});
  if (auto code = start_all(shared, options); code != 0) {
    end_all(shared.directory, SIGTERM);
    if (!wait_gone(shared.directory, stop_limit))
      end_all(shared.directory, SIGKILL);
    return code;
  }
  if (shared.json)
    std::printf("{\"directory\": \"%s\", \"nodes\": %u}\n", shared.directory.c_str(),
                options.nodes);
  else
    std::printf("cluster of %u nodes in %s\n", options.nodes, shared.directory.c_str());
  return 0;
}

int down(const shared_options& shared) {
  std::error_code ignored;
  if (background_processes(shared.directory).empty()) {
    fs::remove(shared.directory + "/master.sock", ignored); // of one that could not clean up
    fs::remove(shared.directory + "/run/master.pid", ignored);
    return complain({errc::unavailable, "no cluster runs in " + shared.directory});
  }
  // Asked nicely, the master tells its nodes; whoever is left is told by signal.
  if (auto cluster = client::connect(shared.directory)) {
    [[maybe_unused]] auto asked = (*cluster)->stop_cluster();
  }
  end_all(shared.directory, SIGTERM);
  if (!wait_gone(shared.directory, stop_limit)) {
    end_all(shared.directory, SIGKILL);
    if (!wait_gone(shared.directory, stop_limit))
      return complain({errc::internal, "processes of " + shared.directory + " do not end"});
  }
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
