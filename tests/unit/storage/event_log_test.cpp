#include "storage/commit_inline.hpp"
#include "storage/commit_queue.hpp"
#include "storage/event_log.hpp"
#include "storage/memory_store.hpp"
#include "storage/record.hpp"
#include "tests/support/faulty_store.hpp"

#include <gtest/gtest.h>
#include <xxhash.h>

namespace troupe::storage {
namespace {

class log_of_events : public testing::Test {
protected:
  log_of_events() : faulty_(memory_) { reopen(); }

  // A new life over the same store.
  void reopen() {
    writer_ = std::make_unique<commit_inline>(faulty_);
    auto opened = event_log::open(faulty_, *writer_);
    opened_ = opened ? errc::ok : opened.error().code;
    if (opened)
      log_ = std::move(*opened);
  }

  result<uint64_t> append(std::vector<std::string> events) {
    result<uint64_t> out(errc::internal, "not answered");
    log_->append(std::move(events), [&](auto last) { out = std::move(last); });
    return out;
  }

  result<void> save_snapshot(uint64_t sequence, std::vector<snapshot_part> changed) {
    result<void> out(errc::internal, "not answered");
    log_->save_snapshot(sequence, std::move(changed), [&](auto saved) { out = std::move(saved); });
    return out;
  }

  std::string loaded() {
    std::string out;
    auto sequence = log_->load_snapshot(
      [&](auto name, auto bytes) { out.append(name).append("=").append(bytes).append(" "); });
    return sequence ? out + "of " + std::to_string(*sequence)
                    : std::string{name_of(sequence.error().code)};
  }

  result<void> trim(uint64_t up_to) {
    result<void> out(errc::internal, "not answered");
    log_->trim(up_to, [&](auto trimmed) { out = std::move(trimmed); });
    return out;
  }

  void project(uint64_t sequence) {
    batch x;
    put_projection_mark(x, sequence);
    ASSERT_TRUE(memory_.commit(x, durability::synced));
  }

  std::string replayed(uint64_t from = 1) {
    std::string out;
    auto done = log_->replay(from, [&](uint64_t sequence, std::string_view bytes) {
      out.append(std::to_string(sequence)).append(":").append(bytes).append(" ");
    });
    return done ? out : std::string(name_of(done.error().code));
  }

  static std::string key(uint64_t sequence) {
    return std::string("e").append(big_endian(sequence));
  }

  // Puts other bytes where an event is.
  void overwrite(uint64_t sequence, std::string bytes) {
    batch x;
    x.put(key(sequence), std::move(bytes));
    ASSERT_TRUE(memory_.commit(x, durability::synced));
  }

  void flip_bit(uint64_t sequence) {
    auto value = memory_.get(key(sequence))->value();
    value.back() = static_cast<char>(value.back() ^ 4);
    overwrite(sequence, value);
  }

  memory_store memory_;
  faulty_store faulty_;
  std::unique_ptr<commit_inline> writer_;
  std::unique_ptr<event_log> log_;
  errc opened_ = errc::ok;
};

TEST_F(log_of_events, numbers_events_from_one_and_replays_them) {
  EXPECT_EQ(log_->last_sequence(), 0u);
  EXPECT_EQ(*append({"a", "b"}), 2u);
  EXPECT_EQ(*append({std::string("\0", 1)}), 3u);
  EXPECT_EQ(*append({""}), 4u);
  reopen();
  EXPECT_EQ(log_->last_sequence(), 4u);
  EXPECT_EQ(replayed(), std::string("1:a 2:b 3:") + std::string("\0", 1) + " 4: ");
  EXPECT_EQ(replayed(4), "4: ");
  EXPECT_EQ(replayed(5), "");
  EXPECT_EQ(*append({"e"}), 5u);
}

TEST_F(log_of_events, an_answer_may_append_again) {
  uint64_t last = 0;
  log_->append({"a"}, [&](auto) { log_->append({"b"}, [&](auto x) { last = *x; }); });
  EXPECT_EQ(last, 2u);
}

TEST_F(log_of_events, an_acknowledged_event_survives_and_a_dropped_sync_shows) {
  ASSERT_TRUE(append({"a"}));
  faulty_.drop_syncs(true);
  ASSERT_TRUE(append({"b"}));
  memory_.crash();
  reopen();
  EXPECT_EQ(replayed(), "1:a ");
}

TEST_F(log_of_events, a_full_disk_answers_with_an_error_and_loses_nothing_acknowledged) {
  ASSERT_TRUE(append({"a"}));
  faulty_.fail_after(0);
  auto failed = append({"b"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errc::io);
  faulty_.mend();
  EXPECT_EQ(append({"c"}).error().code, errc::unavailable); // no gap is ever written
  reopen();
  EXPECT_EQ(replayed(), "1:a ");
  EXPECT_EQ(*append({"d"}), 2u);
}

TEST_F(log_of_events, removes_a_torn_end) {
  ASSERT_TRUE(append({"a", "b", "c"}));
  flip_bit(3);
  overwrite(2, "\1");
  reopen();
  ASSERT_EQ(opened_, errc::ok);
  EXPECT_EQ(replayed(), "1:a ");
  EXPECT_EQ(*append({"d"}), 2u);
  EXPECT_EQ(replayed(), "1:a 2:d ");
}

TEST_F(log_of_events, does_not_open_over_damage_in_the_middle) {
  ASSERT_TRUE(append({"a", "b", "c"}));
  flip_bit(2);
  EXPECT_EQ(replayed(), "corrupt");
  reopen();
  EXPECT_EQ(opened_, errc::corrupt);
}

TEST_F(log_of_events, does_not_open_over_a_gap) {
  ASSERT_TRUE(append({"a", "b", "c"}));
  batch x;
  x.erase(key(2));
  ASSERT_TRUE(memory_.commit(x, durability::synced));
  reopen();
  EXPECT_EQ(opened_, errc::corrupt);
}

TEST_F(log_of_events, does_not_drop_an_end_that_the_projection_has_seen) {
  ASSERT_TRUE(append({"a", "b"}));
  project(2);
  flip_bit(2);
  reopen();
  EXPECT_EQ(opened_, errc::corrupt);
}

TEST_F(log_of_events, a_record_of_another_key_is_no_event) {
  ASSERT_TRUE(append({"a"}));
  overwrite(2, memory_.get(key(1))->value());
  reopen();
  EXPECT_EQ(opened_, errc::ok); // torn
  EXPECT_EQ(log_->last_sequence(), 1u);
}

TEST_F(log_of_events, does_not_open_over_a_key_that_is_no_events) {
  ASSERT_TRUE(append({"a", "b"}));
  batch x;
  x.put(key(1).append("x"), "garbage"); // behind event 1, and bad: replay would stop at it
  ASSERT_TRUE(memory_.commit(x, durability::synced));
  reopen();
  EXPECT_EQ(opened_, errc::corrupt);
}

TEST_F(log_of_events, does_not_remove_what_a_newer_version_wrote) {
  ASSERT_TRUE(append({"a"}));
  auto summed = key(2).append("\2payload");
  auto checksum = XXH3_64bits(summed.data(), summed.size());
  std::string value("\2");
  value.append(reinterpret_cast<const char*>(&checksum), sizeof checksum).append("payload");
  overwrite(2, value);
  reopen();
  EXPECT_EQ(opened_, errc::invalid);
  EXPECT_EQ(memory_.get(key(2))->value(), value);
}

TEST_F(log_of_events, a_snapshot_replaces_what_has_changed) {
  EXPECT_EQ(loaded(), "of 0");
  ASSERT_TRUE(append({"a", "b", "c"}));
  ASSERT_TRUE(save_snapshot(1, {{"y", "1"}, {"x", "1"}, {"z", "1"}}));
  EXPECT_EQ(loaded(), "x=1 y=1 z=1 of 1");
  ASSERT_TRUE(save_snapshot(3, {{"z", "3"}, {"y", std::nullopt}, {"v", std::nullopt}}));
  std::vector<snapshot_part> part{{"x", "9"}};
  EXPECT_EQ(save_snapshot(2, part).error().code, errc::invalid);
  EXPECT_EQ(save_snapshot(4, part).error().code, errc::invalid);
  part[0].bytes = std::string(event_size_max + 1, 'x');
  EXPECT_EQ(save_snapshot(3, part).error().code, errc::invalid);
  memory_.crash();
  reopen();
  EXPECT_EQ(loaded(), "x=1 z=3 of 3");
  ASSERT_TRUE(save_snapshot(3, {}));
  EXPECT_EQ(loaded(), "x=1 z=3 of 3");
}

TEST_F(log_of_events, a_part_that_is_damaged_is_not_loaded) {
  ASSERT_TRUE(append({"a"}));
  ASSERT_TRUE(save_snapshot(1, {{"x", "1"}, {"y", "1"}}));
  batch change;
  change.put("ny", **memory_.get("nx"));
  ASSERT_TRUE(memory_.commit(change, durability::synced));
  EXPECT_EQ(loaded(), "corrupt");
}

TEST_F(log_of_events, trims_only_behind_snapshot_and_projection) {
  ASSERT_TRUE(append({"a", "b", "c", "d"}));
  EXPECT_EQ(trim(1).error().code, errc::refused);
  ASSERT_TRUE(save_snapshot(3, {}));
  EXPECT_EQ(trim(1).error().code, errc::refused);
  project(2);
  EXPECT_EQ(trim(3).error().code, errc::refused);
  EXPECT_EQ(replayed(), "1:a 2:b 3:c 4:d ");
  ASSERT_TRUE(trim(2));
  ASSERT_TRUE(trim(1)); // again, or less: nothing to do
  EXPECT_EQ(replayed(2), "not found");
  EXPECT_EQ(replayed(3), "3:c 4:d ");
  memory_.crash();
  reopen();
  ASSERT_EQ(opened_, errc::ok);
  EXPECT_EQ(*log_->trimmed(), 2u);
  project(4);
  ASSERT_TRUE(save_snapshot(4, {}));
  ASSERT_TRUE(trim(4));
  reopen();
  EXPECT_EQ(log_->last_sequence(), 4u); // the numbers go on behind an empty log
  EXPECT_EQ(*append({"e"}), 5u);
}

TEST_F(log_of_events, refuses_an_event_above_the_limit) {
  EXPECT_EQ(append({"a", std::string(event_size_max + 1, 'x')}).error().code, errc::invalid);
  EXPECT_EQ(*append({"b"}), 1u);
}

TEST(event_log, a_full_queue_leaves_no_gap) {
  memory_store memory;
  faulty_store slow(memory);
  uint64_t last = 0;
  {
    commit_queue queue(slow, {.waiting_max = 64, .group_max = 64});
    auto log = event_log::open(slow, queue);
    ASSERT_TRUE(log);
    slow.hold();
    std::vector<errc> refused;
    auto note = [&](auto x) {
      if (!x)
        refused.push_back(x.error().code);
    };
    (*log)->append({"a"}, [](auto x) { EXPECT_TRUE(x); });
    ASSERT_TRUE(slow.wait_until_held(1));
    (*log)->append({std::string(40, 'b')}, [](auto x) { EXPECT_TRUE(x); });
    (*log)->append({std::string(40, 'c')}, note); // at once, on this thread
    EXPECT_EQ(refused, std::vector{errc::queue_full});
    EXPECT_EQ((*log)->last_sequence(), 2u);
    last = (*log)->last_sequence();
    slow.release();
  }
  commit_inline writer(memory);
  auto again = event_log::open(memory, writer);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->last_sequence(), last);
}

} // namespace
} // namespace troupe::storage
