// Subscribers of the record of a running cluster, for the benchmark subscribe.
//
//   subscribe_troupe start DIR SUBSCRIPTIONS PUBLISHES   publishes artifacts, each of which one
//                    subscriber waits for: prints the times until it has its claim, in ms
//   subscribe_troupe replay DIR CHANGES                  prints changes a second, from the first on
#include "actors/cluster/client.hpp"
#include "actors/lineage/artifact_client.hpp"
#include "actors/lineage/interfaces.hpp"
#include "tests/bench/good.hpp"

#include <caf/all.hpp>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace {

using namespace troupe;
using namespace troupe::storage;
using bench::good;
using steady = std::chrono::steady_clock;

std::string name_of(int64_t subscriber) {
  return "subscriber-" + std::to_string(subscriber);
}

void declare(artifact_client& records) {
  change_set set;
  set.types = {{node_kind::artifact, 0, "Model", {}, {}, {}, {}, {{"n", value_kind::integer}}}};
  good(records.write(set));
}

storage::node_put model(int64_t n) {
  storage::node_put out;
  out.type_name = "Model";
  out.what.uri = "/models/" + std::to_string(n);
  out.what.properties = {{"n", n}};
  return out;
}

// Who has begun to work.
class starts {
public:
  void begun(uint64_t artifact) {
    std::lock_guard guard{mutex_};
    artifact_ = artifact;
    changed_.notify_all();
  }

  void wait_for(uint64_t artifact) {
    std::unique_lock guard{mutex_};
    if (!changed_.wait_for(guard, std::chrono::seconds(30), [&] { return artifact_ == artifact; }))
      good(result<int>{errc::deadline, "no subscriber started within 30 s"});
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t artifact_ = 0;
};

constexpr auto deadline = std::chrono::seconds(30);

write_records_msg claim_of(const std::string& consumer, const record_node_msg& what) {
  write_records_msg out;
  out.claims.push_back(std::make_unique<claim_put_msg>());
  out.claims[0]->consumer = consumer;
  out.claims[0]->artifact = what.id;
  out.claims[0]->version = what.version;
  out.claims[0]->holder = 1;
  return out;
}

// Polls, takes a claim for what it is told, tells that it began, and polls again.
void ask(caf::event_based_actor* self, const artifact_store_api& store, const std::string& name,
         starts& all, uint64_t sequence, uint64_t index) {
  next_changes_msg request;
  request.subscription = name;
  request.sequence = sequence;
  request.index = index;
  request.wait = true;
  self->request(store, deadline, request).then([=, &all](const record_changes_msg& news) {
    auto again
      = [=, &all, last = news.sequence, at = news.index] { ask(self, store, name, all, last, at); };
    if (news.changes.empty())
      return again();
    const auto& now = *news.changes[0]->now;
    self->request(store, deadline, claim_of(name, now))
      .then([=, &all, artifact = now.id](const records_written_msg&) {
        all.begun(artifact);
        again();
      });
  });
}

int measure_starts(const std::string& directory, int64_t subscriptions, int64_t publishes) {
  auto cluster = good(client::connect(directory));
  auto listener = good(client::connect(directory));
  artifact_client records(cluster->link());
  declare(records);
  for (int64_t i = 0; i < subscriptions; ++i) {
    change_set set;
    set.subscriptions = {{storage::subscription_step::add,
                          {name_of(i),
                           node_kind::artifact,
                           "type = 'Model' AND properties.n = " + std::to_string(i),
                           {}}}};
    good(records.write(set));
  }
  starts all;
  auto store = listener->link().actor<artifact_store_api>("artifact_store");
  for (int64_t i = 0; i < subscriptions; ++i)
    listener->system().spawn(
      [&all, store, i](caf::event_based_actor* self) { ask(self, store, name_of(i), all, 0, 0); });
  ::poll(nullptr, 0, 3'000); // everybody asks by now
  for (int64_t i = 0; i < publishes; ++i) {
    change_set set;
    set.nodes = {model(i * 7919 % subscriptions)};
    auto begin = steady::now();
    auto written = good(records.write(set));
    all.wait_for(written.ids[0]);
    std::printf("%.4f\n", std::chrono::duration<double, std::milli>(steady::now() - begin).count());
  }
  std::fflush(stdout);
  std::_Exit(0); // the subscribers poll for ever
}

int measure_replay(const std::string& directory, int64_t changes) {
  constexpr int64_t at_once = 1'000;
  auto cluster = good(client::connect(directory));
  artifact_client records(cluster->link());
  declare(records);
  for (int64_t written = 0; written < changes; written += at_once) {
    change_set set;
    for (int64_t i = 0; i < at_once; ++i)
      set.nodes.push_back(model(written + i));
    good(records.write(set));
  }
  change_set set;
  set.subscriptions
    = {{storage::subscription_step::add, {"replay", node_kind::artifact, {}, {1, 0}}}};
  good(records.write(set));
  ::poll(nullptr, 0, 10'000); // the store comes to rest
  auto begin = steady::now();
  change_place done;
  int64_t seen = 0;
  while (seen < changes) {
    auto news = good(records.next("replay", done, 2'000, true));
    for (const auto& each : news.changes)
      if (each.now.properties.at("n") != property_value{seen++})
        good(result<int>{errc::corrupt, "the changes came out of order"});
    done = news.next;
  }
  auto seconds = std::chrono::duration<double>(steady::now() - begin).count();
  std::printf("%.0f\n", static_cast<double>(changes) / seconds);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  std::string what = argc > 2 ? argv[1] : "";
  if (what == "start" && argc == 5)
    return measure_starts(argv[2], std::atoll(argv[3]), std::atoll(argv[4]));
  if (what == "replay" && argc == 4)
    return measure_replay(argv[2], std::atoll(argv[3]));
  std::fprintf(stderr, "subscribe_troupe start DIR SUBSCRIPTIONS PUBLISHES | replay DIR CHANGES\n");
  return 2;
}
