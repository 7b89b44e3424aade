// up and down: a master on this machine, its nodes here, on hosts that ssh reaches, or in an
// allocation of Slurm; key: who may join it from another machine.
#include "actors/cluster/client.hpp"
#include "launcher/background.hpp"
#include "launcher/commands.hpp"
#include "launcher/hosts.hpp"
#include "launcher/machine.hpp"
#include "launcher/processes.hpp"
#include "launcher/slurm.hpp"
#include "launcher/times.hpp"
#include "launcher/wait_nodes.hpp"
#include "runtime/keys.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

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
  auto capacity = words_of(options.capacity);
  command.insert(command.end(), capacity.begin(), capacity.end());
  if (!options.address.empty())
    command.insert(command.end(),
                   {"--address", options.address.substr(0, options.address.find(':'))});
  add_heartbeat(command, options.heartbeat);
  return command;
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
  if (!options.grow_after.empty())
    command.insert(command.end(), {"--grow-after", options.grow_after});
  command.insert(command.end(), {"--keep-for", options.keep.keep_for, "--keep-jobs",
                                 std::to_string(options.keep.keep_jobs)});
  add_heartbeat(command, options.heartbeat);
  auto master = start_background(shared.directory, "master", command);
  return master ? result<void>{} : master.error();
}

result<void> start_all(const shared_options& shared, const up_options& options) {
  TROUPE_TRY(start_head(shared, options));
  for (uint32_t i = 1; i <= options.nodes; ++i) {
    auto name = "node-" + std::to_string(i);
    auto its = options;
    if (i > 1 && !its.capacity.accelerators)
      its.capacity.accelerators = 0; // the first has all that the machine has
    if (auto node = start_background(shared.directory, name, node_command(shared, its, name));
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
  return options.slurm.wait ? wait_allocation(shared.directory, options.nodes) : result<void>{};
}

// Where the head of the cluster was lost, it is started again where the nodes look for it, and gets
// those back that are left.
result<void> start_lost_head(const shared_options& shared, const up_options& given,
                             const std::vector<host_entry>& hosts) {
  auto options = given;
  if (options.address.empty())
    options.address = endpoint_of(shared.directory);
  TROUPE_TRY(start_head(shared, options));
  TROUPE_TRY(wait_ready(shared.directory, 0));
  constexpr auto return_limit = std::chrono::seconds(5);
  [[maybe_unused]] auto back = wait_hosts(shared.directory, hosts, return_limit);
  return {};
}

// Those that have no node that lives: they were lost and are back, or are new in the file. One that
// does not answer keeps no other from being started.
result<void> start_missing(const shared_options& shared, const up_options& options,
                           std::vector<host_entry> hosts) {
  auto alive = alive_nodes(shared.directory);
  if (!alive)
    return {errc::unavailable,
            "no master answers in " + shared.directory + " yet: give the same command once more"};
  std::erase_if(hosts, [&](auto& host) { return alive->contains(host.name); });
  auto unfit = unfit_hosts(hosts);
  std::erase_if(hosts, [&](auto& host) {
    return std::any_of(unfit.begin(), unfit.end(),
                       [&](auto& x) { return x.first.name == host.name; });
  });
  if (!hosts.empty()) {
    TROUPE_TRY(start_hosts(shared, hosts, options.heartbeat));
    TROUPE_TRY(wait_hosts(shared.directory, hosts));
  }
  return all_or_first(unfit);
}

// Nothing is started before every host has answered.
result<void> start_by_ssh(const shared_options& shared, const up_options& given,
                          const std::vector<host_entry>& hosts) {
  if (has_hosts(shared.directory)) {
    if (background_processes(shared.directory).empty())
      TROUPE_TRY(start_lost_head(shared, given, hosts));
    return start_missing(shared, given, hosts);
  }
  TROUPE_TRY(all_or_first(unfit_hosts(hosts)));
  auto options = given;
  if (options.address.empty()) {
    auto address = address_for(hosts);
    if (!address)
      return address.error();
    options.address = *address;
  }
  TROUPE_TRY(start_head(shared, options));
  TROUPE_TRY(wait_ready(shared.directory, 0));
  TROUPE_TRY(start_hosts(shared, hosts, options.heartbeat));
  return wait_hosts(shared.directory, hosts);
}

// Waits until it listens, or has ended.
result<void> start_http_server(const shared_options& shared, const std::string& listen) {
  auto& directory = shared.directory;
  std::error_code none;
  fs::remove(http_address_file(directory), none); // of one that could not clean up
  auto begun = start_background(directory, "http",
                                {shared.program, "--dir", directory, "http", "--listen", listen});
  if (!begun)
    return begun.error();
  auto started = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - started < start_limit) {
    if (fs::exists(http_address_file(directory), none))
      return {};
    if (::waitpid(*begun, nullptr, WNOHANG) != 0)
      break;
    ::poll(nullptr, 0, 20);
  }
  return {errc::io, "the HTTP server does not listen at " + listen + ": its reason is in "
                      + directory + "/logs/http.out; choose another address for --http"};
}

result<void> start(const shared_options& shared, const up_options& options,
                   const std::vector<host_entry>& hosts) {
  result<void> started;
  if (options.slurm.used)
    started = start_in_slurm(shared, options);
  else
    started = hosts.empty() ? start_all(shared, options) : start_by_ssh(shared, options, hosts);
  auto all = background_processes(shared.directory);
  auto serves = std::any_of(all.begin(), all.end(), [](auto& x) { return x.name == "http"; });
  if (started && !options.http.empty() && !serves)
    started = start_http_server(shared, options.http);
  return started;
}

// What the processes would only say in their logs.
result<void> check_times(const up_options& options) {
  TROUPE_TRY(heartbeat_of(options.heartbeat));
  TROUPE_TRY(time_of("--keep-for", options.keep.keep_for));
  if (!options.grow_after.empty())
    TROUPE_TRY(time_of("--grow-after", options.grow_after));
  return {};
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
  if (has_hosts(shared.directory))
    return options.hosts.empty()
             ? error{errc::already_exists,
                     "hosts still have nodes of the cluster in " + shared.directory + mend}
             : result<void>{};
  if (!left.empty() && !(options.slurm.used && !now->job.empty()))
    return {errc::already_exists, "a cluster runs in " + shared.directory + " (process "
                                    + std::to_string(left.front().pid) + ")" + mend};
  return {};
}

void tell_started(const shared_options& shared, const up_options& options) {
  auto now = options.slurm.used ? find_allocation(shared.directory) : allocation{};
  auto job = now ? now->job : std::string{};
  auto* directory = shared.directory.c_str();
  if (!shared.json && !options.http.empty()) {
    std::ifstream file{http_address_file(shared.directory)};
    std::string address;
    std::getline(file, address);
    std::printf("%s, with the token in %s/keys/http.token\n", address.c_str(), directory);
  }
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

int up(const shared_options& shared, const up_options& given) {
  auto options = given;
  std::vector<host_entry> hosts;
  if (!options.hosts.empty()) {
    auto read = read_hosts(options.hosts);
    if (!read)
      return complain(read.error());
    hosts = std::move(*read);
    options.nodes = static_cast<uint32_t>(hosts.size());
  }
  if (auto sound = check_times(options); !sound)
    return complain(sound.error());
  if (auto made = make_directory(shared.directory); !made)
    return complain(made.error());
  if (auto free = check_free(shared, options); !free)
    return complain(free.error());
  auto ran = !background_processes(shared.directory).empty() || has_hosts(shared.directory);
  auto started = start(shared, options, hosts);
  if (!started) {
    [[maybe_unused]] auto cancelled = cancel_allocation(shared.directory);
    if (!ran) {
      [[maybe_unused]] auto ended = end_hosts(shared.directory);
      end_processes(shared.directory);
    }
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
  auto ended = end_hosts(shared.directory);
  if (!ran) {
    fs::remove(shared.directory + "/master.sock", ignored); // of one that could not clean up
    fs::remove(shared.directory + "/run/master.pid", ignored);
  }
  if (!ran && cancelled && !*cancelled && ended && !*ended)
    return complain({errc::unavailable, "no cluster runs in " + shared.directory});
  end_all(shared.directory, SIGTERM);
  if (!wait_gone(shared.directory, stop_limit)) {
    end_all(shared.directory, SIGKILL);
    if (!wait_gone(shared.directory, stop_limit))
      return complain({errc::internal, "processes of " + shared.directory + " do not end"});
  }
  fs::remove_all(shared.directory + "/run", ignored);
  if (!cancelled || !ended)
    return complain(cancelled ? ended.error() : cancelled.error());
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
