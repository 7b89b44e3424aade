// A store on a faulty disk beside a model in memory, which knows every state that there may be
// after the next open.
#pragma once

#include "storage/rocksdb_store.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace troupe::storage {

using pairs = std::map<std::string, std::string, std::less<>>;

// Small, so that a short run has many logs and tables.
inline const rocksdb_options small{
  .write_ahead_log_max = 192 << 10, .write_buffer = 64 << 10, .table_max = 64 << 10};

inline void change(pairs& to, const batch& changes) {
  for (const auto& x : changes.changes()) {
    if (x.what == batch::kind::put)
      to[x.key] = x.value;
    else if (x.what == batch::kind::erase)
      to.erase(x.key);
    else if (x.key < x.value)
      to.erase(to.lower_bound(x.key), to.lower_bound(x.value));
  }
}

inline pairs all_of(const store& from) {
  pairs out;
  auto scanned = from.scan("", "", no_limit, [&](auto key, auto value) {
    out.emplace(key, value);
    return true;
  });
  EXPECT_TRUE(scanned) << scanned.error().text;
  return out;
}

inline std::string numbered(char kind, uint64_t number) {
  return std::to_string(number).insert(0, 1, kind);
}

inline std::string random_key(random_source& chance) {
  auto kind = static_cast<char>('a' + chance.below(3));
  return numbered(kind, chance.below(40));
}

inline std::string random_value(random_source& chance) {
  std::string out(chance.below(chance.below(8) == 0 ? 20'000 : 2'000), '\0');
  for (auto& x : out)
    x = static_cast<char>(chance.below(256));
  return out;
}

inline batch random_batch(random_source& chance) {
  batch out;
  for (auto changes = 1 + chance.below(4); changes > 0; --changes) {
    auto key = random_key(chance);
    switch (chance.below(8)) {
    case 0:
      out.erase(key);
      break;
    case 1:
      out.erase_range(key, random_key(chance));
      break;
    default:
      out.put(key, random_value(chance));
    }
  }
  return out;
}

// A store on a faulty disk, and all states that its commits led to since it was opened.
class tried_store {
public:
  explicit tried_store(uint64_t seed) : chance(seed) {}

  std::string path() const { return directory.path + "/store"; }

  result<void> open() {
    store.reset();
    disk.start();
    auto opened = rocksdb_store::open(path(), small, &disk.environment());
    if (!opened)
      return opened.error();
    store = std::move(*opened);
    return {};
  }

  // Opens it again; it has to be as after some commit, and not before the last that was synced.
  // False where the test has failed.
  bool reopen() {
    auto opened = open();
    EXPECT_TRUE(opened) << opened.error().text;
    return opened && found();
  }

  bool found() {
    auto there = all_of(*store);
    for (auto i = states.size(); i-- > synced;) {
      if (states[i] != there)
        continue;
      states = {std::move(there)};
      synced = 0;
      return true;
    }
    auto earlier = std::find(states.begin(), states.end(), there);
    if (earlier != states.end())
      ADD_FAILURE() << "as after commit " << earlier - states.begin() << ", but " << synced
                    << " was synced";
    else
      ADD_FAILURE() << "a state that never was: " << there.size() << " pairs";
    return false;
  }

  result<void> commit() {
    auto changes = random_batch(chance);
    auto after = states.back();
    change(after, changes);
    auto committed = store->commit(changes, durability::synced);
    states.push_back(std::move(after)); // of a failed one as well: it may be there
    if (committed)
      synced = states.size() - 1;
    return committed;
  }

  // Commits until one fails.
  result<void> commit(uint64_t times) {
    result<void> last;
    while (last && times-- > 0)
      last = commit();
    return last;
  }

  void expect_reads() { expect_reads_of(states.back()); }

  void expect_reads_of(const pairs& now) {
    auto key = random_key(chance);
    auto prefix = key.substr(0, chance.below(2));
    auto limit = 1 + chance.below(10);
    std::vector<std::string> forward, back;
    auto into = [](auto& keys) {
      return [&keys](auto each, auto) {
        keys.emplace_back(each);
        return true;
      };
    };
    auto got = store->get(key);
    auto well = store->scan(prefix, key, limit, into(forward))
                && store->scan_back(prefix, key, limit, into(back)) && got;
    if (!well) {
      EXPECT_FALSE(disk.is_on());
      return;
    }
    auto found = now.find(key);
    ASSERT_EQ(got->has_value(), found != now.end()) << key;
    ASSERT_TRUE(!got->has_value() || **got == found->second) << key;
    std::vector<std::string> above, below;
    for (auto& [each, value] : now)
      if (each.starts_with(prefix))
        (each < key ? below : above).push_back(each);
    above.resize(std::min(above.size(), limit));
    std::reverse(below.begin(), below.end());
    below.resize(std::min(below.size(), limit));
    EXPECT_EQ(forward, above);
    EXPECT_EQ(back, below);
  }

  random_source chance;
  scratch_directory directory;
  testing::faulty_disk disk{directory.path + "/aside"};
  std::unique_ptr<rocksdb_store> store;
  std::vector<pairs> states{{}};
  size_t synced = 0;
};

template <class Run>
void each_seed(uint64_t seeds, Run run) {
  auto wanted = testing::seeds_wanted(seeds);
  for (auto seed = wanted.first; seed < wanted.first + wanted.count; ++seed) {
    SCOPED_TRACE("TROUPE_SEEDS=" + std::to_string(seed) + ":1");
    run(seed);
    if (::testing::Test::HasFailure())
      return;
  }
}

} // namespace troupe::storage
