#include "launcher/wait_nodes.hpp"

#include "actors/cluster/client.hpp"
#include "launcher/background.hpp"
#include "launcher/hosts.hpp"
#include "launcher/slurm.hpp"

#include <poll.h>

#include <algorithm>
#include <memory>

namespace troupe::launcher {
namespace {

// Asks a cluster that starts, or whose master may be away, which of its nodes are alive.
class watcher {
public:
  explicit watcher(std::string directory) : directory_(std::move(directory)) {}

  // Nothing while no master answers.
  std::optional<std::set<std::string>> alive() {
    constexpr auto patience = std::chrono::milliseconds(200);
    if (!cluster_)
      if (auto made = client::connect(directory_, patience))
        cluster_ = std::move(*made);
    auto now = cluster_ ? cluster_->cluster()
                        : result<cluster_status_msg>{errc::unavailable, "no master answers"};
    if (!now)
      return std::nullopt;
    std::set<std::string> names;
    for (auto& each : now->nodes)
      if (each->alive)
        names.insert(each->name);
    return names;
  }

private:
  std::string directory_;
  std::unique_ptr<client> cluster_;
};

} // namespace

std::optional<std::set<std::string>> alive_nodes(const std::string& directory) {
  return watcher{directory}.alive();
}

result<void> wait_ready(const std::string& directory, uint32_t count) {
  auto started = std::chrono::steady_clock::now();
  watcher cluster{directory};
  while (std::chrono::steady_clock::now() - started < start_limit) {
    if (background_processes(directory).size() < count + 1)
      return {errc::internal,
              "a process of the cluster ended; its reason is in " + directory + "/logs"};
    if (auto alive = cluster.alive(); alive && alive->size() >= count)
      return {};
    ::poll(nullptr, 0, 20);
  }
  return {errc::deadline, "the nodes did not register within "
                            + std::to_string(std::chrono::seconds(start_limit).count()) + " s; see "
                            + directory + "/logs"};
}

result<void> wait_allocation(const std::string& directory, uint32_t count) {
  constexpr auto ask_slurm_every = std::chrono::seconds(2); // it has others to answer
  auto asked = std::chrono::steady_clock::now();
  watcher cluster{directory};
  for (;;) {
    auto alive = cluster.alive();
    auto is_ours = [](auto& name) { return name.starts_with(slurm_node_prefix); };
    if (alive && std::count_if(alive->begin(), alive->end(), is_ours) >= count)
      return {};
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
}

result<void> wait_hosts(const std::string& directory, const std::vector<host_entry>& hosts,
                        std::chrono::seconds limit) {
  auto started = std::chrono::steady_clock::now();
  watcher cluster{directory};
  auto missing = hosts.begin();
  while (std::chrono::steady_clock::now() - started < limit) {
    auto alive = cluster.alive();
    missing = alive ? std::find_if(hosts.begin(), hosts.end(),
                                   [&](auto& host) { return !alive->contains(host.name); })
                    : hosts.begin();
    if (missing == hosts.end())
      return {};
    ::poll(nullptr, 0, 50);
  }
  auto said = last_words(directory, *missing);
  return {errc::deadline, "the node of host " + missing->target + " did not join within "
                            + std::to_string(limit.count()) + " s; it has to reach this machine at "
                            + endpoint_of(directory)
                            + " (see --address), and said: " + (said.empty() ? "nothing" : said)};
}

} // namespace troupe::launcher
