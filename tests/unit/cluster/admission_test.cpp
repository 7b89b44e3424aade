#include "actors/cluster/admission.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

submit_job_msg good_job() {
  submit_job_msg out;
  out.user = "user";
  out.spec = std::make_unique<job_spec_msg>();
  out.spec->name = std::string{"job"};
  out.spec->directory = "/work";
  out.spec->inputs = {"/data/train images.gz"};
  out.spec->outputs = {"models/best.bin"};
  auto type = std::make_unique<task_type_msg>();
  type->name = "worker";
  type->command = {"train", "--fast"};
  type->env.push_back(std::make_unique<variable_msg>());
  type->env[0]->name = std::string{"EPOCHS"};
  type->env[0]->value = std::string{"3"};
  out.spec->tasks.push_back(std::move(type));
  return out;
}

// The refusal of a job that was good but for one change.
template <class Change>
std::string refusal(Change change) {
  auto job = good_job();
  change(job);
  auto admitted = admit(job, {});
  EXPECT_TRUE(admitted || admitted.error().code == errc::invalid);
  return admitted ? "" : admitted.error().text;
}

TEST(Admission, LetsAGoodJobIn) {
  EXPECT_EQ(refusal([](submit_job_msg&) {}), "");
  EXPECT_EQ(refusal([](submit_job_msg& x) { x.spec->directory.clear(); }), "");
  EXPECT_EQ(refusal([](submit_job_msg& x) { x.spec->inputs = {"/caf\xe9"}; }), "");
}

TEST(Admission, RefusesWhatTheLineageCannotKeep) {
  auto input = [](const std::string& path) {
    return refusal([&](submit_job_msg& x) { x.spec->inputs = {path}; });
  };
  EXPECT_NE(input("data/relative"), "");
  EXPECT_NE(input("/two\nlines"), "");
  EXPECT_NE(input("/" + std::string(300, 'a')), "");
  EXPECT_NE(input("/" + std::string(1 << 20, 'a')), "");
  EXPECT_NE(refusal([](submit_job_msg& x) { x.spec->inputs.assign(7000, "/data/part"); }), "");
  EXPECT_NE(refusal([](submit_job_msg& x) { x.user.assign(1000, 'a'); }), "");
}

TEST(Admission, RefusesOutputsOutsideOfTheirDirectory) {
  for (const auto* path : {"/etc/passwd", "..", "../other", "a/../../b", ""})
    EXPECT_NE(refusal([&](submit_job_msg& x) { x.spec->outputs = {path}; }), "") << path;
}

TEST(Admission, RefusesZeroBytesInWhatAProcessGets) {
  std::string zero{"a\0b", 3};
  EXPECT_NE(refusal([&](submit_job_msg& x) { x.spec->tasks[0]->command.push_back(zero); }), "");
  EXPECT_NE(refusal([&](submit_job_msg& x) { x.spec->tasks[0]->env[0]->value = zero; }), "");
  EXPECT_NE(refusal([&](submit_job_msg& x) { x.spec->directory = std::string{"/"}.append(zero); }),
            "");
}

TEST(Admission, TakesTagsAndADirectoryOfCheckpointsThatCanBeOnes) {
  auto tags = [](std::vector<std::string> all) {
    return refusal([&](submit_job_msg& x) { x.spec->tags = all; });
  };
  EXPECT_EQ(tags({"nightly", "team:vision x"}), "");
  EXPECT_EQ(tags(std::vector<std::string>(32, std::string(100, 'a'))), "");
  for (const auto* bad : {"", "a,b", "caf\xe9", "two\nlines"})
    EXPECT_NE(tags({bad}), "") << bad;
  EXPECT_NE(tags({std::string(101, 'a')}), "");
  EXPECT_NE(tags(std::vector<std::string>(33, "a")), "");
  auto checkpoints = [](const std::string& path) {
    return refusal([&](submit_job_msg& x) { x.spec->checkpoints = path; });
  };
  EXPECT_EQ(checkpoints("/shared/saved"), "");
  for (const auto* bad : {"saved", "/two\nlines"})
    EXPECT_NE(checkpoints(bad), "") << bad;
}

TEST(Admission, ItsSentencesDoNotRepeatAllThatWasSent) {
  auto text = refusal([](submit_job_msg& x) { x.spec->name = "a\n" + std::string(1 << 20, 'b'); });
  EXPECT_LT(text.size(), 200u);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

} // namespace
} // namespace troupe
