// The master process: store, event log, lineage, and the master actor; and the small process that
// restarts it.
#include "actors/cluster/lineage_projection.hpp"
#include "actors/cluster/master.hpp"
#include "actors/lineage/artifact_store.hpp"
#include "actors/lineage/bundle_desk.hpp"
#include "launcher/cluster_copy.hpp"
#include "launcher/machine.hpp"
#include "launcher/master_metrics.hpp"
#include "launcher/processes.hpp"
#include "launcher/role_system.hpp"
#include "launcher/times.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/random.hpp"
#include "runtime/keys.hpp"
#include "storage/bundles/bundle_store.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/commit_queue.hpp"
#include "storage/event_log.hpp"
#include "storage/metadata/metadata.hpp"
#include "storage/rocksdb_store.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <fstream>

namespace troupe::launcher {

namespace {

struct place {
  std::string host;
  std::string port; // empty: any
};

// Of `--address HOST[:PORT]`.
result<place> place_of(const std::string& address) {
  if (address.empty())
    return place{"127.0.0.1", {}};
  auto colon = std::min(address.find(':'), address.size());
  auto host = address_of(address.substr(0, colon));
  if (!host)
    return host.error();
  return place{*host, address.substr(std::min(colon + 1, address.size()))};
}

class master_role final : public running_role {
public:
  result<void> start(const std::string& directory, const head_options& options,
                     const end_callback& on_end) {
    auto opened = storage::rocksdb_store::open(directory + "/store");
    if (!opened)
      return opened.error();
    store = std::move(*opened);
    writer = std::make_unique<storage::commit_queue>(*store);
    auto events = storage::event_log::open(*store, *writer);
    if (!events)
      return events.error();
    log = std::move(*events);
    auto records = storage::metadata::open(*store, *writer, clock);
    if (!records)
      return records.error();
    metadata = std::move(*records);
    auto heartbeat = heartbeat_of(options.heartbeat);
    if (!heartbeat)
      return heartbeat.error();
    net = std::make_unique<role_system>("master", *heartbeat);
    gangs.jobs_directory = directory + "/jobs";
    history = std::make_unique<job_archive>(*store, gangs);
    lineage = std::make_unique<lineage_projection>(*metadata, gangs.jobs_directory, history.get());
    auto artifacts = spawn_artifact_store(
      net->system,
      {metadata.get(), store.get(),
       [this, directory](const std::string& to) { return copy_cluster(*store, directory, to); },
       [this] { lineage->settle(); }});
    net->keep(caf::actor_cast<caf::actor>(artifacts), on_end);
    net->link.publish<artifact_store_api>("artifact_store", artifacts);
    TROUPE_TRY(lineage->catch_up(*log));
    TROUPE_TRY(net->link.attach(*net->local));
    auto where = place_of(options.address);
    if (!where)
      return where.error();
    TROUPE_TRY(open_packages(directory, *where));
    master_ports ports;
    ports.options.gangs = gangs;
    ports.history = history.get();
    auto keep_for = time_of("--keep-for", options.keep.keep_for);
    if (!keep_for)
      return keep_for.error();
    ports.keep = {*keep_for, options.keep.keep_jobs};
    if (!options.grow_after.empty()) {
      auto time = time_of("--grow-after", options.grow_after);
      if (!time)
        return time.error();
      ports.options.grow_after = *time;
    }
    ports.seed = unforeseen_number();
    ports.log = log.get();
    ports.lineage = lineage.get();
    ports.packages = packages.get();
    ports.link = &net->link;
    ports.time = &net->time;
    ports.on_stop = [on_end] { on_end(nullptr); };
    ports.on_fatal = [on_end](const error& reason) { on_end(&reason); };
    auto spawned = spawn_master(net->system, std::move(ports));
    if (!spawned)
      return spawned.error();
    net->hold(caf::actor_cast<caf::actor>(*spawned), on_end);
    net->link.publish<master_client_api>("master", *spawned);
    net->link.publish<master_agent_api>("master/agents", *spawned);
    TROUPE_TRY(open_bundles(directory, on_end));
    TROUPE_TRY(listen_remotely(directory, *where));
    TROUPE_TRY(net->serve_metrics(options.metrics, [this] { return collect(); }));
    auto listening = net->local->listen("local:" + directory + "/master.sock");
    return listening ? result<void>{} : listening.error();
  }

  // Lets in whoever holds a listed key, in any language; where, stands in DIR/endpoint. A master
  // that comes back takes the same port again where it can.
  result<void> listen_remotely(const std::string& directory, const place& where) {
    for (auto* name : {"master", "user"})
      if (auto made = make_keys(directory, name);
          !made && made.error().code != errc::already_exists)
        return made.error();
    TROUPE_TRY(net->attach_remote(directory));
    auto host = "tcp://" + where.host;
    auto port = ":" + (where.port.empty() ? "0" : where.port);
    std::string before;
    std::getline(std::ifstream{directory + "/endpoint"}, before);
    auto again = where.port.empty() && before.starts_with(host + ":");
    auto listening = net->remote->listen(again ? before : host + port);
    if (!listening && again)
      listening = net->remote->listen(host + port);
    if (!listening)
      return listening.error();
    std::ofstream{directory + "/endpoint"} << *listening << '\n';
    log::info("listening", {{"endpoint", *listening}});
    return {};
  }

private:
  result<void> open_bundles(const std::string& directory, const end_callback& on_end) {
    auto opened = storage::directory_objects::open(directory + "/objects", {clock.wall_ns()});
    if (!opened)
      return opened.error();
    objects = std::move(*opened);
    auto records = storage::bundle_store::open_records(*metadata);
    if (!records)
      return records.error();
    bundles = std::move(*records);
    auto desk = std::make_unique<bundle_desk>(*bundles, *objects, directory + "/uploads", clock);
    auto spawned = spawn_bundle_desk(net->system, std::move(desk));
    net->keep(caf::actor_cast<caf::actor>(spawned), on_end);
    net->link.publish<bundle_api>("bundles", spawned);
    return {};
  }

  // Packages go over a port of their own: the one behind that of the messages, where that is given
  // and nobody else has it.
  result<void> open_packages(const std::string& directory, const place& where) {
    auto host = where.host + ":";
    auto given = std::atoi(where.port.c_str());
    auto open = [&](int port) {
      return open_package_desk(directory + "/packages", "local:" + directory + "/bulk.sock",
                               host + std::to_string(port), clock);
    };
    auto desk = open(given == 0 ? 0 : given + 1);
    if (!desk && given != 0) {
      log::warning("packages go over another port", {{"reason", desk.error().text}});
      desk = open(0);
    }
    if (!desk)
      return desk.error();
    packages = std::move(*desk);
    return {};
  }

  // Runs on a thread of the endpoint. A master that does not answer is left out.
  std::vector<metric_family> collect() {
    auto all = troupe::families_of(net->link.statistics());
    auto add = [&](const auto& answer) {
      auto more = families_of(answer);
      all.insert(all.end(), more.begin(), more.end());
    };
    caf::scoped_actor self{net->system};
    auto head = caf::actor_cast<master_client_api>(net->role);
    constexpr auto patience = std::chrono::seconds(1);
    auto nothing = [](caf::error&) {};
    self->request(head, patience, get_cluster_msg{})
      .receive([&](const cluster_status_msg& x) { add(x); }, nothing);
    self->request(head, patience, list_jobs_msg{})
      .receive([&](const job_list_msg& x) { add(x); }, nothing);
    metric_family records{"troupe_log_records_total", "Records of the event log", true, {}};
    records.values.push_back({{}, static_cast<double>(log->last_sequence())});
    all.push_back(std::move(records));
    metric_family bytes{"troupe_log_bytes_total", "What was written to the event log", true, {}};
    bytes.values.push_back({{}, static_cast<double>(log->bytes_appended())});
    all.push_back(std::move(bytes));
    return all;
  }

  // The last is destroyed first: without actors nobody appends.
  system_clock clock;
  std::unique_ptr<storage::rocksdb_store> store;
  std::unique_ptr<storage::commit_queue> writer;
  std::unique_ptr<storage::event_log> log;
  std::unique_ptr<storage::metadata> metadata;
  gang_options gangs;
  std::unique_ptr<job_archive> history;
  std::unique_ptr<lineage_projection> lineage;
  std::unique_ptr<package_desk> packages;
  std::unique_ptr<storage::directory_objects> objects;
  std::unique_ptr<storage::bundle_store> bundles;
  std::unique_ptr<role_system> net;
};

} // namespace

result<std::unique_ptr<running_role>>
start_master(const std::string& directory, const head_options& options, end_callback on_end) {
  auto role = std::make_unique<master_role>();
  TROUPE_TRY(role->start(directory, options, on_end));
  return std::unique_ptr<running_role>{std::move(role)};
}

} // namespace troupe::launcher
