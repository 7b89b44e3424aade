// Damaged files and stored records: what a disk, a torn write or a hand gives us to read.
#include "launcher/executors.hpp"
#include "launcher/hosts_file.hpp"
#include "runtime/base/log.hpp"
#include "runtime/keys.hpp"
#include "storage/checkpoint_file.hpp"
#include "storage/commit_inline.hpp"
#include "storage/event_log.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/filter.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/metadata/records.hpp"
#include "storage/record.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/random_frame.hpp"
#include "tests/support/two_nodes.hpp"

#include <fstream>
#include <set>

namespace troupe::testing {
namespace {

std::string text_of(const byte_vector& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string damaged(const std::string& text, random_source& random) {
  byte_vector bytes{text.begin(), text.end()};
  mutate(bytes, byte_vector(bytes), random);
  return text_of(bytes);
}

class FuzzFiles : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }
  void TearDown() override { log::set_level(log::level::info); }

  std::string path_of(const std::string& name) const { return scratch.path + "/" + name; }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream{path_of(name), std::ios::binary | std::ios::trunc} << bytes;
  }

  std::string read(const std::string& name) const {
    std::ifstream in{path_of(name), std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  scratch_directory scratch;
};

TEST_F(FuzzFiles, ADamagedLogGivesWhatWasWrittenOrNothing) {
  fuzz("ADamagedLogGivesWhatWasWrittenOrNothing", 2000, [](random_source& random) {
    storage::memory_store store;
    storage::commit_inline commits{store};
    std::vector<std::string> events;
    auto part = hostile_text(random, 1000);
    {
      auto log = *storage::event_log::open(store, commits);
      for (auto n = 1 + random.below(6); n > 0; --n)
        events.push_back(hostile_text(random, 1000));
      log->append(events, [](const result<uint64_t>& x) { EXPECT_TRUE(x); });
      if (random.chance(0.5))
        log->save_snapshot(1 + random.below(events.size()), {{"part", part}},
                           [](const result<void>& x) { EXPECT_TRUE(x); });
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    EXPECT_TRUE(store.scan("", "", storage::no_limit, [&](auto key, auto value) {
      pairs.emplace_back(key, value);
      return true;
    }));
    auto& [key, value] = pairs[random.below(pairs.size())];
    storage::batch change;
    if (random.chance(0.2))
      change.erase(key);
    else
      change.put(random.chance(0.1) ? damaged(key, random) : key, damaged(value, random));
    ASSERT_TRUE(store.commit(change, storage::durability::synced));

    auto log = storage::event_log::open(store, commits);
    if (!log)
      return;
    auto known = (*log)->load_snapshot([&](auto name, auto bytes) {
      EXPECT_EQ(name, "part");
      EXPECT_EQ(bytes, part);
    });
    if (!known)
      return;
    auto outcome = (*log)->replay(1, [&](uint64_t sequence, std::string_view bytes) {
      ASSERT_LE(sequence, events.size());
      EXPECT_EQ(bytes, events[sequence - 1]);
    });
    EXPECT_TRUE(outcome) << outcome.error().text;
  });
}

// The checksum is right, what is in it is not.
TEST_F(FuzzFiles, RecordsOfAnotherShapeAreRefused) {
  fuzz("RecordsOfAnotherShapeAreRefused", 5000, [](random_source& random) {
    storage::node x;
    x.id = 1 + random.below(1000);
    x.type = 3;
    x.uri = hostile_text(random, 1000);
    x.properties[hostile_text(random, 100)] = hostile_text(random, 1000);
    x.custom["n"] = static_cast<int64_t>(random.next());
    auto key = storage::node_key(x.kind, x.id);
    auto value = storage::encode(key, x);
    auto whole = storage::read_node(key, value);
    ASSERT_TRUE(whole);
    EXPECT_TRUE(*whole == x);
    auto payload = damaged(std::string{*storage::unseal(key, value)}, random);
    auto event_at = storage::event_key(x.kind, x.id, storage::event_type::input, 7);
    auto link_at = storage::link_key(storage::link_kind::attribution, false, x.id, 7);
    auto before = allocated();
    (void)storage::read_node(key, storage::seal(key, payload));
    (void)storage::read_type(storage::type_key(3), storage::seal(storage::type_key(3), payload));
    (void)storage::read_change(storage::change_key(3),
                               storage::seal(storage::change_key(3), payload));
    (void)storage::read_event(event_at, storage::seal(event_at, payload));
    (void)storage::read_link(link_at, storage::seal(link_at, payload));
    (void)storage::read_counters(key, storage::seal(key, payload));
    EXPECT_LE(allocated() - before, 400 * payload.size() + 16384);
    auto bad = damaged(value, random);
    EXPECT_EQ(static_cast<bool>(storage::unseal(key, bad)), bad == value);
  });
}

// A filter is a tree or one sentence, whatever its bytes are.
TEST_F(FuzzFiles, AFilterIsUnderstoodOrRefused) {
  const std::string good = "type = 'Model' AND (properties.accuracy.double_value > 0.9 OR NOT "
                           "contexts_a.name LIKE '%x_' ) AND state IN (LIVE, PENDING) AND "
                           "`x`.y IS NOT NULL AND -id + 2 * 3 <= 1e3";
  fuzz("AFilterIsUnderstoodOrRefused", 20000, [&](random_source& random) {
    auto text = random.chance(0.2) ? hostile_text(random, 200) : damaged(good, random);
    auto before = allocated();
    auto read = storage::parse_filter(storage::node_kind::artifact, text);
    EXPECT_LE(allocated() - before, 2000 * text.size() + 16384);
    if (!read)
      expect_sentence(read.error());
  });
}

TEST_F(FuzzFiles, ADamagedCheckpointIsRefused) {
  std::vector<float> values(60, 0.5f);
  std::vector<storage::tensor_view> tensors{{"weights", {60}, values}, {"bias", {3, 20}, values}};
  auto path = path_of("checkpoint");
  ASSERT_TRUE(storage::write_checkpoint_file(path, 1, 2, tensors, {{"plan", "seed 1"}}));
  auto good = read("checkpoint");
  fuzz("ADamagedCheckpointIsRefused", 300, [&](random_source& random) {
    auto bad = damaged(good, random);
    write("checkpoint", bad);
    auto before = allocated();
    EXPECT_EQ(static_cast<bool>(storage::read_checkpoint(path)), bad == good);
    EXPECT_EQ(static_cast<bool>(storage::verify_checkpoint_file(path)), bad == good);
    EXPECT_LE(allocated() - before, 64 * bad.size() + (64 << 10));
  });
}

TEST_F(FuzzFiles, DamagedKeysAreRefusedOrKeys) {
  auto made = make_keys(scratch.path, "node-1");
  ASSERT_TRUE(made);
  auto secret = read("keys/node-1.secret");
  auto open = read("keys/authorized/node-1.public");
  fuzz("DamagedKeysAreRefusedOrKeys", 100, [&](random_source& random) {
    write("keys/node-1.secret", damaged(secret, random));
    write("keys/authorized/node-1.public", damaged(open, random));
    if (auto keys = load_keys(scratch.path, "node-1"); keys) {
      EXPECT_EQ(keys->public_key.size(), 40u);
      EXPECT_EQ(keys->secret_key.size(), 40u);
    }
    if (auto key = load_public_key(scratch.path, "node-1"); key) {
      EXPECT_EQ(key->size(), 40u);
    }
    EXPECT_TRUE(load_authorized(scratch.path));
    EXPECT_FALSE(load_keys(scratch.path, hostile_text(random, 1000) + "/"));
  });
}

// No host of it is taken for an option of ssh, and no two nodes have one name.
TEST_F(FuzzFiles, DamagedHostsFilesAreRefusedOrHosts) {
  const std::string whole = "# two\nme@a.example name=first cpus=4 memory=1.5GiB accelerators=2\n"
                            "10.0.0.2 address=10.1.0.2\n";
  fuzz("DamagedHostsFilesAreRefusedOrHosts", 3000, [&](random_source& random) {
    auto hosts = launcher::parse_hosts(random.chance(0.1) ? hostile_text(random, 1000)
                                                          : damaged(whole, random));
    if (!hosts)
      return;
    std::set<std::string> names;
    for (auto& each : *hosts) {
      EXPECT_NE(each.target.at(0), '-');
      EXPECT_TRUE(is_key_name(each.name));
      EXPECT_TRUE(names.insert(each.name).second);
    }
    EXPECT_FALSE(hosts->empty());
  });
}

// What an agent finds of the executors that its earlier life left.
TEST_F(FuzzFiles, DamagedJournalsOfTasksAreLeftOut) {
  auto journal = path_of("journal");
  storage::tree_remover remover{path_of("removed")};
  fuzz("DamagedJournalsOfTasksAreLeftOut", 300, [&](random_source& random) {
    std::string state;
    for (int records = 0; records < 3; ++records) {
      auto order = text_of(random_table(*start_task::MiniReflectTypeTable(), random));
      uint32_t head[2] = {static_cast<uint32_t>(order.size()),
                          random.chance(0.8) ? static_cast<uint32_t>(::getpid()) : ~0u};
      state.append(reinterpret_cast<const char*>(head), sizeof head).append(order);
    }
    write("journal", random.chance(0.1) ? state : damaged(state, random));
    // Its endpoint stands in the command line of this process.
    work_directories work{path_of("work"), path_of("packages"), remover};
    auto executors
      = launcher::make_executors({"/bin/true", "node-1", "fuzz_test", journal, "", ""}, work);
    for (auto& waiting : executors->left_waiting())
      EXPECT_TRUE(waiting.task);
    for (auto& [found, process] : executors->left_running()) {
      EXPECT_EQ(process, ::getpid());
      EXPECT_TRUE(found.task);
    }
  });
}

} // namespace
} // namespace troupe::testing
