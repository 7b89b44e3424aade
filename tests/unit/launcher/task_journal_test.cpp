#include "launcher/task_journal.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace troupe::testing {
namespace {

using launcher::task_journal;

start_task_msg order_of(uint32_t index) {
  start_task_msg out;
  out.task = std::make_unique<task_id_msg>();
  out.task->job = 7;
  out.task->attempt = 2;
  out.task->type = "worker";
  out.task->index = index;
  out.cpus = index + 1;
  return out;
}

class TaskJournal : public ::testing::Test {
protected:
  // What a later life would find: task index -> process.
  std::map<uint32_t, int> found() const {
    std::map<uint32_t, int> out;
    for (auto& [order, process] : task_journal{path}.tasks()) {
      EXPECT_EQ(order.cpus, order.task->index + 1);
      out[order.task->index] = process;
    }
    return out;
  }

  scratch_directory scratch;
  const std::string path = scratch.path + "/node/journal";
};

TEST_F(TaskJournal, ALaterLifeFindsWhatWasStartedAndNotForgotten) {
  {
    task_journal first{path};
    EXPECT_TRUE(first.tasks().empty());
    for (uint32_t i = 0; i < 3; ++i)
      ASSERT_TRUE(first.started(order_of(i), 100 + static_cast<int>(i)));
    first.forgotten(*order_of(1).task);
  }
  EXPECT_EQ(found(), (std::map<uint32_t, int>{{0, 100}, {2, 102}}));
  task_journal second{path};
  second.forgotten(*order_of(0).task);
  ASSERT_TRUE(second.started(order_of(5), 105));
  EXPECT_EQ(found(), (std::map<uint32_t, int>{{2, 102}, {5, 105}}));
}

TEST_F(TaskJournal, ARecordThatIsCutShortEndsIt) {
  ASSERT_TRUE(task_journal{path}.started(order_of(0), 100));
  auto whole = std::filesystem::file_size(path);
  task_journal second{path};
  ASSERT_TRUE(second.started(order_of(1), 101));
  auto both = std::filesystem::file_size(path);
  for (auto size = both - 1; size >= whole; --size) {
    std::filesystem::resize_file(path, size);
    EXPECT_EQ(found(), (std::map<uint32_t, int>{{0, 100}})) << size;
  }
  // What comes next is not lost behind the damage.
  task_journal third{path};
  ASSERT_TRUE(third.started(order_of(2), 102));
  EXPECT_EQ(found(), (std::map<uint32_t, int>{{0, 100}, {2, 102}}));
}

TEST_F(TaskJournal, DoesNotGrowWithThePast) {
  task_journal journal{path};
  ASSERT_TRUE(journal.started(order_of(0), 100));
  for (uint32_t i = 1; i <= 20'000; ++i) {
    ASSERT_TRUE(journal.started(order_of(i), 101));
    journal.forgotten(*order_of(i).task);
    ASSERT_LT(std::filesystem::file_size(path), size_t{2} << 20);
  }
  EXPECT_EQ(found(), (std::map<uint32_t, int>{{0, 100}}));
}

TEST_F(TaskJournal, SaysWhereItCannotWrite) {
  std::ofstream{scratch.path + "/node"} << "a file";
  auto refused = task_journal{path}.started(order_of(0), 100);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find(path), std::string::npos) << refused.error().text;
}

} // namespace
} // namespace troupe::testing
