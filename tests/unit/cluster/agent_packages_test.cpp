// What an agent decides about tasks whose packages are not here yet.
#include "actors/cluster/agent_core.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

std::string hash_of(char digit) {
  return std::string(64, digit);
}

start_task_msg order_of(uint64_t job, uint32_t index, const std::string& packages,
                        uint32_t attempt = 1) {
  start_task_msg out;
  out.epoch = 1;
  out.task = std::make_unique<task_id_msg>();
  out.task->job = job;
  out.task->attempt = attempt;
  out.task->type = "worker";
  out.task->index = index;
  out.cpus = 1;
  for (auto digit : packages) {
    auto made = std::make_unique<resource_msg>();
    made->name = std::string{"code-"}.append(1, digit);
    made->hash = hash_of(digit);
    made->size = 10;
    out.resources.push_back(std::move(made));
  }
  return out;
}

class AgentPackages : public ::testing::Test {
protected:
  static agent_options options() {
    agent_options out;
    out.name = "node-1";
    out.capacity = {8, 0, 0};
    out.incarnation = 1;
    out.orphan_timeout = 60s;
    out.packages = {100, 4, 30s, 1s};
    return out;
  }

  agent_effects start(const start_task_msg& order) {
    auto done = core_.start(order, now_);
    EXPECT_TRUE(done) << done.error().text;
    return done ? std::move(*done) : agent_effects{};
  }

  agent_effects arrives(char digit) { return core_.fetch_ended({hash_of(digit), 40, {}}, now_); }

  agent_effects fails(char digit, errc code) {
    return core_.fetch_ended({hash_of(digit), 0, {code, "the reason"}}, now_);
  }

  template <class T>
  static size_t count(const agent_effects& all) {
    return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](auto& x) { return std::holds_alternative<T>(x); }));
  }

  const task_report_msg& report(uint64_t job = 1, uint32_t index = 0) {
    last_ = core_.report();
    for (auto& x : last_.tasks)
      if (x->task->job == job && x->task->index == index)
        return *x;
    ADD_FAILURE() << "the task is not reported";
    static const task_report_msg none;
    return none;
  }

  time_point now_{1000s};
  agent_core core_{options(), now_};
  node_report_msg last_;
};

TEST_F(AgentPackages, AreFetchedBeforeTheTaskIsLaunched) {
  auto effects = start(order_of(1, 0, "ab"));
  EXPECT_EQ(count<fetch_due>(effects), 2u);
  EXPECT_EQ(count<remember_task>(effects), 1u);
  EXPECT_EQ(count<launch_executor>(effects), 0u);
  EXPECT_EQ(report().state, task_state::pending);
  EXPECT_EQ(core_.free().cpus, 7u) << "it holds its room";
  EXPECT_EQ(count<launch_executor>(arrives('a')), 0u);
  EXPECT_EQ(count<launch_executor>(arrives('b')), 1u);
  EXPECT_EQ(report().state, task_state::starting);
}

TEST_F(AgentPackages, AreFetchedOnceForAllTasks) {
  EXPECT_EQ(count<fetch_due>(start(order_of(1, 0, "a"))), 1u);
  EXPECT_EQ(count<fetch_due>(start(order_of(1, 1, "a"))), 0u);
  EXPECT_EQ(count<fetch_due>(start(order_of(2, 0, "a"))), 0u);
  EXPECT_EQ(count<launch_executor>(arrives('a')), 3u);
  auto later = start(order_of(3, 0, "a"));
  EXPECT_EQ(count<fetch_due>(later), 0u);
  EXPECT_EQ(count<launch_executor>(later), 1u);
}

TEST_F(AgentPackages, ThatCannotBeHadEndTheTaskWithTheReason) {
  start(order_of(1, 0, "ab"));
  auto effects = fails('a', errc::invalid);
  EXPECT_EQ(count<forget_task>(effects), 1u);
  EXPECT_EQ(count<report_due>(effects), 1u);
  EXPECT_EQ(count<cancel_fetch>(effects), 1u) << "nobody waits for b any more";
  auto& ended = report();
  EXPECT_EQ(ended.state, task_state::failed);
  EXPECT_EQ(ended.cause, exit_class::infrastructure);
  EXPECT_NE(ended.reason.find("\"code-a\""), std::string::npos) << ended.reason;
  EXPECT_NE(ended.reason.find("the reason"), std::string::npos) << ended.reason;
  EXPECT_EQ(core_.free().cpus, 8u);
}

TEST_F(AgentPackages, AreTriedAgainUntilPatienceEnds) {
  start(order_of(1, 0, "a"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(count<fetch_due>(fails('a', errc::node_lost)), 0u);
    now_ += 2s;
    EXPECT_EQ(count<fetch_due>(core_.tick(now_)), 1u);
  }
  EXPECT_EQ(report().state, task_state::pending);
  now_ += 30s;
  fails('a', errc::node_lost);
  EXPECT_EQ(report().state, task_state::failed);
}

TEST_F(AgentPackages, OfATaskThatIsStoppedAreNotAwaited) {
  start(order_of(1, 0, "a"));
  stop_task_msg stop;
  stop.epoch = 1;
  stop.task = std::make_unique<task_id_msg>(*order_of(1, 0, "").task);
  auto effects = core_.stop(stop, now_);
  ASSERT_TRUE(effects);
  EXPECT_EQ(count<terminate_task>(*effects), 0u) << "there is no process";
  EXPECT_EQ(count<cancel_fetch>(*effects), 1u);
  EXPECT_EQ(report().state, task_state::killed);
  EXPECT_EQ(count<launch_executor>(arrives('a')), 0u);
  // The next attempt has what came all the same.
  EXPECT_EQ(count<launch_executor>(start(order_of(1, 0, "a", 2))), 1u);
}

TEST_F(AgentPackages, OfAnOrphanAreNotAwaitedForEver) {
  start(order_of(1, 0, "a"));
  now_ += 61s;
  core_.tick(now_);
  EXPECT_EQ(report().state, task_state::killed);
}

TEST_F(AgentPackages, AreAwaitedByTheNextLifeOfTheAgent) {
  auto effects = core_.adopt_waiting(order_of(1, 0, "a"), now_);
  EXPECT_EQ(count<fetch_due>(effects), 1u);
  EXPECT_EQ(report().state, task_state::pending);
  auto registered = core_.registration();
  ASSERT_EQ(registered.tasks.size(), 1u) << "so that the master does not take it for lost";
  EXPECT_EQ(count<launch_executor>(arrives('a')), 1u);
}

TEST_F(AgentPackages, OfAnEarlierLifeNeedNotBeFetched) {
  core_.package_found(hash_of('a'), 40);
  EXPECT_EQ(count<launch_executor>(start(order_of(1, 0, "a"))), 1u);
}

TEST_F(AgentPackages, AreDroppedWhenTheyAreTooManyAndNobodyUsesThem) {
  for (auto digit : {'a', 'b', 'c'})
    core_.package_found(hash_of(digit), 40);
  core_.adopt(order_of(1, 0, "a"));
  auto effects = core_.tick(now_);
  ASSERT_EQ(count<drop_package>(effects), 1u);
  auto dropped = std::find_if(effects.begin(), effects.end(),
                              [](auto& x) { return std::holds_alternative<drop_package>(x); });
  EXPECT_EQ(std::get<drop_package>(*dropped).hash, hash_of('b'))
    << "a is used, b is the oldest of the others";
}

TEST_F(AgentPackages, WithNamesThatLeadElsewhereAreRefused) {
  for (auto change :
       {+[](resource_msg& x) { x.name = "../x"; }, +[](resource_msg& x) { x.name = ""; },
        +[](resource_msg& x) { x.hash = "../../etc"; },
        +[](resource_msg& x) { x.programs = "../bin"; },
        +[](resource_msg& x) { x.kind = static_cast<resource_kind>(9); }}) {
    auto order = order_of(1, 0, "a");
    change(*order.resources[0]);
    EXPECT_FALSE(core_.start(order, now_));
  }
  EXPECT_EQ(core_.running(), 0u);
}

} // namespace
} // namespace troupe
