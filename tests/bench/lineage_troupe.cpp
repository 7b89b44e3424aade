// The metadata store of the benchmarks lineage_write and lineage_query.
//
//   lineage_troupe write DIRECTORY SECONDS WRITERS   prints publishes a second, synced writes each
//   lineage_troupe load DIRECTORY EXECUTIONS         writes many at once, and compacts
//   lineage_troupe query DIRECTORY EXECUTIONS        prints p50 and p99 in us, the first in us,
//   nodes,
//                                                    resident MiB
#include "storage/commit_queue.hpp"
#include "storage/metadata/lineage.hpp"
#include "storage/metadata/metadata.hpp"
#include "storage/rocksdb_store.hpp"
#include "tests/bench/good.hpp"
#include "tests/bench/lineage_shape.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

namespace {

using namespace troupe;
using namespace troupe::storage;
using bench::good;
using steady = std::chrono::steady_clock;

constexpr int queries = 1000;

double seconds_since(steady::time_point begin) {
  return std::chrono::duration<double>(steady::now() - begin).count();
}

struct opened {
  explicit opened(const std::string& directory)
    : store(good(rocksdb_store::open(directory))), queue(std::make_unique<commit_queue>(*store)),
      facts(good(metadata::open(*store, *queue, time))) {
    change_set set;
    set.types.resize(2);
    set.types[0].name = "Data";
    set.types[0].properties = {{"n", value_kind::integer}};
    set.types[1].kind = node_kind::execution;
    set.types[1].name = "Train";
    set.types[1].properties = {{"x", value_kind::text}};
    auto types = good(facts->write(set));
    data = types.types[0];
    train = types.types[1];
    if (good(facts->look().counters()).artifacts > 0)
      return;
    change_set first;
    for (uint64_t n = 0; n < bench::outputs_of_each; ++n)
      first.nodes.push_back(artifact(n));
    good(facts->write(first));
  }

  node_put artifact(uint64_t n) const {
    node_put x;
    x.what.type = data;
    x.what.uri = std::string("/d/").append(std::to_string(n));
    x.what.state = node_state::live;
    x.what.properties = {{"n", static_cast<int64_t>(n)}};
    return x;
  }

  // Adds execution `i` and its outputs.
  void add(change_set& set, uint64_t i) const {
    node_put run;
    run.what.kind = node_kind::execution;
    run.what.type = train;
    run.what.state = node_state::complete;
    run.what.properties = {{"x", std::string("r").append(std::to_string(i))}};
    set.nodes.push_back(run);
    auto execution = node_ref::put(set.nodes.size() - 1);
    for (uint64_t k = 0; k < bench::outputs_of_each; ++k) {
      set.nodes.push_back(artifact(bench::outputs_of_each * (i + 1) + k));
      set.events.push_back({execution,
                            node_ref::put(set.nodes.size() - 1),
                            event_type::output,
                            {static_cast<int64_t>(k)}});
    }
  }

  system_clock time;
  std::unique_ptr<rocksdb_store> store;
  std::unique_ptr<commit_queue> queue;
  std::unique_ptr<metadata> facts;
  uint64_t data = 0;
  uint64_t train = 0;
};

void write(const std::string& directory, double seconds, int writers) {
  opened all(directory);
  std::atomic<uint64_t> next = 0;
  std::atomic<uint64_t> done = 0;
  auto before = all.queue->stats();
  auto begin = steady::now();
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&] {
      while (seconds_since(begin) < seconds) {
        change_set set;
        all.add(set, next++);
        for (uint64_t j = 0; j < bench::inputs_of_each; ++j)
          set.events.push_back(
            {node_ref::put(0),
             node_ref::stored(1 + j % bench::outputs_of_each),
             j < bench::outputs_of_each ? event_type::input : event_type::declared_input,
             {static_cast<int64_t>(j)}});
        good(all.facts->write(std::move(set)));
        ++done;
      }
    });
  for (auto& each : threads)
    each.join();
  auto elapsed = seconds_since(begin);
  auto after = all.queue->stats();
  std::printf("%.6g %.6g\n", static_cast<double>(done) / elapsed,
              static_cast<double>(after.commits - before.commits) / static_cast<double>(done));
}

void load(const std::string& directory, uint64_t executions) {
  opened all(directory);
  constexpr uint64_t at_once = 500;
  for (uint64_t first = 0; first < executions; first += at_once) {
    change_set set;
    auto last = std::min(first + at_once, executions);
    for (auto i = first; i < last; ++i) {
      auto execution = node_ref::put(set.nodes.size());
      all.add(set, i);
      for (uint64_t j = 0; j < bench::inputs_of_each; ++j) {
        auto n = bench::input_of(i, j);
        auto maker = n / bench::outputs_of_each; // execution maker - 1
        auto from = maker > first ? node_ref::put((maker - 1 - first) * (1 + bench::outputs_of_each)
                                                  + 1 + n % bench::outputs_of_each)
                                  : node_ref::stored(n + 1);
        set.events.push_back(
          {execution,
           from,
           j < bench::outputs_of_each ? event_type::input : event_type::declared_input,
           {static_cast<int64_t>(j)}});
      }
    }
    good(all.facts->write(std::move(set)));
  }
  all.facts.reset();
  all.queue.reset();
  if (auto compacted = all.store->compact(); !compacted) {
    std::fprintf(stderr, "lineage_troupe: %s\n", compacted.error().text.c_str());
    std::exit(1);
  }
}

double resident_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:"))
      return std::stod(line.substr(6)) / 1024;
  return 0;
}

void query(const std::string& directory, uint64_t executions) {
  opened all(directory);
  std::vector<double> times;
  size_t nodes = 0;
  for (int q = 0; q < queries; ++q) {
    // Spread over all, in no order.
    auto i = executions / 2 + static_cast<uint64_t>(q) * 7919 % (executions / 2);
    lineage_request wanted;
    wanted.from = {{node_kind::artifact, bench::outputs_of_each * (i + 1) + 1}};
    wanted.direction = lineage_direction::upstream;
    wanted.hops_max = 10;
    auto begin = steady::now();
    auto graph = good(lineage(all.facts->look(), wanted));
    times.push_back(1e6 * seconds_since(begin));
    nodes += graph.nodes.size();
  }
  auto first = times[0];
  std::sort(times.begin(), times.end());
  std::printf("%.6g %.6g %.6g %.6g %.6g\n", times[queries / 2], times[queries * 99 / 100], first,
              static_cast<double>(nodes) / queries, resident_mib());
}

} // namespace

int main(int count, char** words) {
  std::string what = count > 3 ? words[1] : "";
  if (what == "write" && count == 5)
    write(words[2], std::stod(words[3]), std::stoi(words[4]));
  else if (what == "load")
    load(words[2], std::stoull(words[3]));
  else if (what == "query")
    query(words[2], std::stoull(words[3]));
  else
    return 2;
}
