// A job that a test plays by hand: it places what wants to be placed, and reports for the tasks.
#pragma once

#include "actors/jobs/gang.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

using namespace std::chrono_literals;

// One job, played by hand: the test places it and reports for its tasks.
class played_gang : public ::testing::Test {
protected:
  played_gang() {
    spec.name = "job";
    spec.attempts_max = 1;
    options.jobs_directory = "/jobs";
    options.failures_settle = duration{};
  }

  task_type_msg& type(const std::string& name, uint32_t instances = 1) {
    auto& made = spec.tasks.emplace_back(std::make_unique<task_type_msg>());
    made->name = name;
    made->instances = instances;
    made->command = {"true"};
    return *made;
  }

  void submit() {
    job_submitted_msg in;
    in.job = 1;
    in.spec = std::make_unique<job_spec_msg>(spec);
    job.emplace(options, in, at.wall_ns);
    settle();
  }

  // Applies what is due, and a later life of the master would know the same.
  void settle() {
    while (auto change = job->next(at)) {
      if (auto* stopping = change->Asgang_stopping())
        last_stop = *stopping;
      apply(*change);
    }
    gang again{options, job->keep()};
    EXPECT_EQ(again.keep(), job->keep());
  }

  void apply(const cluster_changeUnion& change) { job->apply(change, at.wall_ns); }

  void pass(duration time) {
    at.now += time;
    at.wall_ns += time.count();
    settle();
  }

  // Places what wants to be placed; returns the names of its types.
  std::string place() {
    attempt_placed_msg placed;
    placed.job = 1;
    placed.attempt = job->next_attempt();
    std::string names;
    for (auto kind : job->wants_placement(at.now)) {
      auto& each = *spec.tasks[kind];
      names += (names.empty() ? "" : " ") + each.name;
      for (uint32_t i = 0; i < each.instances; ++i) {
        placed.tasks.push_back(std::make_unique<placed_task_msg>());
        placed.tasks.back()->type = each.name;
        placed.tasks.back()->index = i;
        placed.tasks.back()->node = "node-" + std::to_string(i);
      }
    }
    if (!names.empty())
      apply(change_of(std::move(placed)));
    settle();
    return names;
  }

  void report(const std::string& name, uint32_t index, task_state state, int code = 0,
              uint32_t generation = 0, bool awaits_next = false) {
    task_report_msg in;
    in.task = std::make_unique<task_id_msg>();
    in.task->job = 1;
    in.task->attempt = job->attempt();
    in.task->type = name;
    in.task->index = index;
    in.state = state;
    in.exit_code = code;
    in.generation = generation;
    in.awaits_next = awaits_next;
    in.host = "host";
    in.port = 1000;
    auto sight = job->see("node-" + std::to_string(index), in);
    if (sight.change)
      apply(*sight.change);
    settle();
  }

  void end(const std::string& name, uint32_t index, int code) {
    report(name, index, code == 0 ? task_state::succeeded : task_state::failed, code);
  }

  std::vector<std::pair<std::string, uint32_t>> living() const {
    std::vector<std::pair<std::string, uint32_t>> out;
    for (auto& x : job->tasks())
      if (!x.ended)
        out.emplace_back(job->type_of(x).name, x.index);
    return out;
  }

  // Everything that is placed runs.
  void start() {
    for (auto state : {task_state::registered, task_state::running})
      for (auto& [name, index] : living())
        report(name, index, state);
  }

  // As agents that were ordered to stop their tasks.
  void obey() {
    ASSERT_TRUE(job->stopping());
    for (auto& [name, index] : living())
      report(name, index, task_state::killed);
  }

  void begin() {
    submit();
    place();
    start();
    ASSERT_EQ(job->state(), job_state::running);
  }

  std::vector<task_order> orders() {
    std::vector<task_order> out;
    job->orders(
      at.now, 1, [](auto&) { return true; }, out);
    return out;
  }

  gang_options options;
  job_spec_msg spec;
  moment at{time_point{1h}, 1'000'000'000};
  std::optional<gang> job;
  gang_stopping_msg last_stop;
};

} // namespace troupe::testing
