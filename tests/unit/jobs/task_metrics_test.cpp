#include "actors/jobs/metric_series.hpp"
#include "actors/jobs/task_metrics.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace troupe {
namespace {

using namespace std::chrono_literals;

class set_clock final : public clock {
public:
  time_point now() const override { return time_point{} + at; }
  int64_t wall_ns() const override { return 1'000'000'000'000 + at.count(); }

  duration at{};
};

class TaskMetrics : public ::testing::Test {
protected:
  void report(const std::string& name, double value, uint64_t step) {
    std::ostringstream line;
    line << "metric " << name << ' ' << value << ' ' << step << '\n';
    metrics.read(line.str());
  }

  metric_series series() const {
    std::ifstream in{path};
    std::ostringstream text;
    text << in.rdbuf();
    return parse_metric_series(text.str());
  }

  scratch_directory scratch;
  std::string path = scratch.path + "/worker-0.metrics";
  set_clock time;
  task_metrics metrics{time};
};

TEST_F(TaskMetrics, KeepWhatAJobReportsOverTime) {
  metrics.open(path);
  for (int step = 1; step <= 3; ++step) {
    report("loss", 1.0 / step, static_cast<uint64_t>(step));
    time.at += 2s;
  }
  auto loss = series()["loss"];
  ASSERT_EQ(loss.size(), 3u);
  EXPECT_EQ(loss[2].step, 3u);
  EXPECT_EQ(loss[1].value, 0.5);
  EXPECT_EQ(loss[1].time_ns - loss[0].time_ns, 2'000'000'000);
}

TEST_F(TaskMetrics, AreThinnedAndTheNewestIsWrittenAtTheEnd) {
  metrics.open(path);
  for (uint64_t step = 1; step <= 100; ++step) {
    report("loss", static_cast<double>(step), step);
    time.at += 1ms;
  }
  EXPECT_EQ(series()["loss"].size(), 1u);
  EXPECT_EQ(metrics.newest()["loss"].step, 100u);
  metrics.finish();
  EXPECT_EQ(series()["loss"].back().step, 100u);
}

TEST_F(TaskMetrics, GrowCoarserAndNotLonger) {
  constexpr size_t bytes_max = 4096;
  metrics.open(path, bytes_max);
  for (uint64_t step = 1; step <= 5000; ++step) {
    report("loss", static_cast<double>(step), step);
    report("accuracy", static_cast<double>(step) / 2, step);
    time.at += 2s;
  }
  metrics.finish();
  EXPECT_LE(std::filesystem::file_size(path), bytes_max);
  auto all = series();
  ASSERT_GE(all["loss"].size(), 10u);
  EXPECT_LT(all["loss"].front().step, 100u); // the beginning is still there
  EXPECT_EQ(all["loss"].back().step, 5000u);
  EXPECT_EQ(all["accuracy"].back().value, 2500.0);
}

TEST_F(TaskMetrics, AFullDiskCostsTheSeriesOnly) {
  metrics.open("/dev/full");
  report("loss", 1, 1);
  EXPECT_EQ(metrics.newest()["loss"].step, 1u);
}

TEST_F(TaskMetrics, KeepTheNewestGenerationThatIsAwaited) {
  EXPECT_FALSE(metrics.awaited());
  for (auto* wrong : {"awaits\n", "awaits \n", "awaits x\n", "awaits 1 2\n", "awaits -1\n",
                      "awaits 1.5\n", "await 1\n", "awaits 99999999999\n"})
    metrics.read(wrong);
  EXPECT_FALSE(metrics.awaited());
  metrics.read("awaits 0\n");
  EXPECT_EQ(metrics.awaited(), 0u);
  metrics.read("awaits 3\nawaits 2\nawa");
  EXPECT_EQ(metrics.awaited(), 3u);
  metrics.read("its 4\n");
  EXPECT_EQ(metrics.awaited(), 4u);
}

TEST_F(TaskMetrics, MeasureTheProcessAndItsDescendants) {
  metrics.open(path);
  time.at += 1s;
  metrics.measure(::getpid());
  auto newest = metrics.newest();
  EXPECT_GT(newest["system/memory_bytes"].value, 100'000);
  EXPECT_GE(newest["system/cpu_seconds"].value, 0);
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  time.at += 5s;
  metrics.measure(::getpid());
  EXPECT_GT(metrics.newest()["system/memory_bytes"].value, newest["system/memory_bytes"].value);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(series()["system/cpu_share"].size(), 2u);
}

TEST_F(TaskMetrics, OurNamesAreNotTheJobs) {
  report("system/cpu_seconds", 1e9, 1);
  EXPECT_TRUE(metrics.newest().empty());
}

TEST(MetricSeries, LeavesOutWhatIsNoLine) {
  auto all = parse_metric_series("5 loss 0.5 1\nx loss 1 1\n7 loss\n5 loss 0.5 1\n3 loss 0.75 0\n"
                                 "6 a 1 2 3\n9 loss 0.25 ");
  ASSERT_EQ(all.size(), 1u);
  ASSERT_EQ(all["loss"].size(), 2u);
  EXPECT_EQ(all["loss"][0].time_ns, 3);
}

TEST(MetricSeries, IsSummedUp) {
  std::vector<metric_sample> samples{{1, 2, 1}, {2, 4, 2}, {3, std::nan(""), 3}, {4, 3, 4}};
  auto all = summary_of(samples);
  EXPECT_EQ(all.newest, 3);
  EXPECT_EQ(all.min, 2);
  EXPECT_EQ(all.mean, 3);
  EXPECT_EQ(all.max, 4);
  EXPECT_EQ(sparkline_of({{1, 0, 1}, {2, 7, 2}, {3, 3.5, 3}}, 8), "▁█▅");
  EXPECT_EQ(sparkline_of({}, 8), "");
}

TEST(MetricSeries, TheNewestIsShownAlsoIfItIsNotFinite) {
  auto nan = std::nan("");
  std::vector<metric_sample> lost{{1, 0.1, 1}, {2, 0.3, 2}, {3, nan, 3}};
  auto all = summary_of(lost);
  EXPECT_TRUE(std::isnan(all.newest));
  EXPECT_EQ(all.min, 0.1);
  EXPECT_EQ(all.max, 0.3);
  EXPECT_EQ(sparkline_of(lost, 3), "▁█ ");
}

TEST(MetricSeries, WhatWasNeverFiniteHasNoLeastNorMean) {
  auto infinite = std::numeric_limits<double>::infinity();
  auto all = summary_of({{1, std::nan(""), 1}, {2, infinite, 2}});
  EXPECT_EQ(all.newest, infinite);
  for (auto each : {all.min, all.mean, all.max})
    EXPECT_TRUE(std::isnan(each));
}

} // namespace
} // namespace troupe
