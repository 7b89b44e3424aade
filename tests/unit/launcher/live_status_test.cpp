#include "launcher/line_filter.hpp"
#include "launcher/live_status.hpp"
#include "launcher/times.hpp"

#include <gtest/gtest.h>

namespace troupe::launcher {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<task_status_msg> task(const std::string& type, task_state state,
                                      std::map<std::string, double> metrics = {}) {
  auto out = std::make_unique<task_status_msg>();
  out->type = type;
  out->state = state;
  for (auto& [name, value] : metrics) {
    auto& made = *out->progress.emplace_back(std::make_unique<metric_msg>());
    made.name = name;
    made.value = value;
  }
  return out;
}

job_status_msg job_at(double progress) {
  job_status_msg out;
  out.job = 3;
  out.state = job_state::running;
  out.attempt = 1;
  out.tasks.push_back(task("worker", task_state::running, {{"progress", progress}}));
  return out;
}

TEST(Progress, IsToldByTheMetricTheEpochOrTheEnd) {
  job_status_msg job;
  job.tasks.push_back(task("worker", task_state::running, {{"progress", 0.5}}));
  job.tasks.push_back(task("worker", task_state::succeeded));
  job.tasks.push_back(task("ps", task_state::running));
  job.tasks.push_back(task("eval", task_state::running, {{"epoch", 1}, {"epochs", 4}}));
  job.tasks.push_back(task("eval", task_state::running, {{"step", 30}, {"steps", 40}}));
  auto roles = roles_of(job);
  ASSERT_EQ(roles.size(), 3u);
  EXPECT_DOUBLE_EQ(*roles[0].done, 0.75);
  EXPECT_FALSE(roles[1].done);
  EXPECT_DOUBLE_EQ(*roles[2].done, 0.5);
}

TEST(Progress, EstimatesTheEndFromWhatWasSeenOfTheAttempt) {
  progress_estimate estimate;
  role_progress role{"worker", {}, 0.2};
  time_point begin{};
  EXPECT_FALSE(estimate.left(role, 1, begin));
  role.done = 0.4;
  EXPECT_FALSE(estimate.left(role, 1, begin + 1s)); // too little was seen
  auto left = estimate.left(role, 1, begin + 10s);
  ASSERT_TRUE(left);
  EXPECT_NEAR(std::chrono::duration<double>(*left).count(), 30, 1e-6);
  role.done = 0.3;
  EXPECT_FALSE(estimate.left(role, 2, begin + 20s)); // another attempt begins anew
  role.done = {};
  EXPECT_FALSE(estimate.left(role, 2, begin + 30s));
}

TEST(LiveStatus, DrawsABarForEachRoleOverTheLast) {
  std::string out;
  live_status status{80, [&](const std::string& text) { out += text; }};
  auto job = job_at(0.5);
  job.tasks.push_back(task("ps", task_state::running));
  status.show(job, time_point{});
  EXPECT_EQ(out, "job 3 running\n  worker [############............] 50 % 1 running\n"
                 "  ps 1 running");
  out.clear();
  job.tasks[0]->progress[0]->value = 0.75;
  status.show(job, time_point{} + 10s);
  EXPECT_TRUE(out.starts_with("\r\x1b[K\x1b[A\x1b[K\x1b[A\x1b[Kjob 3 running\n")) << out;
  EXPECT_NE(out.find("75 % 1 running, about 10 s left"), std::string::npos) << out;
}

TEST(LiveStatus, NeverWrapsALine) {
  std::string out;
  live_status status{20, [&](const std::string& text) { out += text; }};
  status.show(job_at(0.5), time_point{});
  for (size_t at = 0; at < out.size();) {
    auto end = std::min(out.find('\n', at), out.size());
    EXPECT_LT(end - at, 20u);
    at = end + 1;
  }
}

TEST(LiveStatus, PrintsALineNowAndThenWithoutATerminal) {
  std::string out;
  live_status status{0, [&](const std::string& text) { out += text; }};
  for (int i = 0; i < 100; ++i)
    status.show(job_at(i / 100.0), time_point{} + i * 100ms);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  auto job = job_at(1);
  job.state = job_state::succeeded;
  status.show(job, time_point{} + 9900ms);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
}

TEST(LineFilter, TakesLinesThatMatch) {
  auto all = line_filter::make("", false);
  EXPECT_TRUE(all->takes_all());
  auto expression = line_filter::make("^loss [0-9]+$", false);
  ASSERT_TRUE(expression);
  EXPECT_TRUE(expression->takes("loss 12"));
  EXPECT_FALSE(expression->takes("a loss 12"));
  auto text = line_filter::make("a.b(", true);
  EXPECT_TRUE(text->takes("xa.b("));
  EXPECT_FALSE(text->takes("aXb("));
  EXPECT_EQ(line_filter::make("(", false).error().code, errc::invalid);
}

TEST(Times, AreReadAsADateOrAsHowLongAgo) {
  constexpr int64_t day = int64_t{24} * 3600 * 1'000'000'000;
  EXPECT_EQ(*parse_since("2 d", 5 * day), 3 * day);
  EXPECT_EQ(*parse_since("9 d", 5 * day), 0);
  EXPECT_EQ(*parse_since("2026-11-22 02:00", 0), *parse_time("2026-11-22 02:00"));
  EXPECT_EQ(*parse_time("2026-11-22 02:00:30"), *parse_time("2026-11-22 02:00") + 30'000'000'000);
  for (auto* text : {"yesterday", "2026-11-22", "2026-02-31 02:00", "2026-11-22 02:00 h",
                     "1969-01-01 02:00", "9999-01-01 02:00"})
    EXPECT_FALSE(parse_since(text, 0)) << text;
}

} // namespace
} // namespace troupe::launcher
