// A training on disk: it goes on where it was, and only where it belongs.
#include "actors/training/checkpoints.hpp"
#include "actors/training/image_network.hpp"
#include "kernels/onednn/onednn.hpp"
#include "storage/checkpoint.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

namespace troupe::training {
namespace {

class Checkpoints : public testing::Test {
protected:
  void SetUp() override {
    auto made = kernels::onednn::make_backend();
    ASSERT_TRUE(made);
    backend_ = *std::move(made);
    std::vector<uint8_t> pixels;
    std::vector<uint8_t> labels;
    for (size_t i = 0; i < 40; ++i)
      labels.push_back(static_cast<uint8_t>(i % 10));
    for (size_t i = 0; i < 40 * 64; ++i)
      pixels.push_back(static_cast<uint8_t>(i * i % 251));
    data_ = labelled_images(8, 8, pixels, labels);
  }

  trainer make(const training_plan& plan) const {
    auto net
      = make_image_network(*backend_, {.batch = plan.batch, .rows = 8, .columns = 8}, plan.seed);
    TROUPE_ASSERT(net);
    auto made = trainer::make(*backend_, *std::move(net), images_with_labels(*data_), plan);
    TROUPE_ASSERT(made);
    return *std::move(made);
  }

  result<void> save(const trainer& of, uint64_t attempt,
                    const storage::checkpoint_shard& shard = {}) const {
    checkpoint_writer writer(directory_);
    TROUPE_TRY(writer.save(of, attempt, shard));
    return writer.wait();
  }

  // Each rank of a gang runs in a thread of its own.
  void run_gang(uint32_t size, const std::function<void(collective::group&)>& rank_of) {
    auto name = "troupe_checkpoints_" + std::to_string(::getpid()) + "_" + std::to_string(++gangs_);
    std::vector<std::thread> ranks;
    for (uint32_t rank = 0; rank < size; ++rank)
      ranks.emplace_back([&, rank] {
        collective::group_options options{.rank = rank, .size = size, .secret = "of this test"};
        auto gang = collective::join_shm(options, name);
        ASSERT_TRUE(gang) << gang.error().text;
        rank_of(**gang);
      });
    for (auto& each : ranks)
      each.join();
  }

  // What a gang of this size makes of what `begin` gives its rank 0.
  training_state end_of(uint32_t size, const std::function<void(trainer&)>& begin) {
    training_state out;
    run_gang(size, [&](collective::group& gang) {
      auto one = make(plan_);
      if (gang.rank() == 0)
        begin(one);
      ASSERT_TRUE(one.join({&gang}));
      ASSERT_TRUE(one.synchronise());
      while (!one.done())
        ASSERT_TRUE(one.advance());
      if (gang.rank() == 0)
        out = *one.state();
      one.leave();
    });
    return out;
  }

  static void expect_equal(const training_state& got, const training_state& wanted) {
    EXPECT_EQ(got.step, wanted.step);
    EXPECT_EQ(got.updates, wanted.updates);
    EXPECT_EQ(got.epoch, wanted.epoch);
    EXPECT_EQ(got.consumed, wanted.consumed);
    EXPECT_EQ(got.parameters, wanted.parameters);
    EXPECT_EQ(got.optimiser, wanted.optimiser);
    EXPECT_EQ(got.statistics, wanted.statistics);
  }

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& x : std::filesystem::recursive_directory_iterator(directory_))
      if (x.is_regular_file())
        out.push_back(x.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  int gangs_ = 0;
  scratch_directory scratch_;
  const std::string& directory_ = scratch_.path;
  std::unique_ptr<kernels::backend> backend_;
  std::unique_ptr<dataset> data_;
  const training_plan plan_{.epochs = 3, .batch = 8};
};

TEST_F(Checkpoints, AResumedRunEqualsAnUndisturbedOneBitForBit) {
  auto whole = make(plan_);
  while (!whole.done()) {
    ASSERT_TRUE(whole.advance());
    if (whole.step() == 7) {
      auto saved = save(whole, 1);
      ASSERT_TRUE(saved) << saved.error().text;
    }
  }
  auto resumed = make(plan_);
  auto step = resume_newest(directory_, resumed);
  ASSERT_TRUE(step) << step.error().text;
  EXPECT_EQ(*step, 7u);
  while (!resumed.done())
    ASSERT_TRUE(resumed.advance());
  EXPECT_EQ(resumed.state()->parameters, whole.state()->parameters);
  EXPECT_EQ(resumed.state()->optimiser, whole.state()->optimiser);
}

TEST_F(Checkpoints, WithoutOneItStartsAtTheBeginning) {
  auto fresh = make(plan_);
  auto step = resume_newest(directory_ + "/none", fresh);
  ASSERT_TRUE(step);
  EXPECT_FALSE(*step);
  EXPECT_EQ(fresh.step(), 0u);
}

// 40 samples, and two ranks with batches of 8: two steps an epoch, which left 8 samples unused.
TEST_F(Checkpoints, OfVersion010AreContinuedAtTheSameSample) {
  std::vector<float> parameters(make(plan_).parameter_count(), 0.5F);
  std::vector<float> velocity(parameters.size(), 0.25F);
  std::vector<storage::tensor_view> tensors{{"parameters", {parameters.size()}, parameters},
                                            {"velocity", {velocity.size()}, velocity}};
  ASSERT_TRUE(storage::write_checkpoint(
    directory_, 1, 5, tensors,
    {{"plan", "seed 1, epochs 3, batch 8, learning rate 0.050000, momentum 0.900000, weight decay "
              "0.000500"},
     {"steps per epoch", "2"}}));
  auto into = make(plan_);
  auto step = resume_newest(directory_, into);
  ASSERT_TRUE(step) << step.error().text;
  expect_equal(*into.state(), {.step = 5,
                               .updates = 5,
                               .epoch = 2,
                               .consumed = 16,
                               .parameters = parameters,
                               .optimiser = velocity});
  auto other = plan_;
  other.accumulate = 2;
  auto refused = make(other);
  EXPECT_FALSE(resume_newest(directory_, refused));
}

TEST_F(Checkpoints, OfAnotherPlanAreRefused) {
  ASSERT_TRUE(save(make(plan_), 1));
  auto refused = [&](auto change) {
    auto other = plan_;
    change(other);
    auto into = make(other);
    auto step = resume_newest(directory_, into);
    return !step && step.error().code == errc::invalid;
  };
  EXPECT_TRUE(refused([](auto& plan) { plan.seed = 2; }));
  EXPECT_TRUE(refused([](auto& plan) { plan.optimiser.learning_rate *= 1.0000001F; }));
  EXPECT_TRUE(refused([](auto& plan) { plan.optimiser.nesterov = true; }));
  EXPECT_TRUE(refused([](auto& plan) { plan.rate.falls = decay::cosine; }));
  EXPECT_TRUE(refused([](auto& plan) { plan.clip_norm = 1; }));
  EXPECT_TRUE(refused([](auto& plan) { plan.loss_scale = 65536; }));
  EXPECT_FALSE(refused([](auto&) {}));
}

TEST_F(Checkpoints, OfAnOlderAttemptAreRefused) {
  ASSERT_TRUE(save(make(plan_), 2));
  auto late = save(make(plan_), 1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::refused);
}

TEST_F(Checkpoints, SavedByThreeRanksAreGoneOnFromByAnyNumberBitForBit) {
  training_state saved;
  training_state whole;
  run_gang(3, [&](collective::group& gang) {
    auto one = make(plan_);
    checkpoint_writer writer(directory_);
    ASSERT_TRUE(one.join({&gang}));
    while (!one.done()) {
      ASSERT_TRUE(one.advance());
      if (one.step() == 3) {
        ASSERT_TRUE(writer.save(one, 1, {0, gang.rank(), 3}));
        if (gang.rank() == 0)
          saved = *one.state();
      }
    }
    if (gang.rank() == 0)
      whole = *one.state();
    one.leave();
  });
  EXPECT_EQ(files().size(), 3u);
  ASSERT_GT(saved.consumed, 0u); // in the middle of an epoch
  for (uint32_t ranks : {1U, 2U, 3U}) {
    auto from_disk = end_of(ranks, [&](trainer& first) {
      auto step = resume_newest(directory_, first);
      ASSERT_TRUE(step) << step.error().text;
      EXPECT_EQ(*step, 3u);
      expect_equal(*first.state(), saved);
    });
    expect_equal(from_disk,
                 end_of(ranks, [&](trainer& first) { ASSERT_TRUE(first.restore(saved)); }));
    if (ranks == 3)
      expect_equal(from_disk, whole);
  }
}

TEST_F(Checkpoints, WithAShardMissingTheOneBeforeIsTaken) {
  auto one = make(plan_);
  for (uint64_t step : {1U, 2U}) {
    ASSERT_TRUE(one.advance());
    for (uint32_t index : {1U, 0U})
      ASSERT_TRUE(save(one, step, {0, index, 2}));
  }
  auto taken = [&] {
    auto into = make(plan_);
    auto step = resume_newest(directory_, into);
    return step && *step ? **step : 0;
  };
  EXPECT_EQ(taken(), 2u);
  std::filesystem::remove(directory_
                          + "/attempt-0002/step-00000002.generation-0000.shard-0001-of-0002.ckpt");
  EXPECT_EQ(taken(), 1u);
}

TEST_F(Checkpoints, ShardsOfTwoJobsAreNotOne) {
  auto one = make(plan_);
  for (std::string job : {"7", "8"}) {
    checkpoint_writer writer(directory_, job);
    ASSERT_TRUE(writer.save(one, 1, {0, job == "7" ? 1U : 0U, 2}));
  }
  EXPECT_EQ(files().size(), 2u);
  auto step = resume_newest(directory_, one);
  EXPECT_TRUE(step && !*step);
}

// It does so before the other shard is there: a complete one more stays.
TEST_F(Checkpoints, ThreeStayAndTheFirstShardsWriterPrunes) {
  auto one = make(plan_);
  for (int step = 1; step <= 5; ++step) {
    ASSERT_TRUE(one.advance());
    ASSERT_TRUE(save(one, 1, {0, 0, 2}));
    ASSERT_TRUE(save(one, 1, {0, 1, 2}));
  }
  auto left = files();
  ASSERT_EQ(left.size(), 8u);
  EXPECT_EQ(left.front(), "step-00000002.generation-0000.shard-0000-of-0002.ckpt");
  ASSERT_TRUE(one.advance());
  ASSERT_TRUE(save(one, 1));
  left = files();
  ASSERT_EQ(left.size(), 5u);
  EXPECT_EQ(left.front(), "step-00000004.generation-0000.shard-0000-of-0002.ckpt");
  EXPECT_EQ(left.back(), "step-00000006.ckpt");
}

TEST_F(Checkpoints, AnErrorOfAWriteIsThatOfTheNextSaveOnce) {
  auto one = make(plan_);
  auto file = directory_ + "/file";
  std::ofstream{file} << "not a directory";
  checkpoint_writer writer(file);
  ASSERT_TRUE(writer.save(one, 1));
  auto next = writer.save(one, 1);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, errc::io);
  EXPECT_TRUE(writer.wait());
  ASSERT_TRUE(writer.save(one, 1));
  EXPECT_FALSE(writer.wait());
  EXPECT_TRUE(writer.wait());
}

// The FIFO that is in the place of the file holds the writer until somebody reads it, and cannot be
// synced then.
TEST_F(Checkpoints, AreOfTheStepWhereTheyWereSavedWhileTheTrainingGoesOn) {
  auto one = make(plan_);
  ASSERT_TRUE(one.advance());
  auto saved = *one.state();
  auto folder = directory_ + "/attempt-0001";
  auto path = folder + "/step-00000001.ckpt";
  auto fifo = path + ".tmp-" + std::to_string(::getpid());
  std::filesystem::create_directory(folder);
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  checkpoint_writer writer(directory_);
  ASSERT_TRUE(writer.save(one, 1));
  for (int step = 0; step < 3; ++step)
    ASSERT_TRUE(one.advance());
  EXPECT_NE(one.state()->parameters, saved.parameters);
  std::stringstream written;
  std::thread reader([&] { written << std::ifstream{fifo}.rdbuf(); });
  auto next = writer.save(one, 1); // waits for the one before: it has its error
  reader.join();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, errc::io);
  EXPECT_TRUE(files().empty());
  std::ofstream{path} << written.str();
  auto into = make(plan_);
  auto step = resume_newest(directory_, into);
  ASSERT_TRUE(step && *step);
  expect_equal(*into.state(), saved);
}

TEST_F(Checkpoints, AreSavedByAllRanksAfterTheSameStepWhenOneIsAsked) {
  std::array<std::vector<uint64_t>, 3> due;
  run_gang(3, [&](collective::group& gang) {
    auto one = make(plan_);
    ASSERT_TRUE(one.join({&gang}));
    while (!one.done()) {
      if ((gang.rank() == 1 && one.step() == 1) || (gang.rank() != 0 && one.step() == 4))
        one.ask_to_save();
      ASSERT_TRUE(one.advance());
      if (one.save_due())
        due[gang.rank()].push_back(one.step());
    }
    one.leave();
  });
  for (const auto& each : due)
    EXPECT_EQ(each, (std::vector<uint64_t>{2, 5}));
}

TEST_F(Checkpoints, RanksTellWhetherTheyShareADirectory) {
  for (auto shared : {true, false})
    run_gang(2, [&](collective::group& gang) {
      auto own = directory_ + "/" + std::to_string(shared ? 0 : gang.rank());
      auto told = share_directory(own, "1-0", &gang);
      ASSERT_TRUE(told) << told.error().text;
      EXPECT_EQ(*told, shared);
    });
  EXPECT_TRUE(files().empty());
  auto alone = share_directory(directory_ + "/none", "1-0", nullptr);
  EXPECT_TRUE(alone && *alone);
}

TEST_F(Checkpoints, TheModelIsOneFile) {
  auto trained = make(plan_);
  auto path = directory_ + "/model.ckpt";
  auto saved = save_model(path, 1, trained, 0.5);
  ASSERT_TRUE(saved) << saved.error().text;
  auto read = storage::read_checkpoint(path);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_EQ(read->tensors.size(), 1u);
  EXPECT_EQ(read->tensors[0].values, trained.state()->parameters);
  EXPECT_FALSE(std::filesystem::exists(path + ".parts"));
}

} // namespace
} // namespace troupe::training
