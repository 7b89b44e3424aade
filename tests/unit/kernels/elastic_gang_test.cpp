// A member of a gang learns of later generations by a file, and meets each anew.
#include "actors/training/elastic_gang.hpp"
#include "tests/support/scratch_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

namespace troupe::training {
namespace {

class ElasticGang : public testing::Test {
protected:
  task_environment task_of(uint32_t rank, uint32_t size) const {
    task_environment out;
    out.job = "elastic";
    out.rank = rank;
    out.world_size = size;
    for (uint32_t r = 0; r < size; ++r)
      out.members.push_back(member(r));
    out.secret = "first";
    out.generation_file = file_of(rank);
    return out;
  }

  static std::string member(uint32_t rank) {
    return std::string{"127.0.0.1:"}.append(
      std::to_string(static_cast<uint32_t>(::getpid()) % 60000 + rank));
  }

  std::string file_of(uint32_t rank) const {
    return scratch_.path + "/" + std::to_string(rank) + ".generation";
  }

  // As an executor does: the file is there as a whole or not at all.
  void announce(uint32_t to, uint32_t generation, uint32_t rank, uint32_t size) const {
    auto aside = file_of(to) + ".new";
    std::string members;
    for (uint32_t r = 0; r < size; ++r)
      members.append(r == 0 ? "" : ",").append(member(r));
    std::ofstream{aside} << "TROUPE_GENERATION=" << generation << "\nTROUPE_RANK=" << rank
                         << "\nTROUPE_WORLD_SIZE=" << size << "\nTROUPE_MEMBERS=" << members
                         << "\nTROUPE_SECRET=secret of " << generation << "\n";
    std::filesystem::rename(aside, file_of(to));
  }

  scratch_directory scratch_;
  system_clock time_;
};

TEST_F(ElasticGang, ReadsWhatIsAnnounced) {
  auto task = task_of(1, 3);
  auto none = later_generation(task);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  announce(1, 4, 0, 2);
  auto later = later_generation(task);
  ASSERT_TRUE(later && *later);
  EXPECT_EQ((*later)->generation, 4u);
  EXPECT_EQ((*later)->rank, 0u);
  EXPECT_EQ((*later)->members.size(), 2u);
  EXPECT_EQ((*later)->secret, "secret of 4");
  EXPECT_EQ((*later)->job, "elastic");
  auto same = later_generation(**later);
  ASSERT_TRUE(same);
  EXPECT_FALSE(*same);
  announce(1, 5, 2, 2);
  EXPECT_FALSE(later_generation(task));
}

TEST_F(ElasticGang, IsBehindFromWhenALaterGenerationIsAnnounced) {
  elastic_gang gang(task_of(0, 1), time_);
  ASSERT_TRUE(gang.join());
  EXPECT_FALSE(gang.is_behind());
  announce(0, 1, 0, 1);
  EXPECT_TRUE(gang.is_behind());
  ASSERT_TRUE(gang.regroup());
  EXPECT_EQ(gang.task().generation, 1u);
  EXPECT_EQ(gang.group(), nullptr);
  EXPECT_FALSE(gang.is_behind());
}

TEST_F(ElasticGang, SaysWhichGenerationIsNoMoreForIt) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  auto task = task_of(0, 1);
  task.metrics_fd = ends[1];
  task.generation = 2;
  elastic_gang gang(task, time_, {std::chrono::milliseconds(300), {}});
  ASSERT_TRUE(gang.join());
  EXPECT_EQ(gang.regroup().error().code, errc::deadline);
  std::array<char, 100> text{};
  auto size = ::read(ends[0], text.data(), text.size());
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text.data(), static_cast<size_t>(size)), "awaits 2\n"); // once
  for (auto each : ends)
    ::close(each);
}

TEST_F(ElasticGang, SurvivorsMeetInTheGenerationWithoutTheLost) {
  std::vector<std::thread> ranks;
  for (uint32_t rank = 0; rank < 3; ++rank)
    ranks.emplace_back([&, rank] {
      elastic_gang gang(task_of(rank, 3), time_);
      ASSERT_TRUE(gang.join());
      std::vector<float> row{static_cast<float>(rank)};
      ASSERT_TRUE(gang.group()->allreduce(row, collective::reduction::sum));
      EXPECT_EQ(row[0], 3);
      if (rank == 1)
        return; // it is lost
      EXPECT_FALSE(gang.group()->allreduce(row, collective::reduction::sum));
      if (rank == 0) {
        announce(0, 1, 0, 2);
        announce(2, 1, 1, 2);
      }
      ASSERT_TRUE(gang.regroup());
      row[0] = 1;
      ASSERT_TRUE(gang.group()->allreduce(row, collective::reduction::sum));
      EXPECT_EQ(row[0], 2);
    });
  for (auto& each : ranks)
    each.join();
}

// Rank 1 of generation 1 never comes: rank 0 waits for it until generation 2 is there.
TEST_F(ElasticGang, AGenerationThatCannotMeetIsPassedOver) {
  announce(0, 1, 0, 2);
  elastic_gang gang(task_of(0, 1), time_);
  std::thread later([&] {
    auto waits_in_the_first = [] { // its memory is there: attempt 1, generation 1
      std::filesystem::directory_iterator all{"/dev/shm"};
      return std::any_of(begin(all), end(all),
                         [](auto& x) { return x.path().string().ends_with("_1.1"); });
    };
    while (!waits_in_the_first())
      std::this_thread::yield();
    announce(0, 2, 0, 1);
  });
  ASSERT_TRUE(gang.join());
  later.join();
  EXPECT_EQ(gang.task().generation, 2u);
}

TEST_F(ElasticGang, EndsItsWaitWhenItIsAskedToOrPatienceIsOver) {
  auto asked = false;
  elastic_gang gang(task_of(0, 1), time_, {.patience = {}, .ended = [&] { return asked; }});
  ASSERT_TRUE(gang.join());
  auto late = gang.regroup();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::deadline);
  asked = true;
  auto ended = gang.regroup();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, errc::aborted);
}

TEST_F(ElasticGang, DoesNotWaitWhereNoLaterGenerationMendsWhatIsWrong) {
  auto task = task_of(0, 2);
  task.members = {"10.0.0.1:7000", "10.0.0.2:7000"}; // and no socket on which it listens
  elastic_gang gang(task, time_, {.patience = {}, .ended = {}});
  EXPECT_EQ(gang.join().error().code, errc::invalid);
  elastic_gang told_wrong(task_of(1, 1), time_, {.patience = {}, .ended = {}});
  ASSERT_TRUE(told_wrong.join());
  announce(1, 2, 2, 2);
  EXPECT_EQ(told_wrong.regroup().error().code, errc::invalid);
}

TEST_F(ElasticGang, WithoutAFileItsMembersDoNotChange) {
  auto task = task_of(0, 1);
  task.generation_file.clear();
  elastic_gang gang(task, time_);
  EXPECT_FALSE(gang.may_change());
  EXPECT_FALSE(gang.is_behind());
  EXPECT_FALSE(gang.regroup());
}

} // namespace
} // namespace troupe::training
