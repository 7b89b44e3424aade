// Which jobs may start, when, where, and how large: holds, needs, arrays, classes, labels, drains.
#include "actors/cluster/master_core.hpp"
#include "actors/jobs/task_image.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A master whose nodes are played by hand.
class JobOrder : public ::testing::Test {
protected:
  JobOrder() {
    core.emplace(options, 1);
    core->resume(at);
  }

  void node(const std::string& name, uint32_t cpus, std::vector<std::string> labels = {}) {
    register_node_msg in;
    in.name = name;
    in.cpus = cpus;
    in.labels = std::move(labels);
    in.incarnation = 1;
    ASSERT_FALSE(step(in).refusal);
  }

  // A job of one type, ready to be changed and submitted.
  static submit_job_msg job(uint32_t instances = 1, uint32_t cpus = 1) {
    submit_job_msg out;
    out.spec = std::make_unique<job_spec_msg>();
    out.spec->name = std::string{"job"};
    auto& type = *out.spec->tasks.emplace_back(std::make_unique<task_type_msg>());
    type.name = std::string{"worker"};
    type.instances = instances;
    type.cpus = cpus;
    type.command.emplace_back("true");
    return out;
  }

  static submit_job_msg needing(uint64_t other, need_rule when) {
    auto out = job();
    auto& need = *out.spec->needs.emplace_back(std::make_unique<job_need_msg>());
    need.job = other;
    need.when = when;
    return out;
  }

  uint64_t submit(submit_job_msg x) {
    x.token = ++last_token;
    auto out = step(x);
    EXPECT_FALSE(out.refusal) << out.refusal->text;
    return out.job;
  }

  std::string refusal_of(const master_input& x) {
    auto out = step(x);
    return out.refusal ? out.refusal->text : "none";
  }

  // Each step leaves a state that a later life of the master would know as well.
  master_outcome step(const master_input& input) {
    auto out = core->step(input, at);
    master_core again{options, 2};
    for (auto& record : core->snapshot())
      again.apply(record);
    auto texts = [](const master_core& x) {
      std::string all;
      for (auto& record : x.snapshot())
        all += encode_record(record);
      return all;
    };
    EXPECT_EQ(texts(again), texts(*core));
    return out;
  }

  void pass(duration time) {
    at.now += time;
    at.wall_ns += time.count();
    step(timer_tick{});
  }

  void report(uint64_t id, task_state state, int code = 0) {
    for (auto& x : core->find(id)->tasks()) {
      if (x.ended)
        continue;
      node_reported in{x.node, {}};
      in.report.incarnation = 1;
      auto& task = *in.report.tasks.emplace_back(std::make_unique<task_report_msg>());
      task.task = std::make_unique<task_id_msg>(core->find(id)->id_of(x));
      task.state = state;
      task.exit_code = code;
      task.port = 1;
      step(in);
    }
  }

  void run(uint64_t id) {
    report(id, task_state::registered);
    report(id, task_state::running);
    EXPECT_EQ(state(id), job_state::running);
  }

  void finish(uint64_t id, int code = 0) {
    run(id);
    report(id, code == 0 ? task_state::succeeded : task_state::failed, code);
  }

  void obey_stop(uint64_t id) { report(id, task_state::killed); }

  job_state state(uint64_t id) const { return core->find(id)->state(); }
  std::string reason(uint64_t id) const { return core->job(id)->reason; }
  size_t tasks(uint64_t id) const { return core->find(id)->tasks().size(); }
  std::string where(uint64_t id) const { return core->find(id)->tasks().at(0).node; }

  static hold_job_msg hold(uint64_t id, bool held) {
    hold_job_msg out;
    out.job = id;
    out.held = held;
    out.reason = std::string{"the data is not there"};
    return out;
  }

  requeue_job_msg requeue(uint64_t id) const {
    requeue_job_msg out;
    out.job = id;
    out.attempt = core->find(id)->attempt();
    return out;
  }

  master_options options;
  moment at{time_point{1h}, 1'700'000'000'000'000'000};
  std::optional<master_core> core;
  uint64_t last_token = 0;
};

TEST_F(JobOrder, AHeldJobStartsWhenItIsReleased) {
  auto id = submit(job());
  step(hold(id, true));
  node("a", 4);
  EXPECT_EQ(state(id), job_state::queued);
  EXPECT_EQ(reason(id), "it is held: the data is not there");
  step(hold(id, false));
  EXPECT_EQ(state(id), job_state::starting);
}

TEST_F(JobOrder, AHoldDoesNotStopAGangButItsRestart) {
  node("a", 4);
  auto id = submit(job());
  run(id);
  step(hold(id, true));
  EXPECT_EQ(state(id), job_state::running);
  step(requeue(id));
  obey_stop(id);
  pass(1min);
  EXPECT_EQ(state(id), job_state::restarting);
  step(hold(id, false));
  EXPECT_EQ(state(id), job_state::starting);
  EXPECT_EQ(core->find(id)->attempt(), 2u);
}

TEST_F(JobOrder, TheTimeToBePlacedDoesNotRunWhileAJobIsHeld) {
  auto wanted = job();
  wanted.spec->placement_timeout_ns = 10'000'000'000;
  auto id = submit(std::move(wanted));
  step(hold(id, true));
  pass(1h);
  EXPECT_EQ(state(id), job_state::queued);
  step(hold(id, false));
  pass(9s);
  EXPECT_EQ(state(id), job_state::queued);
  pass(2s);
  EXPECT_EQ(state(id), job_state::failed);
}

TEST_F(JobOrder, ARequeueThatComesTwiceIsDoneOnce) {
  node("a", 4);
  auto id = submit(job());
  run(id);
  auto request = requeue(id);
  step(request);
  obey_stop(id);
  pass(1s);
  run(id);
  step(request);
  EXPECT_EQ(state(id), job_state::running);
  EXPECT_EQ(core->find(id)->attempt(), 2u);
}

TEST_F(JobOrder, WhatDoesNotRunCannotBeRequeuedOrHeld) {
  auto id = submit(job());
  EXPECT_EQ(refusal_of(requeue(id)), "job 1 waits in its queue already");
  node("a", 4);
  finish(id);
  EXPECT_EQ(refusal_of(requeue(id)), "job 1 has ended: submit it again");
  EXPECT_EQ(refusal_of(hold(id, true)), "job 1 has ended: only a job that goes on can be held");
}

TEST_F(JobOrder, AnAttemptIsRememberedWithItsFirstFailure) {
  node("a", 4);
  auto id = submit(job(2));
  run(id);
  report(id, task_state::failed, 7);
  auto status = *core->job(id);
  ASSERT_EQ(status.ends.size(), 1u);
  auto& end = *status.ends[0];
  EXPECT_EQ(end.attempt, 1u);
  EXPECT_EQ(end.cause, exit_class::user_error);
  EXPECT_EQ(end.type, "worker");
  EXPECT_EQ(end.index, 0u);
  EXPECT_EQ(end.reason, "task worker:0 on a exited with code 7");
}

TEST_F(JobOrder, AJobStartsWhenThoseThatItNeedsHaveSucceeded) {
  node("a", 4);
  auto first = submit(job());
  auto second = submit(needing(first, need_rule::succeeded));
  run(first);
  EXPECT_EQ(reason(second), "it needs job 1, which has not ended");
  report(first, task_state::succeeded);
  EXPECT_EQ(state(second), job_state::starting);
}

TEST_F(JobOrder, AJobWhoseNeedCannotBeMetFailsAndSaysWhy) {
  node("a", 4);
  auto wanted = job();
  wanted.spec->attempts_max = 1;
  auto first = submit(std::move(wanted));
  auto second = submit(needing(first, need_rule::succeeded));
  auto third = submit(needing(first, need_rule::failed));
  auto fourth = submit(needing(first, need_rule::ended));
  auto fifth = submit(needing(second, need_rule::succeeded));
  finish(first, 1);
  EXPECT_EQ(state(second), job_state::failed);
  EXPECT_EQ(reason(second), "job 1, which it needs to succeed, has not");
  EXPECT_EQ(state(third), job_state::starting);
  EXPECT_EQ(state(fourth), job_state::starting);
  pass(1s);
  EXPECT_EQ(state(fifth), job_state::failed);
}

TEST_F(JobOrder, AJobFailsWhileItAwaitsOthersWhenANeedCannotBeMet) {
  node("a", 4);
  auto runs = submit(job());
  auto wanted = job();
  wanted.spec->attempts_max = 1;
  auto fails = submit(std::move(wanted));
  auto both = needing(runs, need_rule::ended);
  auto& need = *both.spec->needs.emplace_back(std::make_unique<job_need_msg>());
  need.job = fails;
  auto second = submit(std::move(both));
  run(runs);
  EXPECT_EQ(reason(second), "it needs job 1, which has not ended");
  finish(fails, 1);
  EXPECT_EQ(state(second), job_state::failed);
  EXPECT_EQ(reason(second), "job 2, which it needs to succeed, has not");
}

TEST_F(JobOrder, AJobThatNobodyKnowsCannotBeNeeded) {
  EXPECT_EQ(refusal_of(needing(9, need_rule::ended)),
            "the job needs job 9, which is not known here: list the jobs");
}

TEST_F(JobOrder, AJobThatIsNeededIsNotForgotten) {
  options.jobs_kept = 1;
  core.emplace(options, 1);
  core->resume(at);
  node("a", 4);
  auto first = submit(job());
  finish(first);
  auto second = submit(needing(first, need_rule::succeeded));
  for (int i = 0; i < 5; ++i)
    finish(submit(job()));
  EXPECT_NE(core->find(first), nullptr);
  finish(second);
  for (int i = 0; i < 5; ++i)
    finish(submit(job()));
  EXPECT_EQ(core->find(first), nullptr);
}

TEST_F(JobOrder, AnArrayRunsAFewOfItsJobsAtATime) {
  node("a", 8);
  auto wanted = job();
  wanted.spec->array = 5;
  wanted.spec->array_at_once = 2;
  auto first = submit(std::move(wanted));
  auto running = [&] {
    std::string out;
    for (auto id = first; id < first + 5; ++id)
      out += state(id) == job_state::queued ? '.' : core->find(id)->final() ? 'e' : 'r';
    return out;
  };
  EXPECT_EQ(running(), "rr...");
  EXPECT_EQ(reason(first + 2), "of its array, 2 run at once");
  finish(first + 1);
  EXPECT_EQ(running(), "rer..");
  finish(first);
  EXPECT_EQ(running(), "eerr.");
  EXPECT_EQ(core->job(first + 4)->array_index, 4u);
}

TEST_F(JobOrder, ANeedOfAnArrayIsANeedOfAllItsJobs) {
  node("a", 8);
  auto wanted = job();
  wanted.spec->array = 3;
  auto first = submit(std::move(wanted));
  auto after = submit(needing(first, need_rule::succeeded));
  finish(first);
  finish(first + 2);
  EXPECT_EQ(state(after), job_state::queued);
  finish(first + 1);
  EXPECT_EQ(state(after), job_state::starting);
}

TEST_F(JobOrder, AnArrayThatIsSubmittedAgainIsTheSame) {
  node("a", 8);
  auto wanted = job();
  wanted.spec->array = 3;
  wanted.token = 77;
  EXPECT_EQ(step(wanted).job, 1u);
  EXPECT_EQ(step(wanted).job, 1u);
  EXPECT_EQ(core->jobs().jobs.size(), 3u);
}

TEST_F(JobOrder, JobsOfAHigherClassComeFirst) {
  auto normal = submit(job());
  auto wanted = job();
  wanted.spec->priority = priority_class::high;
  auto high = submit(std::move(wanted));
  node("a", 1);
  EXPECT_EQ(state(high), job_state::starting);
  EXPECT_EQ(state(normal), job_state::queued);
}

TEST_F(JobOrder, ATaskRunsOnNodesWithItsLabelsOnly) {
  node("a", 8);
  node("b", 1, {"gpu", "rack-2"});
  auto wanted = job();
  wanted.spec->tasks[0]->labels = {"rack-2", "gpu"};
  EXPECT_EQ(where(submit(std::move(wanted))), "b");
  auto other = job();
  other.spec->tasks[0]->labels = {"tpu"};
  EXPECT_EQ(refusal_of(other), "task type \"worker\" asks for nodes labelled tpu, and no node is: "
                               "correct the labels, or start a node with them");
}

TEST_F(JobOrder, ATaskWithAnImageRunsOnNodesThatCanEnterIt) {
  node("a", 8);
  auto wanted = job();
  wanted.spec->tasks[0]->image = "python:3";
  EXPECT_EQ(refusal_of(wanted), "task type \"worker\" has an image, and no node has podman and "
                                "runs as root: start one that does");
  node("b", 1, {images_label});
  EXPECT_EQ(where(submit(std::move(wanted))), "b");
}

TEST_F(JobOrder, TheNodesAreToldInPieces) {
  for (auto* name : {"b", "a", "d", "c"})
    node(name, 1);
  auto ask = [&](const std::string& after, uint32_t limit) {
    get_cluster_msg request;
    request.after = after;
    request.limit = limit;
    auto told = core->status(request);
    std::string out;
    for (auto& each : told.nodes)
      out += each->name;
    return out + (told.more ? " and more" : "");
  };
  EXPECT_EQ(ask("", 0), "abcd");
  EXPECT_EQ(ask("", 3), "abc and more");
  EXPECT_EQ(ask("c", 3), "d");
  EXPECT_EQ(ask("bb", 2), "cd");
  EXPECT_EQ(ask("d", 2), "");
}

drain_node_msg drain(const std::string& name) {
  drain_node_msg out;
  out.node = name;
  out.draining = true;
  return out;
}

TEST_F(JobOrder, AJobThatWaitsNamesTheOneInFrontOfIt) {
  node("a", 8);
  run(submit(job(1, 2)));
  auto never = submit(job(2, 8)); // blocks nobody: the nodes could not hold it
  auto front = submit(job(1, 8));
  auto behind = submit(job(1, 2));
  EXPECT_EQ(reason(never), "its gang needs 16 cpus at once; the cluster has 8 cpus in all: "
                           "add nodes or ask for less");
  EXPECT_EQ(reason(front), "its gang needs 8 cpus at once; 6 cpus are free, and no other job is in "
                           "front of it");
  EXPECT_EQ(reason(behind), "its gang needs 2 cpus at once; 6 cpus are free, but job 3 comes first "
                            "and waits for room too: jobs are placed in order");
  step(hold(front, true));
  EXPECT_EQ(state(behind), job_state::starting);
}

TEST_F(JobOrder, AJobThatWaitsForANodeThatDrainsNamesIt) {
  node("a", 8);
  node("b", 2);
  auto order = drain("a");
  order.reason = std::string{"new disks"};
  step(order);
  auto waits = submit(job(1, 4));
  EXPECT_EQ(reason(waits),
            "its gang needs 4 cpus at once; the cluster has 2 cpus without the nodes "
            "that drain: a (new disks); wait, or take them back with: "
            "troupe resume NODE");
  auto larger = submit(job(3, 4)); // also with that node
  EXPECT_EQ(reason(larger), "its gang needs 12 cpus at once; the cluster has 2 cpus in all: "
                            "add nodes or ask for less");
}

TEST_F(JobOrder, AWindowOpensMovesTheGangsAndCloses) {
  node("a", 4);
  auto id = submit(job());
  run(id);
  node("b", 4);
  auto window = drain("a");
  window.from_ns = at.wall_ns + 3'600'000'000'000;
  window.until_ns = window.from_ns + 3'600'000'000'000;
  window.move = true;
  window.reason = std::string{"new disks"};
  step(window);
  pass(59min);
  EXPECT_FALSE(core->find(id)->stopping());
  pass(2min);
  EXPECT_TRUE(core->find(id)->stopping());
  obey_stop(id);
  pass(1s);
  EXPECT_EQ(where(id), "b");
  EXPECT_EQ(core->job(id)->ends.at(0)->reason, "node a drains: new disks");
  pass(1h);
  EXPECT_FALSE(core->nodes().find("a")->durable.draining);
  EXPECT_TRUE(core->nodes().find("a")->usable());
}

TEST_F(JobOrder, AWindowThatIsOverIsRefused) {
  node("a", 4);
  auto window = drain("a");
  window.until_ns = at.wall_ns - 1;
  EXPECT_EQ(refusal_of(window),
            "the time to drain node \"a\" is over before it begins: give a later end");
}

TEST_F(JobOrder, AnElasticGangStartsSmallAndGrows) {
  node("a", 2);
  auto wanted = job(4);
  wanted.spec->tasks[0]->instances_min = 2;
  auto id = submit(std::move(wanted));
  ASSERT_EQ(tasks(id), 2u);
  run(id);
  node("b", 1);
  pass(options.grow_after - 1s);
  EXPECT_FALSE(core->find(id)->stopping());
  pass(2s);
  ASSERT_TRUE(core->find(id)->stopping());
  obey_stop(id);
  pass(200ms);
  EXPECT_EQ(tasks(id), 3u);
  run(id);
  node("c", 8);
  pass(options.grow_after + 1s);
  obey_stop(id);
  pass(200ms);
  EXPECT_EQ(tasks(id), 4u);
  EXPECT_EQ(core->find(id)->attempt(), 3u);
  EXPECT_EQ(core->job(id)->ends.at(0)->reason, "there is room for 3 tasks instead of 2");
}

TEST_F(JobOrder, AnElasticGangShrinksWhenItLosesANode) {
  node("a", 1);
  node("b", 1);
  auto wanted = job(2);
  wanted.spec->tasks[0]->instances_min = 1;
  auto id = submit(std::move(wanted));
  ASSERT_EQ(tasks(id), 2u);
  run(id);
  step(node_gone{"b"});
  pass(options.gangs.failures_settle);
  obey_stop(id);
  EXPECT_EQ(tasks(id), 1u);
  EXPECT_EQ(where(id), "a");
}

TEST_F(JobOrder, AnElasticGangDoesNotGrowAtTheCostOfOneThatWaits) {
  node("a", 2);
  auto wanted = job(4);
  wanted.spec->tasks[0]->instances_min = 2;
  auto id = submit(std::move(wanted));
  run(id);
  auto large = submit(job(2, 2));
  node("b", 2);
  pass(1h);
  EXPECT_EQ(state(large), job_state::queued);
  EXPECT_FALSE(core->find(id)->stopping());
}

} // namespace
} // namespace troupe
