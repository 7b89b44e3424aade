// A training on disk: it goes on where it was, and only where it belongs.
#include "actors/training/checkpoints.hpp"
#include "actors/training/image_network.hpp"
#include "kernels/onednn/onednn.hpp"
#include "storage/checkpoint.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>

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
      auto saved = save_checkpoint(directory_, 1, whole);
      ASSERT_TRUE(saved) << saved.error().text;
    }
  }
  auto resumed = make(plan_);
  auto step = resume_newest(directory_, resumed);
  ASSERT_TRUE(step) << step.error().text;
  EXPECT_EQ(*step, 7u);
  while (!resumed.done())
    ASSERT_TRUE(resumed.advance());
  EXPECT_EQ(resumed.state().parameters, whole.state().parameters);
  EXPECT_EQ(resumed.state().optimiser, whole.state().optimiser);
}

TEST_F(Checkpoints, WithoutOneItStartsAtTheBeginning) {
  auto fresh = make(plan_);
  auto step = resume_newest(directory_ + "/none", fresh);
  ASSERT_TRUE(step);
  EXPECT_FALSE(*step);
  EXPECT_EQ(fresh.step(), 0u);
}

TEST_F(Checkpoints, OfAnotherPlanAreRefused) {
  ASSERT_TRUE(save_checkpoint(directory_, 1, make(plan_)));
  auto other = plan_;
  other.seed = 2;
  auto into = make(other);
  auto step = resume_newest(directory_, into);
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, errc::invalid);
}

TEST_F(Checkpoints, OfAnOlderAttemptAreRefused) {
  ASSERT_TRUE(save_checkpoint(directory_, 2, make(plan_)));
  auto late = save_checkpoint(directory_, 1, make(plan_));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::refused);
}

TEST_F(Checkpoints, TheModelIsOneFile) {
  auto trained = make(plan_);
  auto path = directory_ + "/model.ckpt";
  auto saved = save_model(path, 1, trained, 0.5);
  ASSERT_TRUE(saved) << saved.error().text;
  auto read = storage::read_checkpoint(path);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_EQ(read->tensors.size(), 1u);
  EXPECT_EQ(read->tensors[0].values, trained.state().parameters);
  EXPECT_FALSE(std::filesystem::exists(path + ".parts"));
}

} // namespace
} // namespace troupe::training
