#include "actors/cluster/agent_core.hpp"
#include "actors/cluster/master_core.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

submit_job_msg job_of(uint64_t token, uint32_t instances, uint32_t cpus, uint32_t attempts) {
  submit_job_msg out;
  out.token = token;
  out.spec = std::make_unique<job_spec_msg>();
  out.spec->name = "job";
  out.spec->attempts_max = attempts;
  auto type = std::make_unique<task_type_msg>();
  type->name = "worker";
  type->instances = instances;
  type->cpus = cpus;
  type->command = {"true"};
  out.spec->tasks.push_back(std::move(type));
  return out;
}

// A cluster whose messages are delivered in random order, twice, or (while faults last) never.
class small_cluster {
public:
  explicit small_cluster(uint64_t seed) : random_(seed) {
    master_ = std::make_unique<master_core>(master_options{}, seed);
    take(master_->resume(at_));
    for (int i = 0; i < 3; ++i) {
      agent_options options;
      options.name = "node-" + std::to_string(i);
      options.capacity = {4, 0, 0};
      options.incarnation = 1;
      agents_.emplace_back(options, at_.now);
      step(agents_.back().registration());
    }
  }

  void step(const master_input& input) {
    take(master_->step(input, at_));
    check();
  }

  void advance(bool faults) {
    at_.now += std::chrono::milliseconds{200};
    at_.wall_ns += 200'000'000;
    step(timer_tick{});
    for (size_t i = 0; i < agents_.size(); ++i)
      obey(i, agents_[i].tick(at_.now));
    if (faults && random_.chance(0.02))
      step(node_gone{name(random_.below(3))});
    if (faults && random_.chance(0.03))
      restart();
    for (size_t i = 0; i < agents_.size(); ++i) {
      if (!master_->nodes().find(name(i))->usable() && random_.chance(0.3))
        step(agents_[i].registration());
      auto report = agents_[i].report();
      if (faults && random_.chance(0.2))
        step(node_reported{name(i), old_}); // late, perhaps of another node
      old_ = report;
      if (faults && random_.chance(0.2))
        continue;
      auto out = master_->step(node_reported{name(i), report}, at_);
      auto heard = !out.refusal;
      take(std::move(out));
      check();
      if (heard && random_.chance(0.7))
        agents_[i].acknowledge(report);
    }
    auto orders = std::exchange(orders_, {});
    while (!orders.empty()) {
      auto pick = orders.begin() + static_cast<ptrdiff_t>(random_.below(orders.size()));
      auto order = std::move(*pick);
      orders.erase(pick);
      auto times = faults ? random_.below(3) : 1;
      for (uint64_t i = 0; i < times; ++i)
        std::visit([&](auto& x) { deliver(x); }, order);
    }
    run_tasks(faults);
  }

  bool all_ended() const {
    auto jobs = master_->jobs();
    return std::all_of(jobs.jobs.begin(), jobs.jobs.end(),
                       [](auto& x) { return x->state >= job_state::succeeded; });
  }

  master_core& master() { return *master_; }

private:
  static std::string name(uint64_t i) { return "node-" + std::to_string(i); }
  agent_core& agent(const std::string& node) {
    return agents_[static_cast<size_t>(node.back() - '0')];
  }

  std::unique_ptr<master_core> replayed(const std::vector<cluster_event_msg>& log) {
    auto out = std::make_unique<master_core>(master_options{}, 99);
    for (auto& x : log) {
      auto record = decode_record(encode_record(x));
      EXPECT_TRUE(record);
      out->apply(*record);
    }
    return out;
  }

  void restart() {
    master_ = replayed(log_);
    orders_.clear();
    take(master_->resume(at_));
  }

  void take(master_outcome out) {
    for (auto& x : out.records)
      log_.push_back(std::move(x));
    for (auto& x : out.effects)
      std::visit([&](auto& y) { keep(y); }, x);
  }

  void keep(const job_news&) {}

  template <class T>
  void keep(const T& x) {
    orders_.emplace_back(x);
  }

  void deliver(send_start& x) {
    auto out = agent(x.node).start(x.order, at_.now);
    if (out)
      obey(static_cast<size_t>(x.node.back() - '0'), *out);
    else if (out.error().code == errc::unavailable)
      step(start_refused{x.node, *x.order.task, out.error().text});
  }

  void deliver(send_spec& x) {
    if (auto out = agent(x.node).spec(x.order, at_.now))
      obey(static_cast<size_t>(x.node.back() - '0'), *out);
  }

  void deliver(send_stop& x) {
    if (auto out = agent(x.node).stop(x.order, at_.now))
      obey(static_cast<size_t>(x.node.back() - '0'), *out);
  }

  void obey(size_t node, const agent_effects& effects) {
    for (auto& x : effects) {
      if (auto* launch = std::get_if<launch_executor>(&x)) {
        EXPECT_EQ(++starts_[task_key(*launch->order.task)], 1) << "a task started twice";
        executor_register_msg here;
        here.task = std::make_unique<task_id_msg>(*launch->order.task);
        here.host = "::1";
        here.port = 9;
        EXPECT_TRUE(agents_[node].executor_registered(here));
      } else if (auto* spec = std::get_if<deliver_spec>(&x)) {
        EXPECT_EQ(spec->spec.members.size(), spec->spec.world_size);
        task_report_msg runs;
        runs.task = std::make_unique<task_id_msg>(*spec->spec.task);
        runs.state = task_state::running;
        EXPECT_TRUE(agents_[node].executor_reported(runs));
        running_.push_back({node, *spec->spec.task});
      } else if (auto* stop = std::get_if<terminate_task>(&x)) {
        agents_[node].executor_exited(stop->task, 143, "");
      }
    }
  }

  void run_tasks(bool faults) {
    auto running = std::exchange(running_, {});
    for (auto& [node, task] : running)
      if (task.type != "ps" && random_.chance(0.3)) // one that serves ends when it is told to
        agents_[node].executor_exited(task, faults && random_.chance(0.1) ? 3 : 0, "");
      else
        running_.push_back({node, task});
  }

  void check() {
    ASSERT_EQ(master_->unsound(), "");
    for (auto& [name, node] : master_->nodes().nodes()) {
      uint64_t cpus = 0;
      for (auto& job : master_->jobs().jobs)
        for (auto& x : master_->find(job->job)->tasks())
          cpus += !x.ended && x.node == name ? master_->find(job->job)->type_of(x).cpus : 0;
      ASSERT_LE(cpus, node.capacity().cpus) << "overcommitted";
    }
    for (auto& job : master_->jobs().jobs)
      if (job->state == job_state::running) {
        uint32_t whole = 0;
        for (auto& type : master_->find(job->job)->spec().tasks)
          if (std::any_of(job->tasks.begin(), job->tasks.end(),
                          [&](auto& x) { return x->type == type->name; }))
            whole += type->instances;
        ASSERT_EQ(job->tasks.size(), whole);
      }
    auto bytes = [](const std::vector<cluster_event_msg>& records) {
      std::string out;
      for (auto& x : records)
        out += encode_record(x);
      return out;
    };
    auto now = bytes(master_->snapshot());
    ASSERT_EQ(bytes(replayed(log_)->snapshot()), now) << "the log does not rebuild the state";
    ASSERT_EQ(bytes(replayed(master_->snapshot())->snapshot()), now);
    if (!random_.chance(0.3))
      return;
    for (auto& part : master_->take_changes())
      if (part.record)
        parts_[part.name] = std::move(*part.record);
      else
        parts_.erase(part.name);
    std::vector<cluster_event_msg> saved;
    for (auto& [name, record] : parts_)
      saved.push_back(record);
    ASSERT_EQ(bytes(saved), now) << "what has changed does not make the new state of the old one";
  }

  random_source random_;
  moment at_;
  std::unique_ptr<master_core> master_;
  std::vector<agent_core> agents_;
  std::vector<cluster_event_msg> log_;
  std::vector<task_order> orders_;
  std::vector<std::pair<size_t, task_id_msg>> running_;
  std::map<std::string, int> starts_;
  std::map<std::string, cluster_event_msg> parts_; // as they were saved
  node_report_msg old_;
};

TEST(MasterCore, JobsSurviveRandomFaults) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    small_cluster cluster{seed};
    random_source random{seed};
    // Every gang fits into the empty cluster: one that does not would block the queue for good.
    for (uint64_t i = 1; i <= 4; ++i)
      cluster.step(job_of(i, static_cast<uint32_t>(1 + random.below(3)),
                          static_cast<uint32_t>(1 + random.below(3)), 5));
    cluster.step(kill_job_msg{});
    for (int i = 0; i < 40; ++i)
      cluster.advance(true);
    for (int i = 0; i < 2000 && !cluster.all_ended(); ++i)
      cluster.advance(false);
    EXPECT_TRUE(cluster.all_ended()) << "a job hangs after the faults have stopped";
    if (testing::Test::HasFailure())
      return;
  }
}

TEST(MasterCore, OneTokenIsOneJob) {
  small_cluster cluster{1};
  moment at;
  auto first = cluster.master().step(job_of(7, 1, 1, 1), at);
  auto again = cluster.master().step(job_of(7, 1, 1, 1), at);
  EXPECT_EQ(first.job, again.job);
  EXPECT_TRUE(again.records.empty());
}

TEST(MasterCore, RefusesWhatNoNodeCanHold) {
  small_cluster cluster{1};
  auto out = cluster.master().step(job_of(1, 1, 64, 1), {});
  ASSERT_TRUE(out.refusal);
  EXPECT_EQ(out.refusal->code, errc::invalid);
  EXPECT_NE(out.refusal->text.find("\"worker\" asks for 64 cpus"), std::string::npos);
  EXPECT_NE(out.refusal->text.find("node-0"), std::string::npos);
  EXPECT_TRUE(out.records.empty());
}

TEST(MasterCore, AGangThatNeedsMoreNodesWaitsAndBlocksNobody) {
  small_cluster cluster{1};
  auto large = cluster.master().step(job_of(1, 4, 4, 1), {});
  auto small = cluster.master().step(job_of(2, 1, 1, 1), {});
  auto waits = cluster.master().job(large.job);
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->state, job_state::queued);
  EXPECT_NE(waits->reason.find("needs 16 cpus at once; the cluster has 12 cpus"), std::string::npos)
    << waits->reason;
  EXPECT_EQ(cluster.master().job(small.job)->state, job_state::starting);
  // One that would fit an empty cluster keeps its place in the queue.
  auto next = cluster.master().step(job_of(3, 3, 4, 1), {});
  auto last = cluster.master().step(job_of(4, 1, 1, 1), {});
  EXPECT_EQ(cluster.master().job(next.job)->state, job_state::queued);
  EXPECT_EQ(cluster.master().job(last.job)->state, job_state::queued);
}

// Each holds a node while it waits for two more, of three.
TEST(MasterCore, TwoJobsThatHoldWhatTheOtherNeedsBothEnd) {
  auto staged = [](uint64_t token) {
    auto out = job_of(token, 2, 4, 1);
    out.spec->tasks[0]->after = {"prepare"};
    for (const auto* name : {"prepare", "ps"}) {
      auto& type = *out.spec->tasks.emplace_back(std::make_unique<task_type_msg>());
      type.name = name;
      type.command = {"true"};
      type.cpus = out.spec->tasks.size() == 2 ? 1 : 3;
    }
    out.spec->tasks[2]->role = task_role::untracked;
    return out;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    small_cluster cluster{seed};
    cluster.step(staged(1));
    cluster.step(staged(2));
    for (int i = 0; i < 400 && !cluster.all_ended(); ++i)
      cluster.advance(false);
    for (auto& job : cluster.master().jobs().jobs)
      EXPECT_EQ(job->state, job_state::succeeded) << "seed " << seed << ": " << job->reason;
    EXPECT_EQ(cluster.master().job(1)->attempt, 1u) << "the older one keeps what it has";
  }
}

TEST(MasterCore, RefusesWhatItWouldHaveToRepeatToEverybody) {
  small_cluster cluster{1};
  register_node_msg node;
  for (const auto& name : {std::string{}, std::string{"two\nlines"}, std::string(1 << 20, 'a')}) {
    node.name = name;
    auto outcome = cluster.master().step(node, {});
    ASSERT_TRUE(outcome.refusal);
    EXPECT_EQ(outcome.refusal->code, errc::invalid);
    EXPECT_LT(outcome.refusal->text.size(), 200u);
  }
  kill_job_msg kill;
  kill.job = cluster.master().step(job_of(1, 1, 1, 1), {}).job;
  kill.reason.assign(1 << 20, 'a');
  EXPECT_TRUE(cluster.master().step(kill, {}).refusal);
}

TEST(Records, GarbageIsRefused) {
  random_source random{1};
  for (int i = 0; i < 1000; ++i) {
    std::string bytes;
    for (auto n = random.below(100); n > 0; --n)
      bytes += static_cast<char>(random.below(256));
    EXPECT_FALSE(decode_record(bytes));
  }
}

} // namespace
} // namespace troupe
