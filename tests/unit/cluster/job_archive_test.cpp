#include "actors/cluster/job_archive.hpp"
#include "actors/cluster/lineage_projection.hpp"
#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace troupe {
namespace {

constexpr int64_t second = 1'000'000'000;
constexpr int64_t hour = 3600 * second;

class JobArchive : public ::testing::Test {
protected:
  template <class T>
  void log(T change, int64_t time_ns) {
    std::vector<cluster_event_msg> one;
    one.push_back(record_of(std::move(change), time_ns));
    projection->record(++last, one);
    records.push_back(std::move(one.front()));
  }

  void submit(uint64_t job, const std::string& user, const std::string& queue, int64_t time_ns) {
    job_submitted_msg x;
    x.job = job;
    x.user = user;
    x.spec = std::make_unique<job_spec_msg>();
    x.spec->name = "job";
    x.spec->queue = queue;
    x.spec->tags = {std::string{"of "}.append(user), "all"};
    auto& type = *x.spec->tasks.emplace_back(std::make_unique<task_type_msg>());
    type.name = "worker";
    type.cpus = 4;
    type.memory = 1000;
    type.accelerators = 2;
    log(std::move(x), time_ns);
  }

  void place(uint64_t job, uint32_t attempt, const std::string& node, int64_t time_ns) {
    attempt_placed_msg x;
    x.job = job;
    x.attempt = attempt;
    auto& task = *x.tasks.emplace_back(std::make_unique<placed_task_msg>());
    task.type = "worker";
    task.node = node;
    log(std::move(x), time_ns);
  }

  void end_task(uint64_t job, uint32_t attempt, task_state state, int32_t code, int64_t time_ns) {
    task_ended_msg x;
    x.task = std::make_unique<task_id_msg>();
    x.task->job = job;
    x.task->attempt = attempt;
    x.task->type = "worker";
    x.state = state;
    x.exit_code = code;
    log(std::move(x), time_ns);
  }

  void stop(uint64_t job, uint32_t attempt, const std::string& why, int64_t time_ns) {
    gang_stopping_msg x;
    x.job = job;
    x.attempt = attempt;
    x.next = job_state::restarting;
    x.reason = why;
    x.type = "worker";
    log(std::move(x), time_ns);
  }

  void change(uint64_t job, uint32_t attempt, job_state state, int64_t time_ns) {
    job_changed_msg x;
    x.job = job;
    x.attempt = attempt;
    x.state = state;
    log(std::move(x), time_ns);
  }

  void run(uint64_t job, const std::string& user, int64_t from_ns, int64_t to_ns) {
    submit(job, user, "batch", from_ns);
    place(job, 1, "node-1", from_ns);
    end_task(job, 1, task_state::succeeded, 0, to_ns);
    change(job, 1, job_state::succeeded, to_ns);
  }

  void purge(uint64_t job, int64_t time_ns) {
    job_purged_msg x;
    x.job = job;
    log(std::move(x), time_ns);
  }

  std::map<std::string, usage_row_msg> used(usage_by by, int64_t since_ns, int64_t now_ns) {
    get_usage_msg request;
    request.by = by;
    request.since_ns = static_cast<uint64_t>(since_ns);
    std::map<std::string, usage_row_msg> out;
    auto answer = archive.usage(request, now_ns);
    EXPECT_TRUE(answer);
    for (auto& row : answer->rows)
      out[row->name] = *row;
    return out;
  }

  scratch_directory scratch;
  storage::memory_store store;
  storage::commit_inline commits{store};
  system_clock time;
  std::unique_ptr<storage::metadata> facts = *storage::metadata::open(store, commits, time);
  gang_options gangs;
  job_archive archive{store, gangs};
  std::unique_ptr<lineage_projection> projection = std::make_unique<lineage_projection>(
    *facts, scratch.path, &archive, lineage_work::on_callers_thread);
  std::vector<cluster_event_msg> records;
  uint64_t last = 0;
};

TEST_F(JobArchive, KeepsEachAttemptWithItsTasks) {
  submit(3, "ada", "batch", 1 * second);
  place(3, 1, "node-1", 2 * second);
  end_task(3, 1, task_state::failed, 7, 5 * second);
  stop(3, 1, "worker:0 failed", 5 * second);
  place(3, 2, "node-2", 9 * second);
  end_task(3, 2, task_state::succeeded, 0, 20 * second);
  change(3, 2, job_state::succeeded, 21 * second);

  auto known = archive.attempts(3);
  ASSERT_TRUE(known) << known.error().text;
  EXPECT_EQ(known->spec->queue, "batch");
  ASSERT_EQ(known->attempts.size(), 2u);
  auto& first = *known->attempts[0];
  EXPECT_EQ(first.end->reason, "worker:0 failed");
  ASSERT_EQ(first.tasks.size(), 1u);
  EXPECT_EQ(first.tasks[0]->node, "node-1");
  EXPECT_EQ(first.tasks[0]->exit_code, 7);
  EXPECT_EQ(first.tasks[0]->started_ns, 2u * second);
  EXPECT_EQ(first.tasks[0]->ended_ns, 5u * second);
  auto& second_one = *known->attempts[1];
  EXPECT_EQ(second_one.state, job_state::succeeded);
  EXPECT_EQ(second_one.tasks[0]->node, "node-2");
  EXPECT_EQ(second_one.end->ended_ns, 21u * second);

  auto status = archive.job(3);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, job_state::succeeded);
  auto news = archive.events_after(3, 0);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->events.front()->text, "submitted");
  EXPECT_EQ(archive.job(4).error().code, errc::not_found);
}

TEST_F(JobArchive, FindsJobsByWhatIsAsked) {
  run(1, "ada", 1 * second, 2 * second);
  run(2, "bob", 3 * second, 4 * second);
  run(3, "ada", 5 * second, 6 * second);
  submit(4, "ada", "batch", 7 * second); // has not ended: the master has it
  auto numbers = [&](list_jobs_msg filter) {
    std::vector<uint64_t> out;
    auto found = archive.jobs(filter);
    EXPECT_TRUE(found);
    for (auto& each : found->jobs)
      out.push_back(each->job);
    return out;
  };
  list_jobs_msg filter;
  filter.limit = 10;
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{3, 2, 1}));
  filter.user = "ada";
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{3, 1}));
  filter.limit = 1;
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{3}));
  EXPECT_TRUE(archive.jobs(filter)->more);
  filter.before = 3;
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{1}));
  filter = {};
  filter.limit = 10;
  filter.since_ns = 3 * second;
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{3, 2}));
  filter.tag = "of ada";
  EXPECT_EQ(numbers(filter), (std::vector<uint64_t>{3}));
  filter.tag = "of";
  EXPECT_TRUE(numbers(filter).empty());
  filter.tag = "all";
  filter.states = {job_state::failed};
  EXPECT_TRUE(numbers(filter).empty());
}

TEST_F(JobArchive, CountsWhatTasksHeldHourByHour) {
  run(1, "ada", hour / 2, hour + hour / 2); // half of it in either hour
  submit(2, "bob", "fast", 2 * hour);
  place(2, 1, "node-1", 2 * hour);
  auto all = used(usage_by::user, 0, 2 * hour + 10 * second);
  EXPECT_EQ(all["ada"].jobs, 1u);
  EXPECT_EQ(all["ada"].tasks, 1u);
  EXPECT_DOUBLE_EQ(all["ada"].task_s, 3600);
  EXPECT_DOUBLE_EQ(all["ada"].cpu_s, 4 * 3600);
  EXPECT_DOUBLE_EQ(all["ada"].memory_byte_s, 1000.0 * 3600);
  EXPECT_DOUBLE_EQ(all["ada"].accelerator_s, 2 * 3600);
  EXPECT_DOUBLE_EQ(all["bob"].task_s, 10); // it still runs
  EXPECT_EQ(all["bob"].tasks, 0u);
  auto later = used(usage_by::queue, hour + second, 2 * hour);
  EXPECT_DOUBLE_EQ(later["batch"].task_s, 1800);
  EXPECT_EQ(later["batch"].jobs, 0u);
}

// What was applied and comes again, as after a crash, changes nothing.
TEST_F(JobArchive, CountsEachEventOnce) {
  run(1, "ada", 0, 100 * second);
  projection = std::make_unique<lineage_projection>(*facts, scratch.path, &archive,
                                                    lineage_work::on_callers_thread);
  projection->record(1, records);
  EXPECT_DOUBLE_EQ(used(usage_by::user, 0, hour)["ada"].task_s, 100);
  EXPECT_EQ(archive.attempts(1)->attempts.size(), 1u);
}

TEST_F(JobArchive, NamesWhatIsKeptNoLonger) {
  run(1, "ada", 0, 30 * second);
  run(2, "ada", 0, 10 * second);
  run(3, "ada", 0, 20 * second);
  retention keep;
  keep.keep_for = std::chrono::seconds(100);
  using jobs = std::vector<uint64_t>;
  EXPECT_EQ(*archive.expired(keep, 105 * second, 10), jobs{});
  EXPECT_EQ(*archive.expired(keep, 125 * second, 10), (jobs{2, 3}));
  EXPECT_EQ(*archive.expired(keep, 125 * second, 1), (jobs{2}));
  keep.keep_jobs = 1;
  EXPECT_EQ(*archive.expired(keep, 30 * second, 10), (jobs{2, 3}));
}

TEST_F(JobArchive, PurgesAJobWithItsDirectoryAndNoOther) {
  run(1, "ada", 0, 10 * second);
  run(2, "ada", 0, 10 * second);
  for (auto* name : {"/1/1", "/2/1"})
    std::filesystem::create_directories(scratch.path + name);
  purge(1, 20 * second);
  EXPECT_FALSE(std::filesystem::exists(scratch.path + "/1"));
  EXPECT_TRUE(std::filesystem::exists(scratch.path + "/2/1"));
  EXPECT_EQ(archive.job(1).error().code, errc::not_found);
  EXPECT_TRUE(archive.job(2));
  list_jobs_msg filter;
  filter.limit = 10;
  EXPECT_EQ(archive.jobs(filter)->jobs.size(), 1u);
  EXPECT_EQ(archive.expired({std::chrono::seconds(1), 10}, hour, 10)->size(), 1u);
  EXPECT_DOUBLE_EQ(used(usage_by::user, 0, hour)["ada"].task_s, 20); // the usage stays
}

} // namespace
} // namespace troupe
