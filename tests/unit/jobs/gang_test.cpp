// What the end of a task means for its job: roles, stages, budgets, time-outs.
#include "tests/unit/jobs/played_gang.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

class Gang : public testing::played_gang {};

TEST_F(Gang, SucceedsWithItsLastTask) {
  type("worker", 2);
  begin();
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::running);
  end("worker", 1, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

// What a task reports just before it ends comes with its end.
TEST_F(Gang, ShowsTheLastMetricsOfATask) {
  type("worker");
  begin();
  task_report_msg in;
  in.task = std::make_unique<task_id_msg>(job->id_of(job->tasks().at(0)));
  auto& loss = *in.progress.emplace_back(std::make_unique<metric_msg>());
  loss.name = "loss";
  for (auto state : {task_state::running, task_state::succeeded}) {
    in.state = state;
    loss.value = state == task_state::running ? 0.7 : 0.8;
    ++loss.step;
    if (auto sight = job->see("node-0", in); sight.change)
      apply(*sight.change);
    settle();
  }
  ASSERT_EQ(job->state(), job_state::succeeded);
  auto shown = job->status();
  ASSERT_EQ(shown.tasks.at(0)->progress.size(), 1u);
  EXPECT_EQ(shown.tasks[0]->progress[0]->value, 0.8);
  EXPECT_EQ(shown.tasks[0]->progress[0]->step, 2u);
}

TEST_F(Gang, StopsAtTheFirstFailureAndNamesIt) {
  type("worker", 3);
  begin();
  end("worker", 1, 7);
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
  EXPECT_EQ(job->status().reason, "task worker:1 on node-1 exited with code 7");
}

TEST_F(Gang, UntrackedTasksAreStoppedAtTheEnd) {
  type("ps").role = task_role::untracked;
  type("worker");
  begin();
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::running);
  EXPECT_TRUE(std::holds_alternative<send_stop>(orders().at(0)));
  obey();
  EXPECT_EQ(job->state(), job_state::succeeded);
  EXPECT_EQ(job->status().reason, "");
}

TEST_F(Gang, AFailedUntrackedTaskStopsTheGang) {
  type("ps").role = task_role::untracked;
  type("worker").go_on = true;
  begin();
  end("ps", 0, 1);
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
}

TEST_F(Gang, AnUntrackedTaskThatEndsWellIsNotAwaited) {
  type("ps").role = task_role::untracked;
  type("worker");
  begin();
  end("ps", 0, 0);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Gang, TheEndOfASidecarMeansNothing) {
  type("board").role = task_role::sidecar;
  type("worker");
  submit();
  place();
  end("board", 0, 9); // before the gang is complete
  start();
  EXPECT_EQ(job->state(), job_state::running);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Gang, NamesTheFirstFailureThatItBears) {
  type("worker", 4).go_on = true;
  type("board").role = task_role::sidecar;
  begin();
  EXPECT_EQ(job->status().reason, "");
  end("worker", 2, 3);
  EXPECT_EQ(job->status().reason, "the job went on without a task that failed: "
                                  "task worker:2 on node-2 exited with code 3");
  end("worker", 1, 1);
  end("worker", 0, 0);
  end("worker", 3, 0);
  obey(); // the board is killed, which is no failure
  ASSERT_EQ(job->state(), job_state::succeeded);
  EXPECT_EQ(job->status().reason, "the job went on without 2 tasks that failed, first "
                                  "task worker:2 on node-2 exited with code 3");
}

TEST_F(Gang, GoesOnWithoutAWorker) {
  type("worker", 3).go_on = true;
  begin();
  end("worker", 2, 1);
  EXPECT_FALSE(job->stopping());
  end("worker", 1, 0);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Gang, DoesNotGoOnWithoutItsChief) {
  type("worker", 2).go_on = true;
  begin();
  end("worker", 0, 1);
  EXPECT_TRUE(job->stopping());
}

TEST_F(Gang, ATypeNamedChiefIsTheChief) {
  type("worker", 2).go_on = true;
  type("chief").go_on = true;
  begin();
  end("worker", 0, 1);
  EXPECT_FALSE(job->stopping());
  end("chief", 0, 1);
  EXPECT_TRUE(job->stopping());
}

TEST_F(Gang, FailsWhenEveryTaskFailed) {
  type("chief"); // ends well, but only while another type has no success
  type("worker", 2).go_on = true;
  begin();
  end("worker", 0, 3);
  end("worker", 1, 4);
  end("chief", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);

  spec.tasks.clear();
  type("chief").role = task_role::sidecar;
  type("worker", 2).go_on = true;
  begin();
  end("worker", 0, 3);
  end("worker", 1, 4);
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
  EXPECT_NE(job->status().reason.find("worker:0 on node-0 exited with code 3"), std::string::npos)
    << job->status().reason;
}

TEST_F(Gang, AWorkerThatNeverRanStopsAGangThatWouldGoOn) {
  type("worker", 3).go_on = true;
  submit();
  place();
  end("worker", 2, 1);
  EXPECT_TRUE(job->stopping());
}

TEST_F(Gang, ALaterStageIsPlacedWhenTheEarlierHasSucceeded) {
  type("train", 2).after = {"prepare"};
  type("prepare");
  type("ps").role = task_role::untracked;
  submit();
  EXPECT_EQ(place(), "prepare ps");
  start();
  EXPECT_EQ(place(), "");
  end("prepare", 0, 0);
  EXPECT_EQ(job->state(), job_state::running);
  EXPECT_EQ(place(), "train");
  EXPECT_EQ(job->state(), job_state::starting);
  EXPECT_EQ(job->attempt(), 1u);
  for (auto& order : orders()) // the first stage is not started again
    EXPECT_EQ(std::get<send_start>(order).order.task->type, "train");
  for (uint32_t i = 0; i < 2; ++i)
    report("train", i, task_state::registered);
  for (auto& order : orders()) {
    auto& told = std::get<send_spec>(order).order; // its own stage, and what serves it
    EXPECT_EQ(told.world_size, 3u);
    EXPECT_EQ(told.rank, told.task->index);
    EXPECT_EQ(told.members.back()->type, "ps");
  }
  start();
  end("train", 0, 0);
  end("train", 1, 0);
  obey(); // the untracked one
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Gang, AnAttemptBeginsWithTheFirstStage) {
  spec.attempts_max = 2;
  type("prepare");
  type("train").after = {"prepare"};
  begin();
  end("prepare", 0, 0);
  place();
  start();
  end("train", 0, 1);
  EXPECT_EQ(job->state(), job_state::restarting);
  pass(2s);
  EXPECT_EQ(place(), "prepare");
  EXPECT_EQ(job->attempt(), 2u);
}

TEST_F(Gang, AStageWhosePredecessorsAllFailedFailsTheJob) {
  type("chief").role = task_role::sidecar; // so that no worker is the chief
  type("sweep", 2).go_on = true;
  type("merge").after = {"sweep"};
  type("other");
  begin();
  end("other", 0, 0);
  end("sweep", 0, 1);
  end("sweep", 1, 1);
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
  EXPECT_NE(job->status().reason.find("merge"), std::string::npos) << job->status().reason;
}

TEST_F(Gang, EachCauseHasItsBudget) {
  spec.attempts_max = 10;
  auto budget = [&](exit_class cause, uint32_t restarts) {
    spec.retries.push_back(std::make_unique<retry_budget_msg>());
    spec.retries.back()->cause = cause;
    spec.retries.back()->restarts = restarts;
  };
  budget(exit_class::user_error, 1);
  budget(exit_class::lost_node, 2);
  type("worker");
  begin();
  auto lose_node = [&] {
    for (auto& change : job->node_lost("node-0"))
      apply(change);
    settle();
  };
  auto next_attempt = [&] {
    pass(70s);
    EXPECT_EQ(place(), "worker");
    start();
  };
  lose_node();
  EXPECT_EQ(last_stop.cause, exit_class::lost_node);
  next_attempt();
  end("worker", 0, 1);
  EXPECT_EQ(last_stop.cause, exit_class::user_error);
  next_attempt();
  lose_node();
  next_attempt();
  EXPECT_EQ(job->attempt(), 4u);
  end("worker", 0, 1); // a second time
  EXPECT_EQ(job->state(), job_state::failed);
}

TEST_F(Gang, WaitsTwiceAsLongAfterEachFailure) {
  spec.attempts_max = 12;
  type("worker");
  begin();
  for (auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    end("worker", 0, 1);
    pass(wait - 1ms);
    EXPECT_EQ(place(), "") << wait.count();
    pass(1ms);
    EXPECT_EQ(place(), "worker") << wait.count();
    start();
  }
}

TEST_F(Gang, AGangThatIsMovedDoesNotPayForIt) {
  spec.attempts_max = 2;
  type("worker");
  begin();
  for (int i = 0; i < 3; ++i) {
    apply(*job->move_from("node-0", "it leaves"));
    settle();
    obey();
    pass(2s);
    EXPECT_EQ(place(), "worker");
    start();
  }
  EXPECT_EQ(job->attempt(), 4u);
  end("worker", 0, 1);
  EXPECT_EQ(job->state(), job_state::restarting);
}

TEST_F(Gang, EndsAtItsTimeOutWhateverItsBudget) {
  spec.attempts_max = 5;
  spec.timeout_ns = 60'000'000'000;
  type("worker");
  begin();
  pass(30s);
  end("worker", 0, 1);
  pass(10s);
  place();
  start();
  pass(19s);
  EXPECT_FALSE(job->stopping());
  gang later_life{options, job->keep()};
  EXPECT_FALSE(later_life.next(at)); // it counts from the first start too
  pass(1s);
  EXPECT_TRUE(later_life.next(at));
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
  EXPECT_EQ(job->status().reason, "the job ran longer than its time-out of 60 s");
}

TEST_F(Gang, GivesUpWhenNoRoomIsFound) {
  spec.placement_timeout_ns = 10'000'000'000;
  type("worker");
  submit();
  pass(9s);
  EXPECT_EQ(job->state(), job_state::queued);
  pass(1s);
  EXPECT_EQ(job->state(), job_state::failed);
  EXPECT_EQ(job->status().reason, "no room was found within 10 s");
}

TEST_F(Gang, HasItsOwnTimeToRegister) {
  spec.register_timeout_ns = 5'000'000'000;
  type("worker", 2);
  submit();
  place();
  report("worker", 0, task_state::registered);
  pass(5s);
  EXPECT_EQ(last_stop.reason, "task worker:1 on node-1 did not register within 5 s");
  EXPECT_EQ(last_stop.cause, exit_class::infrastructure);
}

TEST_F(Gang, IsNotLateWhileItsPackagesAreFetched) {
  type("worker", 2);
  spec.register_timeout_ns = 5'000'000'000;
  submit();
  place();
  report("worker", 0, task_state::registered);
  for (int i = 0; i < 10; ++i) {
    report("worker", 1, task_state::pending);
    pass(4s);
  }
  EXPECT_EQ(job->state(), job_state::starting);
  report("worker", 1, task_state::starting);
  pass(6s);
  EXPECT_NE(last_stop.reason.find("did not register"), std::string::npos);
}

TEST_F(Gang, TheNodeSaysWhyATaskCouldNotStart) {
  type("worker");
  submit();
  place();
  task_report_msg in;
  in.task = std::make_unique<task_id_msg>();
  in.task->job = in.task->attempt = 1;
  in.task->type = "worker";
  in.state = task_state::failed;
  in.reason = "its resource cannot be had";
  in.cause = exit_class::infrastructure;
  auto sight = job->see("node-0", in);
  ASSERT_TRUE(sight.change);
  EXPECT_EQ(sight.change->Astask_ended()->cause, exit_class::infrastructure);
  in.files.push_back(std::make_unique<file_use_msg>());
  in.files.back()->path = "/x/core";
  in.files_left_out = 3;
  in.cause = static_cast<exit_class>(200);
  sight = job->see("node-0", in);
  EXPECT_EQ(sight.change->Astask_ended()->cause, exit_class::user_error);
  ASSERT_EQ(sight.change->Astask_ended()->files.size(), 1u); // what it wrote goes to the log
  EXPECT_EQ(sight.change->Astask_ended()->files.front()->path, "/x/core");
  EXPECT_EQ(sight.change->Astask_ended()->files_left_out, 3u);
}

TEST_F(Gang, WithoutAGangEachTaskStartsWhenItIsThere) {
  spec.each_when_ready = true;
  type("worker", 2);
  submit();
  place();
  orders();
  report("worker", 1, task_state::registered);
  auto now = orders();
  ASSERT_EQ(now.size(), 1u);
  auto& told = std::get<send_spec>(now[0]).order;
  EXPECT_EQ(told.task->index, 1u);
  EXPECT_EQ(told.rank, 1u);
  EXPECT_EQ(told.world_size, 2u);
  end("worker", 1, 0);
  EXPECT_EQ(job->state(), job_state::starting);
  report("worker", 0, task_state::registered);
  end("worker", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

class GangWithAnEndRule : public Gang {
protected:
  void make(bool ignore) {
    type("chief");
    type("evaluator");
    spec.end_rules.push_back(std::make_unique<end_rule_msg>());
    auto& rule = *spec.end_rules.back();
    rule.type = "evaluator";
    rule.after = {"chief"};
    rule.within_ns = 20'000'000'000;
    rule.ignore = ignore;
    begin();
    pass(60s);
    end("chief", 0, 0);
    pass(19s);
    EXPECT_FALSE(job->stopping());
  }
};

TEST_F(GangWithAnEndRule, FailsForATaskThatDoesNotFollow) {
  make(false);
  pass(1s);
  obey();
  EXPECT_EQ(job->state(), job_state::failed);
}

TEST_F(GangWithAnEndRule, SucceedsWithoutATaskThatMayBeLeft) {
  make(true);
  pass(1s);
  obey();
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(GangWithAnEndRule, IsContentWithATaskThatFollows) {
  make(false);
  end("evaluator", 0, 0);
  EXPECT_EQ(job->state(), job_state::succeeded);
}

TEST_F(Gang, TheFailureThatExplainsTheOthersIsTheReason) {
  options.failures_settle = 100ms;
  type("worker", 4);
  begin();
  end("worker", 0, 1); // it noticed first that the others had gone
  end("worker", 1, 137);
  EXPECT_FALSE(job->stopping());
  pass(50ms);
  end("worker", 2, 137);
  pass(50ms);
  ASSERT_TRUE(job->stopping());
  EXPECT_EQ(last_stop.index, 1u);
}

// The master decides nothing anew because a task still runs.
TEST_F(Gang, AReportThatSaysTheSameIsNoNews) {
  type("worker");
  begin();
  task_report_msg in;
  in.task = std::make_unique<task_id_msg>(job->id_of(job->tasks()[0]));
  in.state = task_state::running;
  in.host = "host";
  in.port = 1001;
  EXPECT_TRUE(job->see("node-0", in).news); // it listens elsewhere
  EXPECT_FALSE(job->see("node-0", in).news);
  in.ui_port = 6006;
  EXPECT_TRUE(job->see("node-0", in).news);
}

// That a node was lost explains the rest: the gang stops at once.
TEST_F(Gang, ANodeThatIsAwayIsWaitedForBeforeATaskIsBlamed) {
  options.failures_settle = 1h;
  type("worker", 3);
  begin();
  auto away = [](const std::string& node) { return node != "node-1"; };
  task_report_msg in;
  in.task = std::make_unique<task_id_msg>(job->id_of(job->tasks()[0]));
  in.state = task_state::failed;
  in.exit_code = 1;
  apply(*job->see("node-0", in).change);
  EXPECT_FALSE(job->next(at, away));
  for (auto& lost : job->node_lost("node-1"))
    apply(lost);
  auto due = job->next(at, away);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->Asgang_stopping()->cause, exit_class::lost_node);
}

} // namespace
} // namespace troupe
