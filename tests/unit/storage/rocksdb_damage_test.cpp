// Files of the store that are not as they were written: a read gives what was written, or an error.
#include "tests/unit/storage/tried_store.hpp"

#include <filesystem>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

using testing::files_of;
using testing::flip_bit;

// A closed store with many tables on more than one level, and a log.
class a_damaged_store : public ::testing::Test {
protected:
  a_damaged_store() {
    EXPECT_TRUE(made_.reopen());
    for (int i = 0; i < 3; ++i) { // each open makes tables of the log
      EXPECT_TRUE(made_.commit(120));
      EXPECT_TRUE(made_.reopen());
    }
    for (uint64_t i = 0; i < 600; ++i) {
      batch changes;
      changes.put(numbered('k', i % 400), random_value(made_.chance));
      EXPECT_TRUE(made_.store->commit(changes, durability::synced));
    }
    expected_ = all_of(*made_.store);
    made_.store.reset();
  }

  // A copy of its directory.
  std::string fresh() {
    auto path = made_.directory.path + "/copy";
    fs::remove_all(path);
    fs::copy(made_.path(), path);
    return path;
  }

  // Whether the store says that it is damaged; what it gives has to be right.
  bool notices(const std::string& path, uint64_t flip_reads = 0, uint64_t seed = 0) {
    testing::faulty_disk disk(path + ".aside");
    disk.flip_reads(flip_reads, seed);
    auto opened = rocksdb_store::open(path, small, &disk.environment());
    if (!opened)
      return is_damage(opened.error());
    auto& store = **opened;
    for (auto& [key, value] : expected_) {
      auto got = store.get(key);
      if (!got)
        return is_damage(got.error());
      EXPECT_TRUE(got->has_value() && **got == value) << key;
    }
    pairs forward, back;
    auto into = [](pairs& to) {
      return [&to](auto key, auto value) {
        to.emplace(key, value);
        return true;
      };
    };
    auto scanned = store.scan("", "", no_limit, into(forward));
    if (!scanned)
      return is_damage(scanned.error());
    EXPECT_TRUE(forward == expected_) << forward.size() << " of " << expected_.size();
    scanned = store.scan_back("", "", no_limit, into(back));
    if (!scanned)
      return is_damage(scanned.error());
    EXPECT_TRUE(back == expected_) << back.size() << " of " << expected_.size();
    return false;
  }

  static bool is_damage(const error& failed) {
    EXPECT_TRUE(failed.code == errc::corrupt || failed.code == errc::invalid) << failed.text;
    return true;
  }

  // Turns one bit in one file of the kind, of each seed another.
  void flip_one(std::string_view kind, int times) {
    int noticed = 0;
    each_seed(20, [&](uint64_t seed) {
      random_source chance(seed);
      for (int i = 0; i < times; ++i) {
        auto path = fresh();
        auto files = files_of(path, kind);
        ASSERT_FALSE(files.empty());
        auto& file = files[chance.below(files.size())];
        auto bit = chance.below(fs::file_size(file) * 8);
        SCOPED_TRACE(fs::path(file).filename().string() + " bit " + std::to_string(bit) + " of "
                     + std::to_string(fs::file_size(file) * 8));
        flip_bit(file, bit);
        noticed += notices(path) ? 1 : 0;
      }
    });
    RecordProperty("noticed", noticed);
    EXPECT_GT(noticed, 0);
  }

  tried_store made_{1};
  pairs expected_;
};

TEST_F(a_damaged_store, is_whole_before) {
  EXPECT_GT(files_of(made_.path(), ".sst").size(), 4u);
  EXPECT_FALSE(notices(fresh()));
}

TEST_F(a_damaged_store, notices_a_bit_in_a_table) {
  flip_one(".sst", 4);
}

// The first block of a table that is not the first of its level: RocksDB's own scan ends there.
TEST_F(a_damaged_store, notices_a_bit_in_the_first_block_of_each_table) {
  auto count = files_of(fresh(), ".sst").size();
  for (size_t i = 0; i < count; ++i) {
    auto path = fresh();
    auto file = files_of(path, ".sst")[i];
    SCOPED_TRACE(file);
    flip_bit(file, 100);
    EXPECT_TRUE(notices(path));
  }
}

TEST_F(a_damaged_store, notices_a_bit_that_a_read_turns) {
  each_seed(20, [&](uint64_t seed) {
    auto path = fresh();
    notices(path, 1 + seed % 40, seed);
    EXPECT_FALSE(notices(path));
  });
}

// A store of 0.1.0 has RocksDB's range deletions in its log and its tables; this one writes none,
// and its scans do not look for them.
TEST(rocksdb_store, carries_out_the_range_deletions_of_an_older_one) {
  scratch_directory directory;
  for (int i = 0; i < 2; ++i) {
    {
      auto opened = rocksdb_store::open(directory.path);
      ASSERT_TRUE(opened);
      batch changes;
      for (const auto* key : {"a1", "b1", "b2", "c1"})
        changes.put(key, "value");
      ASSERT_TRUE((*opened)->commit(changes, durability::synced));
    }
    ASSERT_TRUE(testing::erase_range_natively(directory.path, "b", "c"));
    auto opened = rocksdb_store::open(directory.path);
    ASSERT_TRUE(opened) << opened.error().text;
    EXPECT_EQ(all_of(**opened), (pairs{{"a1", "value"}, {"c1", "value"}}));
    EXPECT_FALSE((*opened)->get("b1")->has_value());
  }
}

} // namespace
} // namespace troupe::storage
