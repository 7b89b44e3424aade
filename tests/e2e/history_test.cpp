// What people see of jobs: metrics over time, output, history, usage; and what is purged.
#include "tests/e2e/parsed.hpp"

#include <csignal>
#include <filesystem>

namespace troupe::e2e {
namespace {

// Reports two metrics and ends; on attempt 1 with code 7.
const std::string reports
  = "for i in 1 2 3; do echo \"metric loss 0.$((9 - i)) $i\" >&$TROUPE_METRICS_FD; "
    "echo \"step $i of attempt $TROUPE_ATTEMPT\"; done; "
    "echo 'metric progress 1 3' >&$TROUPE_METRICS_FD; [ $TROUPE_ATTEMPT = 2 ] || exit 7";

json metric(const json& series, const std::string& name) {
  for (auto& each : series["tasks"][0]["metrics"])
    if (each["name"] == name)
      return each;
  return {};
}

} // namespace

TEST_F(cluster, metrics_of_each_attempt_stay_to_be_seen) {
  start_nodes(1, 2);
  ASSERT_EQ(troupe({"submit", job_of(reports), "--wait"}).code, 0);
  for (auto* attempt : {"1", "2"}) {
    auto series = parsed(troupe({"metrics", "1", "--attempt", attempt, "--json"}));
    auto loss = metric(series, "loss");
    ASSERT_FALSE(loss.is_null()) << series;
    EXPECT_EQ(loss["newest"], 0.6);
    EXPECT_EQ(loss["samples"].back()[2], 3);
    EXPECT_FALSE(metric(series, "system/cpu_seconds").is_null()) << series;
  }
  auto table = troupe({"metrics", "1", "--task", "worker:0", "--name", "loss"});
  EXPECT_NE(table.out.find("loss"), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find("system/"), std::string::npos) << table.out;
  EXPECT_EQ(troupe({"metrics", "1", "--task", "worker:9"}).code, 2);
  EXPECT_EQ(troupe({"metrics", "7"}).code, 2);
}

TEST_F(cluster, logs_are_searched_and_have_their_tasks_name) {
  start_nodes(1, 2);
  const std::string prints = "printf 'one\\ntwo'; printf ' parts\\n'";
  auto job = submit(job_of(prints, 2));
  ASSERT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(troupe({"logs", job, "--grep", "^two.*s$"}).out,
            "worker:0| two parts\nworker:1| two parts\n");
  EXPECT_EQ(troupe({"logs", job, "--grep", "o.e", "--fixed"}).out, "");
  EXPECT_EQ(troupe({"logs", job, "--follow", "--task", "worker:1"}).out, "one\ntwo parts\n");
  EXPECT_EQ(troupe({"logs", job, "--grep", "("}).code, 2);
  EXPECT_EQ(troupe({"logs", job, "--attempt", "9"}).code, 2);
  auto tried = submit(job_of(prints + "; [ $TROUPE_ATTEMPT = 2 ]"));
  ASSERT_TRUE(becomes(tried, "succeeded"));
  EXPECT_EQ(troupe({"logs", tried, "--task", "worker:0", "--attempt", "1"}).out,
            "one\ntwo parts\n");
}

TEST_F(cluster, history_and_usage_outlive_the_master) {
  start_nodes(1, 2);
  ASSERT_EQ(troupe({"submit", job_of(reports), "--wait"}).code, 0);
  ASSERT_EQ(troupe({"submit", job_of("exit 3", 1, 1), "--wait"}).code, 1);
  auto usage = [&] { return parsed(troupe({"usage", "--json"}))["usage"]; };
  ASSERT_TRUE(eventually([&] { return !usage().empty() && usage()[0]["tasks"] == 3; }));
  auto before = usage();
  EXPECT_EQ(before[0]["jobs"], 2);
  EXPECT_GT(before[0]["task_seconds"], 0);
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  EXPECT_EQ(usage(), before);
  auto failed = parsed(troupe({"jobs", "--state", "failed", "--json"}));
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["job"], 2);
  EXPECT_EQ(parsed(troupe({"jobs", "--limit", "1", "--json"}))[0]["job"], 2);
  EXPECT_EQ(parsed(troupe({"jobs", "--queue", "none", "--json"})).size(), 0u);
  EXPECT_EQ(troupe({"jobs", "--state", "lost"}).code, 2);
  EXPECT_EQ(troupe({"jobs", "--since", "soon"}).code, 2);
  auto attempts = parsed(troupe({"job", "1", "--attempts", "--json"}));
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0]["tasks"][0]["exit_code"], 7);
  EXPECT_EQ(attempts[1]["state"], "succeeded");
  EXPECT_EQ(parsed(troupe({"job", "2", "--config"}))["attempts_max"], 1);
}

TEST_F(cluster, jobs_that_ended_are_purged_with_their_directories) {
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "2", "--keep-jobs", "1"}).code, 0);
  for (auto* job : {"1", "2", "3"})
    ASSERT_TRUE(becomes(submit(job_of("true")), "succeeded")) << job;
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0); // a master that starts looks at once
  ASSERT_TRUE(eventually([&] { return troupe({"job", "1"}).code == 2; }));
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(directory + "/jobs/2"); }));
  EXPECT_FALSE(std::filesystem::exists(directory + "/jobs/1"));
  EXPECT_TRUE(eventually([&] { return parsed(troupe({"jobs", "--json"})).size() == 1; }));
  EXPECT_EQ(troupe({"logs", "3"}).code, 0);
}

} // namespace troupe::e2e
