#include "launcher/console.hpp"

#include <gtest/gtest.h>

namespace troupe::launcher {
namespace {

TEST(Console, WritesJsonOfTextsThatAreNoUtf8) {
  job_status_msg job;
  job.reason = "cannot start caf\xe9";
  EXPECT_NE(json_of(job).find("cannot start caf\xef\xbf\xbd"), std::string::npos);
}

// What `print` writes.
template <class T>
std::string printed(const T& x, void (*print)(const T&)) {
  testing::internal::CaptureStdout();
  print(x);
  return testing::internal::GetCapturedStdout();
}

// Two attempts: the first failed, the second was killed on request.
job_status_msg killed_job() {
  job_status_msg job;
  job.state = job_state::killed;
  for (auto* why : {"exited with code 3", "enough"}) {
    auto& end = *job.ends.emplace_back(std::make_unique<attempt_end_msg>());
    end.attempt = static_cast<uint32_t>(job.ends.size());
    end.reason = why;
  }
  return job;
}

TEST(Console, AKillIsNoErrorOfTheJob) {
  auto job = killed_job();
  EXPECT_EQ(printed<job_status_msg>(job, print_why),
            "  attempt 1 ended after 0.0 s (user_error): exited with code 3\n"
            "  attempt 2 ended after 0.0 s: enough\n");
  auto text = json_of(job);
  auto first = text.find("\"cause\": \"user_error\"");
  EXPECT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("user_error", first + 20), std::string::npos) << text;
}

TEST(Console, ShowsWhatAJobGoesOnWithout) {
  job_status_msg job;
  job.state = job_state::succeeded;
  job.reason = "the job went on without a task that failed";
  EXPECT_EQ(printed<job_status_msg>(job, print_why), "  " + job.reason + "\n");
}

testing::AssertionResult has(const std::string& text, const std::vector<std::string>& parts) {
  for (auto& x : parts)
    if (text.find(x) == std::string::npos)
      return testing::AssertionFailure() << "no \"" << x << "\" in: " << text;
  return testing::AssertionSuccess();
}

job_status_msg ended_job() {
  job_status_msg out;
  out.job = 7;
  out.name = "train";
  out.user = std::to_string(0);
  out.state = job_state::restarting;
  out.queue = "vision";
  out.priority = priority_class::high;
  out.attempt = 2;
  out.submitted_ns = 1'795'375'242'749'402'057;
  out.started_ns = out.submitted_ns + 60'000'000'000;
  out.ended_ns = out.started_ns + 60'000'000'000;
  return out;
}

TEST(Console, ShowsWhoseJobItIsAndWhenItRan) {
  auto text = printed<job_status_msg>(ended_job(), print);
  EXPECT_TRUE(has(text, {"user root  queue vision  priority high\n", "submitted 2026-11-2",
                         "  started 2026-11-2", "  ended 2026-11-2"}));
  auto waiting = ended_job();
  waiting.started_ns = waiting.ended_ns = 0;
  EXPECT_TRUE(has(printed<job_status_msg>(waiting, print), {"  started -  ended -\n"}));
  job_list_msg all;
  all.jobs.push_back(std::make_unique<job_status_msg>(ended_job()));
  auto line = printed<job_list_msg>(all, print);
  EXPECT_TRUE(has(line, {"restarting train ", " root ", " 2026-11-2", "attempt 2"}));
  EXPECT_LT(line.size(), 100u);
}

TEST(Console, ShowsTheLabelsAndTheWindowOfANode) {
  cluster_status_msg cluster;
  auto& node = *cluster.nodes.emplace_back(std::make_unique<node_status_msg>());
  node.name = "node-1";
  node.alive = true;
  node.reason = "maint";
  node.labels = {"gpu", "fast"};
  node.drain_from_ns = ended_job().submitted_ns;
  node.drain_until_ns = node.drain_from_ns + 3'600'000'000'000;
  auto text = printed<cluster_status_msg>(cluster, print_nodes);
  EXPECT_TRUE(has(text, {"  maint  from 2026-11-2", "  until 2026-11-2", "  labels gpu, fast\n"}));
}

TEST(Console, KnowsUsersByNameAndNumber) {
  EXPECT_EQ(user_name("0"), "root");
  EXPECT_EQ(user_number("root"), "0");
  for (auto& unknown : std::vector<std::string>{"4294967000", "no-such-user", ""}) {
    EXPECT_EQ(user_name(unknown), unknown);
    EXPECT_EQ(user_number(unknown), unknown);
  }
}

} // namespace
} // namespace troupe::launcher
