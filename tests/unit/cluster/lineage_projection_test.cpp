#include "actors/cluster/lineage_projection.hpp"
#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

job_submitted_msg job_numbered(uint64_t number) {
  job_submitted_msg job;
  job.job = number;
  job.spec = std::make_unique<job_spec_msg>();
  job.spec->name = "job";
  return job;
}

TEST(LineageProjection, ShowsAPathThatIsNoUtf8) {
  storage::memory_store store;
  storage::commit_inline commits{store};
  system_clock time;
  auto facts = *storage::metadata::open(store, commits, time);
  lineage_projection lineage{*facts, "/nowhere", nullptr, lineage_work::on_callers_thread};

  auto job = job_numbered(1);
  job.spec->inputs = {"/nowhere/caf\xe9"};
  attempt_placed_msg placed;
  placed.job = 1;
  placed.attempt = 1;
  job_changed_msg running;
  running.job = 1;
  running.attempt = 1;
  running.state = job_state::running;
  std::vector<cluster_event_msg> records;
  records.push_back(record_of(std::move(job), 1));
  records.push_back(record_of(std::move(placed), 2));
  records.push_back(record_of(std::move(running), 3));
  lineage.record(1, records);

  auto shown = lineage.show(1);
  ASSERT_TRUE(shown);
  EXPECT_NE(shown->text.find("caf%E9"), std::string::npos);
  EXPECT_NE(shown->json.find("caf%E9"), std::string::npos);
}

TEST(LineageProjection, ShowsWhatWasRecordedBefore) {
  constexpr uint64_t jobs = 300;
  storage::memory_store store;
  storage::commit_inline commits{store};
  system_clock time;
  auto facts = *storage::metadata::open(store, commits, time);
  lineage_projection lineage{*facts, "/nowhere"};
  std::vector<cluster_event_msg> records;
  for (uint64_t job = 1; job <= jobs; ++job)
    records.push_back(record_of(job_numbered(job), static_cast<int64_t>(job)));
  lineage.record(1, records);
  EXPECT_TRUE(lineage.show(jobs));
  EXPECT_EQ(lineage.show(jobs + 1).error().code, errc::not_found);
}

} // namespace
} // namespace troupe
