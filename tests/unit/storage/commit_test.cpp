// Group commit, by counts; failure that stays; what a killed process leaves.
#include "storage/commit_inline.hpp"
#include "storage/commit_queue.hpp"
#include "storage/event_log.hpp"
#include "storage/memory_store.hpp"
#include "storage/rocksdb_store.hpp"
#include "tests/support/faulty_store.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

namespace troupe::storage {
namespace {

batch one(const std::string& key, const std::string& value = "") {
  batch x;
  x.put(key, value);
  return x;
}

TEST(commit_queue, makes_many_submits_one_synced_commit) {
  memory_store memory;
  faulty_store slow(memory);
  slow.hold();
  std::vector<int> answered;
  {
    commit_queue queue(slow);
    auto submit = [&](int i) {
      ASSERT_TRUE(queue.submit(one(std::to_string(i)), [&answered, i](auto committed) {
        EXPECT_TRUE(committed);
        answered.push_back(i); // only the writer thread does
      }));
    };
    submit(0);
    ASSERT_TRUE(slow.wait_until_held(1));
    for (int i = 1; i <= 100; ++i)
      submit(i);
    slow.release();
  } // the destructor commits what waits
  EXPECT_EQ(memory.syncs(), 2u);
  ASSERT_EQ(answered.size(), 101u);
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(memory.unsynced(), 0u);
  EXPECT_TRUE(memory.get("100")->has_value());
}

TEST(commit_queue, counts_batches_and_commits) {
  memory_store memory;
  faulty_store slow(memory);
  slow.hold();
  commit_stats seen;
  {
    commit_queue queue(slow, {.waiting_max = 1 << 20, .group_max = 10});
    for (int i = 0; i < 4; ++i)
      ASSERT_TRUE(queue.submit(one("key" + std::to_string(i)), [&](auto) { // 4 bytes each
        seen = queue.stats();
      }));
    slow.release();
  }
  EXPECT_EQ(seen.batches, 4u);
  EXPECT_GE(seen.commits, 2u); // a group has at most two
  EXPECT_LE(seen.commits, 4u);
}

TEST(commit_queue, refuses_above_its_bound_and_then_takes_more) {
  memory_store memory;
  faulty_store slow(memory);
  slow.hold();
  commit_queue queue(slow, {.waiting_max = 100, .group_max = 100});
  int answers = 0;
  auto count = [&](auto) { ++answers; };
  ASSERT_TRUE(queue.submit(one("first"), count));
  ASSERT_TRUE(slow.wait_until_held(1));
  ASSERT_TRUE(queue.submit(one("a", std::string(80, 'x')), count));
  auto refused = queue.submit(one("b", std::string(80, 'x')), count);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::queue_full);
  slow.release();
}

TEST(commit_queue, writes_nothing_after_a_failure) {
  memory_store memory;
  faulty_store full(memory);
  full.hold();
  full.fail_after(1);
  std::vector<errc> codes;
  {
    commit_queue queue(full, {.waiting_max = 100, .group_max = 1}); // a commit for each
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(queue.submit(one(std::to_string(i)), [&](auto committed) {
        codes.push_back(committed ? errc::ok : committed.error().code);
        if (!committed)
          full.mend(); // room again: too late
      }));
    full.release();
  }
  EXPECT_EQ(codes, (std::vector{errc::ok, errc::io, errc::unavailable}));
  EXPECT_TRUE(memory.get("0")->has_value());
  EXPECT_FALSE(memory.get("1")->has_value());
  EXPECT_FALSE(memory.get("2")->has_value());
}

TEST(commit_inline, answers_before_it_returns_and_stops_after_a_failure) {
  memory_store memory;
  faulty_store full(memory);
  full.fail_after(1);
  commit_inline writer(full);
  std::vector<errc> codes;
  auto note
    = [&](auto committed) { codes.push_back(committed ? errc::ok : committed.error().code); };
  ASSERT_TRUE(writer.submit(one("a"), note));
  EXPECT_EQ(codes.size(), 1u);
  ASSERT_TRUE(writer.submit(one("b"), note));
  full.mend();
  ASSERT_TRUE(writer.submit(one("c"), note));
  EXPECT_EQ(codes, (std::vector{errc::ok, errc::io, errc::unavailable}));
  EXPECT_EQ(writer.stats().commits, 1u);
  EXPECT_EQ(memory.unsynced(), 0u);
}

// Appends until it is killed, and reports each acknowledged number through the pipe.
[[noreturn]] void write_until_killed(const std::string& directory, int report) {
  auto store = rocksdb_store::open(directory);
  if (!store)
    ::_exit(1);
  commit_queue queue(**store);
  auto log = event_log::open(**store, queue);
  if (!log)
    ::_exit(1);
  for (;;)
    (*log)->append({std::to_string((*log)->last_sequence() + 1)}, [&](result<uint64_t> last) {
      if (last && ::write(report, &*last, sizeof *last) != sizeof *last)
        ::_exit(1);
    });
}

TEST(crash, a_killed_writer_loses_no_acknowledged_event) {
  scratch_directory directory;
  uint64_t acknowledged = 0;
  for (int round = 0; round < 3; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(directory.path, ends[1]);
    }
    ::close(ends[1]);
    auto stop = acknowledged + 200 + static_cast<uint64_t>(round) * 37;
    uint64_t number = 0;
    bool killed = false;
    while (::read(ends[0], &number, sizeof number) == sizeof number) {
      acknowledged = number;
      if (acknowledged >= stop && !killed) {
        killed = true;
        ::kill(child, SIGKILL); // what it had reported still comes
      }
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto store = rocksdb_store::open(directory.path);
    ASSERT_TRUE(store) << store.error().text;
    commit_inline writer(**store);
    auto log = event_log::open(**store, writer);
    ASSERT_TRUE(log) << log.error().text;
    EXPECT_GE((*log)->last_sequence(), acknowledged);
    uint64_t seen = 0;
    ASSERT_TRUE((*log)->replay(1, [&](uint64_t sequence, std::string_view bytes) {
      EXPECT_EQ(sequence, ++seen);
      EXPECT_EQ(bytes, std::to_string(sequence));
    }));
    EXPECT_EQ(seen, (*log)->last_sequence());
    acknowledged = seen;
  }
}

} // namespace
} // namespace troupe::storage
