// A gang that goes on without a task that was lost, and takes in another: generations of one
// attempt.
#include "tests/unit/jobs/played_gang.hpp"

#include <algorithm>

namespace troupe {
namespace {

using namespace std::chrono_literals;

class Regroup : public testing::played_gang {
protected:
  void begin_with(uint32_t instances, uint32_t least) {
    auto& worker = type("worker", instances);
    worker.regroup = true;
    worker.instances_min = least;
    options.backoff_first = 1s;
    options.backoff_max = 60s;
    begin();
  }

  // As the master does when there is room.
  void join(uint32_t index) {
    attempt_placed_msg placed;
    placed.job = 1;
    placed.attempt = job->attempt();
    placed.joining = true;
    placed.tasks.push_back(std::make_unique<placed_task_msg>());
    placed.tasks.back()->type = "worker";
    placed.tasks.back()->index = index;
    placed.tasks.back()->node = "node-" + std::to_string(index);
    apply(change_of(std::move(placed)));
    settle();
  }

  // The specification that a task is sent, or null.
  std::unique_ptr<cluster_spec_msg> told(uint32_t index) {
    for (auto& order : orders())
      if (auto* spec_order = std::get_if<send_spec>(&order);
          spec_order && spec_order->order.task->index == index)
        return std::make_unique<cluster_spec_msg>(spec_order->order);
    return nullptr;
  }

  // A worker says that it can do nothing in a generation any more.
  void await(uint32_t index, uint32_t generation) {
    report("worker", index, task_state::running, 0, generation, true);
  }

  size_t starts() {
    auto all = orders();
    return static_cast<size_t>(std::count_if(
      all.begin(), all.end(), [](auto& x) { return std::holds_alternative<send_start>(x); }));
  }
};

TEST_F(Regroup, SurvivorsGoOnAsTheNextGeneration) {
  begin_with(3, 1);
  EXPECT_EQ(job->generation(), 0u);
  end("worker", 1, 137);
  EXPECT_EQ(job->state(), job_state::running);
  EXPECT_FALSE(job->stopping());
  EXPECT_EQ(job->generation(), 1u);
  auto order = told(2);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->generation, 1u);
  EXPECT_EQ(order->world_size, 2u);
  EXPECT_EQ(order->rank, 1u);
  ASSERT_EQ(order->members.size(), 2u);
  EXPECT_EQ(order->members[0]->index, 0u);
  EXPECT_EQ(order->members[1]->index, 2u);
}

TEST_F(Regroup, AMemberIsToldUntilItSaysThatItKnows) {
  begin_with(2, 1);
  end("worker", 1, 137);
  EXPECT_TRUE(told(0));
  EXPECT_FALSE(told(0)); // not at once again
  EXPECT_FALSE(job->quiet());
  pass(options.repeat_after);
  EXPECT_TRUE(told(0));
  report("worker", 0, task_state::running, 0, 1);
  pass(options.repeat_after);
  EXPECT_FALSE(told(0));
  EXPECT_TRUE(job->quiet());
}

TEST_F(Regroup, ALostNodeIsLeftOutWithAllItsTasks) {
  begin_with(2, 1);
  for (auto& change : job->node_lost("node-1"))
    apply(change);
  settle();
  EXPECT_EQ(job->generation(), 1u);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Regroup, AFaultOfItsOwnCodeStopsTheGang) {
  begin_with(2, 1);
  end("worker", 1, 1);
  EXPECT_EQ(job->generation(), 0u);
  EXPECT_TRUE(job->stopping());
}

TEST_F(Regroup, WithTooFewLeftItStartsAgain) {
  spec.attempts_max = 2;
  begin_with(3, 2);
  end("worker", 0, 137);
  EXPECT_EQ(job->generation(), 1u);
  end("worker", 1, 137);
  EXPECT_EQ(job->generation(), 1u);
  EXPECT_TRUE(job->stopping());
  obey();
  pass(1min);
  EXPECT_EQ(place(), "worker");
  EXPECT_EQ(job->attempt(), 2u);
  EXPECT_EQ(job->generation(), 0u);
}

TEST_F(Regroup, ATypeThatDoesNotAllowItStopsTheGang) {
  type("ps").role = task_role::untracked;
  begin_with(2, 1);
  end("ps", 0, 137);
  EXPECT_TRUE(job->stopping());
}

TEST_F(Regroup, WantsAnotherAfterAWhileAndTakesItInWhenItIsThere) {
  begin_with(2, 1);
  end("worker", 1, 137);
  EXPECT_TRUE(job->wants_more(at.wall_ns).empty());
  pass(options.backoff_first);
  auto wanted = job->wants_more(at.wall_ns);
  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_EQ(wanted[0].second, 1u);
  ASSERT_EQ(job->next_index(wanted[0].first), 2u);
  report("worker", 0, task_state::running, 0, 1);
  join(2);
  EXPECT_TRUE(job->wants_more(at.wall_ns).empty());
  EXPECT_EQ(job->state(), job_state::running);
  EXPECT_EQ(starts(), 1u);
  EXPECT_EQ(job->generation(), 1u);
  report("worker", 2, task_state::registered);
  EXPECT_EQ(job->generation(), 2u);
  auto newcomer = told(2);
  ASSERT_TRUE(newcomer);
  EXPECT_EQ(newcomer->rank, 1u);
  EXPECT_EQ(newcomer->world_size, 2u);
  report("worker", 2, task_state::running, 0, 2);
  pass(options.repeat_after);
  auto member = told(0);
  ASSERT_TRUE(member);
  EXPECT_EQ(member->generation, 2u);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::running);
  end("worker", 2, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Regroup, TheMoreWereLostTheLongerItWaits) {
  begin_with(4, 1);
  end("worker", 1, 137);
  pass(1s);
  EXPECT_FALSE(job->wants_more(at.wall_ns).empty());
  end("worker", 2, 137);
  pass(1s);
  EXPECT_TRUE(job->wants_more(at.wall_ns).empty());
  pass(1s);
  EXPECT_EQ(job->wants_more(at.wall_ns)[0].second, 2u);
}

TEST_F(Regroup, ANewcomerThatNeverComesIsLetGo) {
  begin_with(2, 1);
  end("worker", 1, 137);
  pass(1s);
  join(2);
  pass(options.register_timeout);
  pass(options.register_timeout);
  EXPECT_EQ(living().size(), 1u);
  EXPECT_EQ(job->generation(), 1u);
  EXPECT_EQ(job->state(), job_state::running);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

// ---- members that lost each other ----

TEST_F(Regroup, MembersThatOthersWaitForInVainAreLostTogether) {
  begin_with(4, 1);
  pass(options.register_timeout);
  await(0, 0);
  EXPECT_FALSE(job->quiet());
  pass(options.await_timeout / 2);
  await(2, 0);
  EXPECT_EQ(job->generation(), 0u);
  pass(options.await_timeout);
  EXPECT_EQ(living(),
            (std::vector<std::pair<std::string, uint32_t>>{{"worker", 0}, {"worker", 2}}));
  EXPECT_EQ(job->generation(), 1u);
  EXPECT_EQ(told(2)->world_size, 2u);
  EXPECT_EQ(job->state(), job_state::running);
}

TEST_F(Regroup, WhoIsJustStartedHasTheTimeToBegin) {
  begin_with(2, 1);
  await(0, 0);
  pass(options.register_timeout - 2s);
  EXPECT_EQ(living().size(), 2u);
  pass(3s);
  EXPECT_EQ(living().size(), 1u);
}

TEST_F(Regroup, WhoHasEndedWellIsNotInTheNextGeneration) {
  begin_with(3, 1);
  end("worker", 0, 0);
  end("worker", 1, 137);
  auto order = told(2);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->world_size, 1u);
  EXPECT_EQ(order->rank, 0u);
  end("worker", 2, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Regroup, WhoComesLateToTheWaitingIsNotLost) {
  begin_with(2, 1);
  await(0, 0);
  pass(options.await_timeout / 2);
  await(1, 0);
  EXPECT_EQ(living().size(), 2u);
  EXPECT_EQ(job->generation(), 1u); // all the same, anew
  EXPECT_EQ(told(1)->world_size, 2u);
}

TEST_F(Regroup, MembersThatLoseEachOtherAgainSoonGetNoMoreGenerations) {
  begin_with(2, 1);
  for (uint32_t rank : {0, 1})
    await(rank, 0);
  ASSERT_EQ(job->generation(), 1u);
  for (uint32_t rank : {0, 1})
    await(rank, 1);
  pass(options.register_timeout);
  EXPECT_EQ(job->generation(), 1u);
  EXPECT_EQ(living().size(), 2u);
  pass(options.register_timeout);
  EXPECT_EQ(job->generation(), 2u);
}

TEST_F(Regroup, WaitingForAnEarlierGenerationMeansNothing) {
  begin_with(3, 1);
  end("worker", 1, 137);
  ASSERT_EQ(job->generation(), 1u);
  await(0, 0);
  pass(2 * options.await_timeout);
  EXPECT_EQ(living().size(), 2u);
  EXPECT_EQ(job->generation(), 1u);
}

TEST_F(Regroup, TooFewThatWaitStartAgain) {
  spec.attempts_max = 2;
  begin_with(2, 2);
  pass(options.register_timeout);
  await(0, 0);
  pass(options.await_timeout);
  pass(options.failures_settle);
  EXPECT_EQ(job->state(), job_state::restarting);
}

TEST_F(Regroup, ALossWhileANewcomerStartsIsNotWaitedFor) {
  begin_with(3, 1);
  end("worker", 1, 137);
  pass(1s);
  join(3);
  end("worker", 2, 137);
  EXPECT_EQ(job->generation(), 2u);
  report("worker", 3, task_state::registered);
  EXPECT_EQ(job->generation(), 3u);
  EXPECT_EQ(told(3)->world_size, 2u);
}

} // namespace
} // namespace troupe
