// The store, the queue and the log on a disk that loses its power, is full, fails or lies, against
// a model in memory.
#include "storage/commit_queue.hpp"
#include "storage/event_log.hpp"
#include "tests/unit/storage/tried_store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <thread>

namespace troupe::storage {
namespace {

using testing::disk_call;
using testing::faulty_disk;
using testing::torn_end;

TEST(rocksdb_faults, after_a_crash_every_acknowledged_commit_is_there_and_nothing_else) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    for (int life = 0; life < 6; ++life) {
      ASSERT_TRUE(x.reopen()) << "life " << life;
      if (life % 2 == 0)
        x.disk.crash_at(1 + x.chance.below(400), random_source(x.chance.next()));
      for (auto commits = x.chance.below(150); commits > 0; --commits) {
        if (!x.commit())
          break;
        x.expect_reads();
      }
      x.disk.crash(x.chance);
    }
    ASSERT_TRUE(x.reopen());
  });
}

TEST(rocksdb_faults, a_crash_while_it_is_made_or_opened_loses_nothing) {
  each_seed(20, [](uint64_t seed) {
    tried_store made(seed);
    for (int crashes = 0; crashes < 4; ++crashes) { // of the first open, and of what it left
      made.disk.crash_at(1 + made.chance.below(60), random_source(made.chance.next()));
      (void)made.open();
      made.disk.crash(made.chance);
    }
    ASSERT_TRUE(made.reopen());
    ASSERT_TRUE(made.commit(made.chance.below(150)));
    made.disk.crash(made.chance);
    for (int crashes = 0; crashes < 4; ++crashes) {
      made.disk.start();
      made.disk.crash_at(1 + made.chance.below(120), random_source(made.chance.next()));
      (void)made.open();
      made.disk.crash(made.chance);
    }
    ASSERT_TRUE(made.reopen());
  });
}

// The log's end may hold any bytes: the store then opens as it was, or says that it is damaged.
TEST(rocksdb_faults, garbage_behind_a_torn_end_gives_no_wrong_bytes) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    ASSERT_TRUE(x.reopen());
    x.disk.crash_at(20 + x.chance.below(300), random_source(x.chance.next()), torn_end::garbage);
    while (x.commit()) {
    }
    auto opened = x.open();
    EXPECT_TRUE(opened ? x.found() : opened.error().code == errc::corrupt);
  });
}

// Each buffered commit is whole or lost, also where the synced ones around it are not.
TEST(rocksdb_faults, a_crash_loses_no_buffered_commit_before_a_synced_one) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    size_t done = 0;
    size_t synced = 0;
    std::map<size_t, std::string> values;
    for (int life = 0; life < 4; ++life) {
      ASSERT_TRUE(x.open());
      for (auto i = done; i-- > 0;) {
        if (!values.contains(i))
          continue; // an earlier crash took it
        auto a = x.store->get(numbered('a', i));
        auto b = x.store->get(numbered('b', i));
        ASSERT_TRUE(a && b);
        EXPECT_EQ(a->has_value(), b->has_value());
        EXPECT_TRUE(a->has_value() || i >= synced) << i << " of " << synced;
        EXPECT_TRUE(!a->has_value() || (**a == values[i] && **b == values[i])) << i;
        if (!a->has_value())
          values.erase(i);
      }
      synced = done; // what an open has found stays
      x.disk.crash_at(1 + x.chance.below(500), random_source(x.chance.next()));
      for (bool well = true; well; ++done) {
        batch changes;
        values[done] = random_value(x.chance);
        changes.put(numbered('a', done), values[done]);
        changes.put(numbered('b', done), values[done]);
        auto how = x.chance.below(4) == 0 ? durability::synced : durability::buffered;
        well = bool(x.store->commit(changes, how));
        if (well && how == durability::synced)
          synced = done + 1;
      }
    }
  });
}

TEST(rocksdb_faults, a_full_disk_loses_nothing_and_says_so) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    ASSERT_TRUE(x.reopen());
    x.disk.fill_after(x.chance.below(400'000));
    auto last = x.commit(2'000);
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, errc::io);
    EXPECT_NE(last.error().text.find("the disk is full: free some space and start again"),
              std::string::npos)
      << last.error().text;
    x.expect_reads_of(x.states[x.states.size() - 2]); // what was acknowledged
    EXPECT_FALSE(x.commit());                         // until it is opened again
    auto opened = x.open();                           // on a disk that is full still
    EXPECT_TRUE(opened || opened.error().code == errc::io) << opened.error().text;
    x.disk.mend();
    if (x.chance.below(2) == 0)
      x.disk.crash(x.chance);
    ASSERT_TRUE(x.reopen());
    EXPECT_TRUE(x.commit(50));
    ASSERT_TRUE(x.reopen());
  });
}

// Though space is made in the meantime: what the failed write left is known to the next open only.
TEST(rocksdb_faults, a_store_whose_write_failed_writes_no_more) {
  auto fail = std::to_array<void (*)(faulty_disk&)>({
    [](auto& disk) { disk.fail(disk_call::write, 1); },
    [](auto& disk) { disk.fail(disk_call::sync, 1); },
    [](auto& disk) { disk.fill_after(100); },
  });
  for (auto each : fail) {
    tried_store x(1);
    ASSERT_TRUE(x.reopen());
    ASSERT_TRUE(x.commit(5));
    each(x.disk);
    ASSERT_FALSE(x.commit(2));
    EXPECT_GE(x.disk.faults(), 1u);
    x.disk.mend();
    for (int i = 0; i < 1'000; ++i) {
      ASSERT_FALSE(x.commit());
      std::this_thread::yield();     // to RocksDB's thread that would resume
      x.states.resize(x.synced + 2); // the failed one is the last that may be there
    }
    ASSERT_TRUE(x.reopen());
    EXPECT_TRUE(x.commit(5));
  }
}

TEST(rocksdb_faults, a_call_that_fails_loses_nothing) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    ASSERT_TRUE(x.reopen());
    for (auto call :
         {disk_call::open, disk_call::write, disk_call::sync, disk_call::rename, disk_call::read}) {
      SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)));
      x.disk.fail(call, 1 + x.chance.below(call == disk_call::rename ? 8 : 60));
      if (x.chance.below(2) == 0) {
        auto opened = x.open(); // the call may be one of an open
        EXPECT_TRUE(opened || opened.error().code != errc::internal) << opened.error().text;
      }
      if (x.store)
        (void)x.commit(150);
      if (x.chance.below(2) == 0)
        x.disk.crash(x.chance);
      x.disk.mend();
      ASSERT_TRUE(x.reopen());
    }
  });
}

// A disk that lies. Of the acknowledged commits any may be gone, but no value is a wrong one.
TEST(rocksdb_faults, dropped_syncs_give_no_wrong_bytes) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    ASSERT_TRUE(x.reopen());
    ASSERT_TRUE(x.commit(x.chance.below(50)));
    x.disk.drop_syncs_after(0);
    ASSERT_TRUE(x.commit(x.chance.below(200)));
    x.disk.crash(x.chance);
    auto opened = x.open();
    ASSERT_TRUE(opened || opened.error().code == errc::corrupt) << opened.error().text;
    if (!opened)
      return;
    for (auto& [key, value] : all_of(*x.store)) {
      auto had = [&](auto& each) { return each.contains(key) && each.at(key) == value; };
      EXPECT_TRUE(std::any_of(x.states.begin(), x.states.end(), had)) << key;
    }
  });
}

std::string event(uint64_t sequence) {
  random_source chance(sequence);
  return std::to_string(sequence) + ":" + random_value(chance);
}

// Every event from the first that is not trimmed, without gaps.
void expect_whole(const event_log& log) {
  auto trimmed = log.trimmed();
  ASSERT_TRUE(trimmed);
  auto next = *trimmed + 1;
  ASSERT_TRUE(log.replay(next, [&](uint64_t sequence, std::string_view bytes) {
    EXPECT_EQ(sequence, next++);
    EXPECT_TRUE(bytes == event(sequence)) << sequence;
  }));
  EXPECT_EQ(next, log.last_sequence() + 1);
}

TEST(rocksdb_faults, the_log_notices_what_dropped_syncs_have_lost) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    ASSERT_TRUE(x.open());
    x.disk.drop_syncs_after(x.chance.below(40));
    {
      commit_queue writer(*x.store);
      auto log = event_log::open(*x.store, writer);
      ASSERT_TRUE(log);
      for (auto i = x.chance.below(300); i > 0; --i)
        (*log)->append({event((*log)->last_sequence() + 1)}, [](auto) {});
    }
    x.disk.crash(x.chance);
    auto opened = x.open();
    if (opened) {
      commit_queue writer(*x.store);
      auto log = event_log::open(*x.store, writer);
      if (log)
        return expect_whole(**log);
      opened = log.error();
    }
    EXPECT_EQ(opened.error().code, errc::corrupt) << opened.error().text;
  });
}

TEST(rocksdb_faults, the_log_has_every_acknowledged_event_after_a_crash) {
  each_seed(20, [](uint64_t seed) {
    tried_store x(seed);
    std::atomic<uint64_t> acknowledged = 0;
    std::atomic<uint64_t> covered = 0; // by a durable snapshot
    for (int life = 0; life < 5; ++life) {
      ASSERT_TRUE(x.open());
      commit_queue writer(*x.store);
      auto opened = event_log::open(*x.store, writer);
      ASSERT_TRUE(opened) << opened.error().text;
      auto& log = **opened;
      ASSERT_GE(log.last_sequence(), acknowledged);
      expect_whole(log);
      auto snapshot = log.load_snapshot([](auto, auto) {});
      ASSERT_TRUE(snapshot);
      ASSERT_GE(*snapshot, covered);
      x.disk.crash_at(1 + x.chance.below(500), random_source(x.chance.next()));
      for (auto i = x.chance.below(200); i > 0; --i) {
        std::vector<std::string> events;
        for (auto n = 1 + x.chance.below(3); n > 0; --n)
          events.push_back(event(log.last_sequence() + events.size() + 1));
        log.append(std::move(events), [&](result<uint64_t> last) {
          if (last)
            acknowledged = *last;
        });
        if (x.chance.below(10) == 0) {
          auto upto = log.last_sequence();
          log.save_snapshot(upto, {{"all", std::to_string(upto)}}, [&, upto](result<void> well) {
            if (well)
              covered = upto;
          });
          batch mark;
          put_projection_mark(mark, upto);
          ASSERT_TRUE(writer.submit(std::move(mark), [](auto) {}));
          log.trim(covered, [](auto) {}); // refused where the mark is not there yet
        }
      }
      x.disk.crash(x.chance);
    }
  });
}

// The writer of the test below, in a process of its own: commits numbers for ever, and tells each
// that was acknowledged to a pipe.
TEST(rocksdb_faults, DISABLED_writes_until_it_is_killed) {
  std::string_view told = std::getenv("TROUPE_TOLD");
  auto pipe = std::stoi(std::string(told.substr(0, told.find(':'))));
  auto opened = rocksdb_store::open(std::string(told.substr(told.find(':') + 1)), small);
  ASSERT_TRUE(opened) << opened.error().text;
  uint64_t next = all_of(**opened).size() + 1;
  for (;; ++next) {
    batch changes;
    changes.put(std::to_string(next), event(next));
    ASSERT_TRUE((*opened)->commit(changes, durability::synced));
    ASSERT_EQ(::write(pipe, &next, sizeof next), ssize_t{sizeof next});
  }
}

// Starts the writer, kills it when it has acknowledged that many, and gives the last of all.
uint64_t write_and_kill(const std::string& directory, uint64_t commits) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  auto told = "TROUPE_TOLD=" + std::to_string(pipe[1]) + ":" + directory;
  std::array<const char*, 4> arguments{
    "/proc/self/exe", "--gtest_also_run_disabled_tests",
    "--gtest_filter=rocksdb_faults.DISABLED_writes_until_it_is_killed", nullptr};
  std::array<char*, 2> environment{told.data(), nullptr};
  auto child = ::fork();
  if (child == 0) {
    ::close(1); // what it prints
    ::execve("/proc/self/exe", const_cast<char* const*>(arguments.data()), environment.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  uint64_t last = 0;
  uint64_t number = 0;
  while (::read(pipe[0], &number, sizeof number) == ssize_t{sizeof number}) {
    last = number;
    if (commits-- == 0)
      ::kill(child, SIGKILL);
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  return last;
}

TEST(rocksdb_faults, a_killed_process_loses_no_acknowledged_commit) {
  scratch_directory directory;
  random_source chance(1);
  for (int life = 0; life < 12; ++life) {
    auto acknowledged = write_and_kill(directory.path, chance.below(120));
    auto opened = rocksdb_store::open(directory.path, small);
    ASSERT_TRUE(opened) << opened.error().text;
    auto there = all_of(**opened);
    EXPECT_GE(there.size(), acknowledged);
    EXPECT_LE(there.size(), acknowledged + 1);
    for (uint64_t i = 1; i <= there.size(); ++i)
      EXPECT_TRUE(there[std::to_string(i)] == event(i)) << i;
  }
}

} // namespace
} // namespace troupe::storage
