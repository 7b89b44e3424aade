// Both stores keep the same contract.
#include "storage/memory_store.hpp"
#include "storage/rocksdb_store.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>

namespace troupe::storage {
namespace {

class a_store : public testing::TestWithParam<bool> {
protected:
  a_store() {
    if (!GetParam()) {
      store_ = std::make_unique<memory_store>();
      return;
    }
    auto opened = rocksdb_store::open(directory_.path);
    EXPECT_TRUE(opened);
    store_ = std::move(*opened);
  }

  std::string all(std::string_view prefix, std::string_view from = "", size_t limit = no_limit) {
    std::string out;
    auto scanned = store_->scan(prefix, from, limit, [&](auto key, auto value) {
      out.append(key).append("=").append(value).append(" ");
      return true;
    });
    EXPECT_TRUE(scanned);
    return out;
  }

  scratch_directory directory_;
  std::unique_ptr<store> store_;
};

TEST_P(a_store, applies_a_batch_in_its_order) {
  batch x;
  x.put("a1", "one");
  x.put("a2", "two");
  x.put("a3", "three");
  x.put("b1", "other");
  x.erase("a1");
  x.put("a2", "again");
  ASSERT_TRUE(store_->commit(x, durability::synced));
  EXPECT_EQ(all("a"), "a2=again a3=three ");
  EXPECT_EQ(all("a", "a3"), "a3=three ");
  EXPECT_EQ(all("", "", 2), "a2=again a3=three ");
  EXPECT_EQ(all("c"), "");
  auto found = store_->get("b1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value(), "other");
  auto gone = store_->get("a1");
  ASSERT_TRUE(gone);
  EXPECT_FALSE(gone->has_value());
}

TEST_P(a_store, scans_back_from_the_end_of_a_prefix_or_below_a_key) {
  batch x;
  for (const auto* key :
       {"a", "b", "b1", "b2", "b3", "b\xff", "b\xff\xff", "c", "\xff", "\xff\xff"})
    x.put(key, key);
  x.erase("b2");
  ASSERT_TRUE(store_->commit(x, durability::synced));
  auto back = [&](std::string_view prefix, std::string_view below, size_t limit = no_limit) {
    std::string out;
    EXPECT_TRUE(store_->scan_back(prefix, below, limit, [&](auto key, auto value) {
      EXPECT_EQ(key, value);
      out.append(key).append(" ");
      return key != "b";
    }));
    return out;
  };
  EXPECT_EQ(back("b", ""), "b\xff\xff b\xff b3 b1 b ");
  EXPECT_EQ(back("b", "b3"), "b1 b "); // and not the key itself
  EXPECT_EQ(back("b", "b2"), "b1 b ");
  EXPECT_EQ(back("b", "z"), "b\xff\xff b\xff b3 b1 b "); // not above the prefix
  EXPECT_EQ(back("b", "b"), "");
  EXPECT_EQ(back("b", "a"), "");
  EXPECT_EQ(back("b", "", 2), "b\xff\xff b\xff ");
  EXPECT_EQ(back("b", "", 0), "");
  EXPECT_EQ(back("b\xff", ""), "b\xff\xff b\xff ");
  EXPECT_EQ(back("\xff", ""), "\xff\xff \xff ");
  EXPECT_EQ(back("", "c"), "b\xff\xff b\xff b3 b1 b "); // the visitor ends it
  EXPECT_EQ(back("", "", 3), "\xff\xff \xff c ");
  EXPECT_EQ(back("d", ""), "");
}

TEST_P(a_store, gives_a_snapshot_that_later_commits_do_not_change) {
  batch before;
  before.put("a1", "one");
  before.put("a2", "two");
  ASSERT_TRUE(store_->commit(before, durability::synced));
  auto held = store_->snapshot();
  batch after;
  after.put("a1", "new");
  after.erase("a2");
  after.put("a3", "three");
  ASSERT_TRUE(store_->commit(after, durability::buffered));
  auto all_of = [&](const reader& from) {
    std::string out;
    EXPECT_TRUE(from.scan("a", "", no_limit, [&](auto key, auto value) {
      // A scan within a scan, as a walk over a graph does it.
      EXPECT_TRUE(from.scan_back("a", "", 1, [&](auto last, auto) {
        out.append(last).append(">");
        return true;
      }));
      out.append(key).append("=").append(value).append(" ");
      return true;
    }));
    return out;
  };
  EXPECT_EQ(all_of(*held), "a2>a1=one a2>a2=two ");
  EXPECT_EQ(all_of(*store_), "a3>a1=new a3>a3=three ");
  EXPECT_EQ(held->get("a1")->value(), "one");
  EXPECT_FALSE(held->get("a3")->has_value());
}

TEST_P(a_store, erases_a_range_without_its_end) {
  batch x;
  for (const auto* key : {"e1", "e2", "e3", "f"})
    x.put(key, "");
  x.erase_range("e2", "f");
  x.erase_range("z", "a"); // empty
  ASSERT_TRUE(store_->commit(x, durability::synced));
  EXPECT_EQ(all(""), "e1= f= ");
}

TEST_P(a_store, erases_a_range_in_the_order_of_its_batch) {
  batch before;
  before.put("e0", "old");
  before.put("e1", "old");
  ASSERT_TRUE(store_->commit(before, durability::buffered));
  batch x;
  x.put("e1", "new");
  x.put("e2", "new");
  x.put("f", "new");
  x.erase_range("e", "f");
  x.put("e2", "newer");
  x.erase_range("e2", "e2"); // empty
  ASSERT_TRUE(store_->commit(x, durability::synced));
  EXPECT_EQ(all(""), "e2=newer f=new ");
}

TEST_P(a_store, stops_a_scan_when_told_and_lets_it_read) {
  batch x;
  x.put("a", "b");
  x.put("b", "c");
  ASSERT_TRUE(store_->commit(x, durability::buffered));
  int visits = 0;
  auto scanned = store_->scan("", "", no_limit, [&](auto, auto value) {
    auto next = store_->get(value);
    EXPECT_TRUE(next && next->has_value());
    return ++visits < 1;
  });
  ASSERT_TRUE(scanned);
  EXPECT_EQ(visits, 1);
}

INSTANTIATE_TEST_SUITE_P(stores, a_store, testing::Bool(),
                         [](const auto& x) { return x.param ? "rocksdb" : "memory"; });

TEST(memory_store, loses_what_was_not_synced) {
  memory_store store;
  batch first;
  first.put("a", "1");
  batch second;
  second.put("b", "2");
  batch third;
  third.put("a", "3");
  ASSERT_TRUE(store.commit(first, durability::buffered));
  ASSERT_TRUE(store.commit(second, durability::synced)); // and with it the first
  ASSERT_TRUE(store.commit(third, durability::buffered));
  EXPECT_EQ(store.unsynced(), 1u);
  EXPECT_EQ(store.get("a")->value(), "3");
  store.crash();
  EXPECT_EQ(store.get("a")->value(), "1");
  EXPECT_EQ(store.get("b")->value(), "2");
  EXPECT_EQ(store.unsynced(), 0u);
}

TEST(memory_store, a_crash_keeps_a_first_part_of_the_unsynced_commits) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    memory_store store;
    for (int i = 0; i < 8; ++i) {
      batch x;
      x.put(std::to_string(i), "");
      ASSERT_TRUE(store.commit(x, durability::buffered));
    }
    random_source chance(seed);
    store.crash(chance);
    bool present = true;
    for (int i = 0; i < 8; ++i) {
      auto found = store.get(std::to_string(i))->has_value();
      EXPECT_FALSE(found && !present) << "seed " << seed;
      present = found;
    }
  }
}

// The newest write-ahead log of a closed store.
std::string log_file(const std::string& directory) {
  std::string newest;
  for (const auto& x : std::filesystem::directory_iterator(directory))
    if (x.path().extension() == ".log")
      newest = std::max(newest, x.path().string());
  return newest;
}

void fill(const std::string& directory, int count) {
  auto store = rocksdb_store::open(directory);
  ASSERT_TRUE(store) << store.error().text;
  for (int i = 0; i < count; ++i) {
    batch x;
    x.put("key" + std::to_string(i), std::string(100, 'v'));
    ASSERT_TRUE((*store)->commit(x, durability::synced));
  }
}

TEST(rocksdb_store, refuses_a_second_open) {
  scratch_directory directory;
  auto first = rocksdb_store::open(directory.path);
  ASSERT_TRUE(first);
  auto second = rocksdb_store::open(directory.path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::already_exists);
  EXPECT_NE(second.error().text.find("is in use by another process; stop it or choose another"),
            std::string::npos);
  first = rocksdb_store::open(directory.path + "/other"); // closes the first
  EXPECT_TRUE(rocksdb_store::open(directory.path));
}

TEST(rocksdb_store, says_why_a_directory_cannot_be_used) {
  scratch_directory directory;
  std::ofstream(directory.path + "/file") << "x";
  auto opened = rocksdb_store::open(directory.path + "/file/store");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::io);
}

TEST(rocksdb_store, recovers_a_torn_end_of_its_log) {
  scratch_directory directory;
  fill(directory.path, 10);
  auto log = log_file(directory.path);
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 20);
  auto store = rocksdb_store::open(directory.path);
  ASSERT_TRUE(store) << store.error().text;
  EXPECT_TRUE((*store)->get("key8")->has_value());
  EXPECT_FALSE((*store)->get("key9")->has_value());
}

TEST(rocksdb_store, recovers_zeros_behind_its_log) {
  scratch_directory directory;
  fill(directory.path, 10);
  auto log = log_file(directory.path);
  std::filesystem::resize_file(log, std::filesystem::file_size(log) + 4096);
  auto store = rocksdb_store::open(directory.path);
  ASSERT_TRUE(store) << store.error().text;
  EXPECT_TRUE((*store)->get("key9")->has_value());
}

TEST(rocksdb_store, does_not_open_over_damage_inside_its_log) {
  scratch_directory directory;
  fill(directory.path, 10);
  {
    std::fstream log(log_file(directory.path), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(200);
    log.put('X');
  }
  auto store = rocksdb_store::open(directory.path);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, errc::corrupt) << store.error().text;
}

} // namespace
} // namespace troupe::storage
