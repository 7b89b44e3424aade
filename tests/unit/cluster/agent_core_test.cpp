#include "actors/cluster/agent_core.hpp"
#include "runtime/base/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A node with one running task, whose executor reports when it is told to.
class silent_executor : public ::testing::Test {
protected:
  silent_executor() : agent_(options(), now_) {
    start_task_msg order;
    order.epoch = 1;
    order.task = std::make_unique<task_id_msg>(id());
    order.cpus = 1;
    EXPECT_TRUE(agent_.start(order, now_));
  }

  static agent_options options() {
    agent_options out;
    out.name = "node-1";
    out.capacity = {4, 0, 0};
    out.orphan_timeout = 1h;
    return out;
  }

  static task_id_msg id() {
    task_id_msg out;
    out.job = 1;
    out.attempt = 1;
    out.type = "worker";
    return out;
  }

  void register_executor() {
    executor_register_msg x;
    x.task = std::make_unique<task_id_msg>(id());
    EXPECT_TRUE(agent_.executor_registered(x));
  }

  void report_running() {
    task_report_msg report;
    report.task = std::make_unique<task_id_msg>(id());
    report.state = task_state::running;
    EXPECT_TRUE(agent_.executor_reported(report));
  }

  // How often the task is killed while `span` passes, with a tick each 200 ms.
  size_t kills_in(duration span) {
    size_t out = 0;
    for (auto end = now_ + span; now_ < end;)
      out += tick(200ms);
    return out;
  }

  size_t tick(duration pause) {
    auto effects = agent_.tick(now_ += pause);
    return static_cast<size_t>(std::count_if(effects.begin(), effects.end(), [](auto& each) {
      return std::holds_alternative<kill_task>(each);
    }));
  }

  time_point now_{};
  agent_core agent_;
};

TEST_F(silent_executor, IsKilledUntilItIsGoneAndItsTaskHasFailed) {
  register_executor();
  report_running();
  EXPECT_EQ(kills_in(9s), 0u);
  EXPECT_GE(kills_in(5s), 3u);
  agent_.executor_exited(id(), 137, "the executor ended with code 137");
  auto report = agent_.report();
  auto& told = *report.tasks.front();
  EXPECT_EQ(told.state, task_state::failed);
  EXPECT_EQ(told.cause, exit_class::infrastructure);
  EXPECT_EQ(told.reason, "its executor was silent for 10 s");
  EXPECT_EQ(kills_in(5s), 0u);
}

TEST_F(silent_executor, IsHeardAgainInTime) {
  register_executor();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(kills_in(9s), 0u);
    report_running();
  }
}

TEST_F(silent_executor, IsAwaitedWhileItStarts) {
  EXPECT_EQ(kills_in(60s), 0u); // the master's time-out of registrations is for that
}

TEST_F(silent_executor, IsNotBlamedForAPauseOfItsAgent) {
  register_executor();
  EXPECT_EQ(tick(5min), 0u);
  report_running();
  EXPECT_EQ(kills_in(9s), 0u);
}

TEST_F(silent_executor, ThatDiesIsNotTheFaultOfItsCommand) {
  register_executor();
  report_running();
  agent_.executor_exited(id(), 137, "the executor ended with code 137");
  auto report = agent_.report();
  EXPECT_EQ(report.tasks.front()->state, task_state::failed);
  EXPECT_EQ(report.tasks.front()->cause, exit_class::infrastructure);
}

TEST_F(silent_executor, KeepsTheEndThatItHasTold) {
  register_executor();
  task_report_msg end;
  end.task = std::make_unique<task_id_msg>(id());
  end.state = task_state::succeeded;
  EXPECT_TRUE(agent_.executor_reported(end));
  EXPECT_GE(kills_in(11s), 1u);
  agent_.executor_exited(id(), 137, "the executor ended with code 137");
  EXPECT_EQ(agent_.report().tasks.front()->state, task_state::succeeded);
}

TEST_F(silent_executor, OfAnEarlierLifeOfTheAgentIsNotAwaitedForEver) {
  agent_core next{options(), now_};
  start_task_msg order;
  order.task = std::make_unique<task_id_msg>(id());
  next.adopt(order);
  size_t kills = 0;
  for (int i = 0; i < 12; ++i)
    for (auto& each : next.tick(now_ += 1s))
      kills += std::holds_alternative<kill_task>(each) ? 1 : 0;
  EXPECT_GE(kills, 1u);
}

// ---- generations ----

TEST_F(silent_executor, IsToldOfALaterGenerationUntilItsTaskKnowsIt) {
  auto told = [&](uint32_t generation) {
    cluster_spec_msg spec;
    spec.epoch = 1;
    spec.task = std::make_unique<task_id_msg>(id());
    spec.generation = generation;
    auto effects = agent_.spec(spec, now_);
    EXPECT_TRUE(effects);
    return effects && std::any_of(effects->begin(), effects->end(), [](auto& each) {
             return std::holds_alternative<deliver_spec>(each);
           });
  };
  register_executor();
  EXPECT_TRUE(told(0));
  report_running();
  EXPECT_FALSE(told(0));
  EXPECT_TRUE(told(2));
  EXPECT_TRUE(told(2));
  task_report_msg report;
  report.task = std::make_unique<task_id_msg>(id());
  report.state = task_state::running;
  report.generation = 2;
  auto effects = agent_.executor_reported(report);
  ASSERT_TRUE(effects);
  EXPECT_FALSE(effects->empty()); // the master learns of it at once
  EXPECT_EQ(agent_.report().tasks.front()->generation, 2u);
  EXPECT_FALSE(told(2));
  EXPECT_FALSE(told(1));
}

TEST_F(silent_executor, SaysAtOnceThatItWaitsForALaterGeneration) {
  register_executor();
  report_running();
  task_report_msg report;
  report.task = std::make_unique<task_id_msg>(id());
  report.state = task_state::running;
  auto told = [&](uint32_t generation, bool awaits_next) {
    report.generation = generation;
    report.awaits_next = awaits_next;
    auto effects = agent_.executor_reported(report);
    EXPECT_TRUE(effects);
    return effects && !effects->empty();
  };
  EXPECT_TRUE(told(0, true));
  EXPECT_TRUE(agent_.report().tasks.front()->awaits_next);
  EXPECT_FALSE(told(0, true)); // nothing new
  EXPECT_TRUE(told(1, false));
  EXPECT_FALSE(agent_.report().tasks.front()->awaits_next);
  EXPECT_FALSE(told(0, true)); // a report that was late
}

TEST(AgentReport, TellsOfEndsWithManyFilesOneAfterTheOther) {
  agent_options options;
  options.name = "node-1";
  options.capacity = {8, 0, 0};
  agent_core agent{options, {}};
  std::set<uint32_t> left;
  for (uint32_t index = 0; index < 8; ++index) {
    task_id_msg id;
    id.job = id.attempt = 1;
    id.type = "worker";
    id.index = index;
    start_task_msg order;
    order.epoch = 1;
    order.task = std::make_unique<task_id_msg>(id);
    order.cpus = 1;
    ASSERT_TRUE(agent.start(order, {}));
    task_report_msg ended;
    ended.task = std::make_unique<task_id_msg>(id);
    ended.state = task_state::succeeded;
    for (int i = 0; i < 2000; ++i) {
      ended.files.push_back(std::make_unique<file_use_msg>());
      ended.files.back()->path = "/some/where/" + std::to_string(i);
      ended.files.back()->hash = std::string(64, 'a');
    }
    ASSERT_TRUE(agent.executor_reported(ended));
    agent.executor_exited(id, 0, "");
    left.insert(index);
  }
  for (int rounds = 0; !left.empty() && rounds < 8; ++rounds) {
    EXPECT_TRUE(agent.knows_news());
    auto report = agent.report();
    EXPECT_EQ(report.tasks.size(), left.size()); // one that is not named is taken for gone
    size_t files = 0;
    for (auto& each : report.tasks) {
      files += each->files.size();
      if (each->state == task_state::running)
        continue;
      EXPECT_EQ(each->files.size() + each->files_left_out, 2000u);
      EXPECT_GT(each->files.size(), 900u);
      left.erase(each->task->index);
    }
    EXPECT_LE(files * 64, limits::node_files_bytes_max);
    agent.acknowledge(report);
  }
  EXPECT_TRUE(left.empty());
  EXPECT_TRUE(agent.report().tasks.empty());
}

} // namespace
} // namespace troupe
