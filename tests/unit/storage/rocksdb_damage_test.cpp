// Files of the store that are not as they were written: a read gives what was written, or an error.
#include "storage/log_end.hpp"
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

TEST_F(a_damaged_store, notices_a_bit_in_its_log) {
  flip_one(".log", 4);
}

TEST_F(a_damaged_store, notices_a_bit_in_its_manifest) {
  flip_one("MANIFEST", 4);
}

TEST_F(a_damaged_store, notices_a_bit_in_the_name_of_its_manifest) {
  flip_one("CURRENT", 2);
}

// The headers of the last records: what RocksDB believes without a sum is there.
TEST_F(a_damaged_store, notices_every_seventh_bit_at_the_end_of_its_logs) {
  for (const auto* kind : {".log", "MANIFEST"}) {
    auto bits = fs::file_size(files_of(fresh(), kind).back()) * 8;
    for (auto bit = bits - 120 * 8; bit < bits; bit += 7) {
      SCOPED_TRACE(std::string(kind) + " bit " + std::to_string(bit) + " of "
                   + std::to_string(bits));
      auto path = fresh();
      flip_bit(files_of(path, kind).back(), bit);
      ASSERT_TRUE(notices(path));
    }
  }
}

// At the end of the log: as a record that is not the last, and as the last.
TEST(log_end, is_damaged_where_a_length_or_a_type_is_wrong) {
  tried_store made(3);
  ASSERT_TRUE(made.reopen());
  std::vector<uint64_t> ends{0}; // bytes of the log after each commit
  for (int i = 0; i < 4; ++i) {
    batch changes;
    changes.put("key", std::string(100, 'v'));
    ASSERT_TRUE(made.store->commit(changes, durability::synced));
    ends.push_back(fs::file_size(files_of(made.path(), ".log").back()));
  }
  auto log = files_of(made.path(), ".log").back();
  EXPECT_TRUE(check_log_end(log));
  for (size_t record = 0; record + 1 < ends.size(); ++record)
    for (uint64_t bit = 4 * 8; bit < 7 * 8; ++bit) { // length and type
      auto at = ends[record] * 8 + bit;
      auto bytes = ends[record + 1] - ends[record] - 7;
      auto longer = bit < 6 * 8 ? bytes ^ (uint64_t{1} << (bit - 4 * 8)) : bytes;
      flip_bit(log, at);
      auto checked = check_log_end(log);
      // Others fail their sums when they are read.
      auto hides = ends[record] + 7 + longer > ends.back() || bit >= 6 * 8 + 3;
      EXPECT_TRUE(!checked || !hides) << "record " << record << " bit " << bit;
      flip_bit(log, at);
    }
  for (auto size = ends.back(); size > ends[2]; --size) { // torn
    fs::resize_file(log, size);
    EXPECT_TRUE(check_log_end(log)) << size;
  }
  fs::resize_file(log, ends.back() + 4096); // zeros
  EXPECT_TRUE(check_log_end(log));
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

TEST_F(a_damaged_store, notices_that_a_file_is_gone) {
  for (auto kind : {"CURRENT", "MANIFEST", ".sst"}) {
    auto path = fresh();
    fs::remove(files_of(path, kind).back());
    EXPECT_TRUE(notices(path)) << kind;
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
