// Random change sets, crashes and questions: the store does and finds what the model says.
#include "storage/commit_queue.hpp"
#include "storage/metadata/audit.hpp"
#include "storage/metadata/query.hpp"
#include "storage/rocksdb_store.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/metadata_fixture.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/unit/storage/metadata_model.hpp"

#include <thread>

namespace troupe::storage {
namespace {

change_set model_types() {
  change_set out;
  for (auto kind : node_kinds)
    for (const auto* name : {"T", "U"}) {
      auto& x = out.types.emplace_back();
      x.kind = kind;
      x.name = name;
      x.properties = {{"i", value_kind::integer}, {"d", value_kind::real}};
    }
  return out;
}

// A filter, and the same in C++.
struct question {
  std::string filter;
  std::function<bool(const node&)> wanted;
};

std::vector<question> questions(random_source& chance) {
  auto i = static_cast<int64_t>(chance.below(6)) - 2;
  auto d = 0.5 * static_cast<double>(chance.below(6)) - 1;
  auto uri = std::string("u").append(std::to_string(chance.below(5)));
  auto real = [](const node& x) {
    auto found = x.properties.find("d");
    return found == x.properties.end() ? std::optional<double>() : std::get<double>(found->second);
  };
  auto text = [](const node& x) {
    auto found = x.custom.find("s");
    return found == x.custom.end() ? std::string() : std::get<std::string>(found->second);
  };
  auto integer = [](const node& x) {
    auto found = x.properties.find("i");
    return found == x.properties.end() ? std::optional<int64_t>()
                                       : std::get<int64_t>(found->second);
  };
  return {
    {"", [](const node&) { return true; }},
    {"type = 'T'", [](const node& x) { return x.type == 1; }},
    {"properties.i.int_value = " + std::to_string(i),
     [=](const node& x) { return integer(x) == i; }},
    {"properties.i.int_value < " + std::to_string(i),
     [=](const node& x) { return integer(x) && *integer(x) < i; }},
    {"properties.d.double_value >= " + std::to_string(d),
     [=](const node& x) { return real(x) && *real(x) >= d; }},
    {"uri = '" + uri + "' AND state = LIVE",
     [=](const node& x) { return x.uri == uri && x.state == node_state::live; }},
    {"custom_properties.s = 'v1' OR state IS NULL",
     [=](const node& x) { return text(x) == "v1" || x.state == node_state::none; }},
    {"name = 'n3' AND NOT properties.d > 0",
     [=](const node& x) { return x.name == "n3" && real(x) && !(*real(x) > 0); }},
    {"external_id = 'e3'", [](const node& x) { return x.external_id == "e3"; }},
  };
}

void ask(random_source& chance, const metadata_view& in, const metadata_model& model) {
  for (const auto& each : questions(chance)) {
    auto found = matching(in, node_kind::artifact, each.filter, no_limit);
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(std::set<uint64_t>(found->begin(), found->end()),
              model.matching(node_kind::artifact, each.wanted))
      << each.filter;
  }
  auto kind = chance.chance(0.5) ? node_kind::artifact : node_kind::execution;
  metadata_model::place start{kind, 1 + chance.below(5)};
  if (!model.nodes.contains(start))
    return;
  for (auto way :
       {lineage_direction::upstream, lineage_direction::downstream, lineage_direction::both}) {
    lineage_request wanted;
    wanted.from = {start};
    wanted.direction = way;
    auto graph = lineage(in, wanted);
    ASSERT_TRUE(graph) << graph.error().text;
    std::map<metadata_model::place, uint32_t> reached;
    for (const auto& x : graph->nodes)
      reached.emplace(metadata_model::place(x.what.kind, x.what.id), x.hops);
    EXPECT_EQ(reached, model.reachable(start, way));
  }
}

// As the model has no times.
bool same(const metadata_model& store, const metadata_model& model) {
  return store.nodes == model.nodes && store.events == model.events && store.links == model.links
         && store.sequence == model.sequence;
}

TEST(MetadataProperty, AsTheModelInMemory) {
  auto seeds = testing::seeds_wanted(30);
  for (auto seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    SCOPED_TRACE("TROUPE_SEEDS=" + std::to_string(seed) + ":1");
    random_source chance(seed);
    memory_store disk;
    faulty_store faulty(disk);
    system_clock time;
    auto writer = std::make_unique<commit_inline>(faulty);
    auto store = *metadata::open(faulty, *writer, time);
    ASSERT_TRUE(store->write(model_types()));
    metadata_model model;
    model.sequence = 1;
    std::map<uint64_t, metadata_model> past{{1, model}};
    for (int step = 0; step < 60; ++step) {
      auto set = random_set(chance, model);
      auto wanted = model.after(set);
      auto crashes = chance.chance(0.05);
      if (crashes)
        faulty.fail_after(0);
      auto written = store->write(set);
      if (crashes) {
        store.reset();
        disk.crash(chance);
        faulty.mend();
        writer = std::make_unique<commit_inline>(faulty);
        store = *metadata::open(faulty, *writer, time);
      } else {
        ASSERT_EQ(static_cast<bool>(written), wanted.has_value())
          << (written ? "written" : written.error().text);
        model = wanted.value_or(model);
        past.insert_or_assign(model.sequence, model);
      }
      if (step % 10 != 9)
        continue;
      ASSERT_TRUE(same(model_of(store->look()), model));
      ask(chance, store->look(), model);
      auto& [number, then] = *std::next(past.begin(), static_cast<long>(chance.below(past.size())));
      auto view = store->look(number);
      ASSERT_TRUE(same(model_of(view), then));
      ask(chance, view, then);
    }
    if (::testing::Test::HasFailure())
      return;
  }
}

// Sets on their way together, on RocksDB over a disk that loses its power at any call: what was
// answered is there, in order, and nothing is half there.
TEST(MetadataProperty, AsTheModelAfterAnyCrash) {
  auto seeds = testing::seeds_wanted(10);
  for (auto seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    SCOPED_TRACE("TROUPE_SEEDS=" + std::to_string(seed) + ":1");
    random_source chance(seed);
    scratch_directory scratch;
    testing::faulty_disk disk(scratch.path + "/aside");
    system_clock time;
    std::map<uint64_t, metadata_model> states{{0, {}}};
    metadata_model model;
    for (int life = 0; life < 4; ++life) {
      auto store = rocksdb_store::open(scratch.path + "/store", {}, &disk.environment());
      ASSERT_TRUE(store) << store.error().text;
      std::atomic<uint64_t> answered = 0;
      {
        commit_queue queue(**store);
        auto facts = metadata::open(**store, queue, time);
        ASSERT_TRUE(facts) << facts.error().text;
        auto found = model_of((*facts)->look());
        ASSERT_TRUE(states.contains(found.sequence));
        ASSERT_TRUE(same(found, states.at(found.sequence)));
        model = states.at(found.sequence);
        states.erase(states.upper_bound(model.sequence), states.end());
        if (model.sequence == 0) {
          ASSERT_TRUE((*facts)->write(model_types()));
          model.sequence = 1;
          states.emplace(1, model);
        }
        answered = model.sequence;
        disk.crash_at(chance.below(150), random_source(chance.next()), testing::torn_end::nothing);
        for (int i = 0; i < 60; ++i) {
          auto set = random_set(chance, model);
          auto wanted = model.after(set);
          auto refused = std::make_shared<std::atomic<bool>>(false);
          (*facts)->write(set, [&answered, refused](const result<receipt>& x) {
            if (x)
              answered = std::max(answered.load(), x->sequence);
            else
              *refused = x.error().code != errc::io && x.error().code != errc::unavailable;
          });
          if (wanted) { // also the one within which the power went: it may be there
            ASSERT_FALSE(*refused) << "the model takes it";
            model = *wanted;
            states.insert_or_assign(model.sequence, model);
          }
          if (!disk.is_on())
            break;
        }
        facts->reset();
      }
      if (disk.is_on())
        disk.crash(chance);
      store->reset();
      disk.start();
      auto again = rocksdb_store::open(scratch.path + "/store", {}, &disk.environment());
      ASSERT_TRUE(again) << again.error().text;
      commit_queue queue(**again);
      auto facts = metadata::open(**again, queue, time);
      ASSERT_TRUE(facts) << facts.error().text;
      EXPECT_GE((*facts)->sequence(), answered) << "what was answered is lost";
    }
    if (::testing::Test::HasFailure())
      return;
  }
}

// A copy that is made while others write is a sound store of one moment.
TEST(MetadataProperty, ACopyOfARunningStoreIsWhole) {
  scratch_directory scratch;
  system_clock time;
  auto store = *rocksdb_store::open(scratch.path + "/store");
  commit_queue queue(*store);
  auto facts = *metadata::open(*store, queue, time);
  ASSERT_TRUE(facts->write(model_types()));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    random_source chance(1);
    while (!stop)
      facts->write(random_set(chance, model_of(facts->look())), [](const result<receipt>&) {});
  });
  for (int i = 0; i < 3; ++i) {
    auto before = facts->sequence();
    while (facts->sequence() < before + 5)
      std::this_thread::yield();
    auto copy = scratch.path + "/copy" + std::to_string(i);
    auto least = facts->sequence();
    ASSERT_TRUE(store->copy_to(copy));
    EXPECT_EQ(store->copy_to(copy).error().code, errc::already_exists);
    auto opened = rocksdb_store::open(copy);
    ASSERT_TRUE(opened) << opened.error().text;
    auto audit = audit_metadata(**opened, [](const std::string& x) { ADD_FAILURE() << x; });
    ASSERT_TRUE(audit);
    EXPECT_GE(audit->changes, least) << "what was durable before is in it";
  }
  stop = true;
  writer.join();
}

} // namespace
} // namespace troupe::storage
