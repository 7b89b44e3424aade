// The files of tasks in the lineage.
#include "actors/cluster/lineage_projection.hpp"
#include "storage/commit_inline.hpp"
#include "storage/hash.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace troupe {
namespace {

class LineageFiles : public ::testing::Test {
protected:
  void SetUp() override {
    auto opened = storage::metadata::open(store, commits, time);
    ASSERT_TRUE(opened);
    facts = std::move(*opened);
    lineage = std::make_unique<lineage_projection>(*facts, scratch.path, nullptr,
                                                   lineage_work::on_callers_thread);
  }

  template <class Change>
  void log(Change x) {
    std::vector<cluster_event_msg> records;
    records.push_back(record_of(std::move(x), static_cast<int64_t>(next)));
    lineage->record(next++, records);
  }

  // A job with one task that runs.
  void place(uint64_t id, const std::vector<std::string>& outputs = {}) {
    job_submitted_msg job;
    job.job = id;
    job.spec = std::make_unique<job_spec_msg>();
    job.spec->name = "job";
    job.spec->outputs = outputs;
    log(std::move(job));
    attempt_placed_msg placed;
    placed.job = id;
    placed.attempt = 1;
    placed.tasks.push_back(std::make_unique<placed_task_msg>());
    placed.tasks.back()->type = "worker";
    placed.tasks.back()->node = "node-1";
    log(std::move(placed));
  }

  struct seen {
    file_use_kind use;
    std::string path;
    std::string content;
  };
  void end(uint64_t id, const std::vector<seen>& files) {
    task_ended_msg ended;
    ended.task = std::make_unique<task_id_msg>();
    ended.task->job = id;
    ended.task->attempt = 1;
    ended.task->type = "worker";
    ended.state = task_state::succeeded;
    for (auto& each : files) {
      auto x = std::make_unique<file_use_msg>();
      x->use = each.use;
      x->path = each.path;
      x->hash = storage::sha256(each.content);
      ended.files.push_back(std::move(x));
    }
    log(std::move(ended));
    job_changed_msg changed;
    changed.job = id;
    changed.attempt = 1;
    changed.state = job_state::succeeded;
    log(std::move(changed));
  }

  // The inputs or the outputs of its attempt.
  nlohmann::json files_of(uint64_t id, const char* which) {
    auto shown = lineage->show(id);
    EXPECT_TRUE(shown);
    auto tree = nlohmann::json::parse(shown ? shown->json : "{}");
    EXPECT_EQ(tree["state"], "succeeded");
    return tree["attempts"][0][which];
  }

  std::string in_attempt(const std::string& name, const std::string& content) {
    auto directory = scratch.path + "/1/1";
    std::filesystem::create_directories(directory);
    std::ofstream{directory + "/" + name} << content;
    return directory + "/" + name;
  }

  scratch_directory scratch;
  storage::memory_store store;
  storage::commit_inline commits{store};
  system_clock time;
  std::unique_ptr<storage::metadata> facts;
  std::unique_ptr<lineage_projection> lineage;
  uint64_t next = 1;
};

TEST_F(LineageFiles, NamesEachWithItsHashAndTask) {
  place(1);
  end(1, {{file_use_kind::log, "/x/worker-0.log", "log"},
          {file_use_kind::metrics, "/x/worker-0.metrics", "metrics"},
          {file_use_kind::written, "/x/out", "out"},
          {file_use_kind::written, "/x/5.ckpt", "saved"},
          {file_use_kind::read, "/x/in", "in"}});
  auto outputs = files_of(1, "outputs");
  ASSERT_EQ(outputs.size(), 4u) << outputs;
  std::map<std::string, std::string> types;
  for (auto& each : outputs) {
    EXPECT_EQ(each["task"], "worker:0");
    types[each["uri"]] = each["type"].get<std::string>() + " " + each["sha256"].get<std::string>();
  }
  EXPECT_EQ(types["file:///x/worker-0.log"], "log " + storage::sha256("log"));
  EXPECT_EQ(types["file:///x/worker-0.metrics"], "metrics " + storage::sha256("metrics"));
  EXPECT_EQ(types["file:///x/out"], "output " + storage::sha256("out"));
  EXPECT_EQ(types["file:///x/5.ckpt"], "checkpoint " + storage::sha256("saved"));
  auto inputs = files_of(1, "inputs");
  ASSERT_EQ(inputs.size(), 1u) << inputs;
  EXPECT_EQ(inputs[0]["sha256"], storage::sha256("in"));
}

TEST_F(LineageFiles, ADeclaredOutputIsTheOneThatTheTaskWrote) {
  place(1, {"out", "worker-0.log"});
  auto out = in_attempt("out", "content");
  auto log = in_attempt("worker-0.log", "said");
  end(1, {{file_use_kind::log, log, "said"}, {file_use_kind::written, out, "content"}});
  auto outputs = files_of(1, "outputs");
  ASSERT_EQ(outputs.size(), 2u) << outputs;
  for (auto& each : outputs)
    EXPECT_FALSE(each.contains("task")) << "the attempt's own: " << each;
}

TEST_F(LineageFiles, ADeclaredOutputOfAnotherDiskHasTheHashThatItsTaskTold) {
  place(1, {"out"});
  end(1, {{file_use_kind::written, scratch.path + "/1/1/out", "content"}});
  auto outputs = files_of(1, "outputs");
  ASSERT_EQ(outputs.size(), 1u) << outputs;
  EXPECT_EQ(outputs[0]["sha256"], storage::sha256("content"));
}

TEST_F(LineageFiles, WhatOneJobWroteAndAnotherReadIsOneArtifact) {
  place(1);
  end(1, {{file_use_kind::written, "/x/set", "content"}});
  place(2);
  end(2, {{file_use_kind::read, "/x/set", "content"}});
  EXPECT_EQ(files_of(1, "outputs")[0]["id"], files_of(2, "inputs")[0]["id"]);
}

} // namespace
} // namespace troupe
