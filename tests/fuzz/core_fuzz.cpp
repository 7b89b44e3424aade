// Hostile jobs and reports for the decisions of master and agent, their records, and the lineage.
#include "actors/cluster/agent_core.hpp"
#include "actors/cluster/lineage_projection.hpp"
#include "actors/cluster/master_core.hpp"
#include "actors/packages/resource_rules.hpp"
#include "runtime/base/log.hpp"
#include "storage/commit_inline.hpp"
#include "storage/event_log.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/random_frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::testing {
namespace {

// A message with random contents.
template <class T>
T random_message(random_source& random, size_t longest = 200) {
  auto bytes = random_table(*T::TableType::MiniReflectTypeTable(), random, {longest});
  T out;
  flatbuffers::GetRoot<typename T::TableType>(bytes.data())->UnPackTo(&out);
  return out;
}

std::string any_name(random_source& random) {
  static const std::array<std::string, 5> names{"node-1", "node-2", "node-3", "worker", "server"};
  return random.chance(0.8) ? names[random.below(names.size())] : hostile_text(random, 1 << 20);
}

// A job that could run, with a few things in it that could not.
submit_job_msg hostile_job(random_source& random) {
  submit_job_msg out;
  out.token = random.next();
  out.spec = std::make_unique<job_spec_msg>();
  auto& spec = *out.spec;
  spec.name = random.chance(0.9) ? "job" : hostile_text(random, 1 << 20);
  for (auto n = random.chance(0.9) ? 1 + random.below(2) : random.below(50); n > 0; --n) {
    auto type = std::make_unique<task_type_msg>();
    type->name = random.chance(0.9) ? "worker" + std::to_string(n) : any_name(random);
    type->instances = random.chance(0.8) ? 1 + static_cast<uint32_t>(random.below(4))
                                         : static_cast<uint32_t>(hostile_number(random));
    type->cpus = random.chance(0.8) ? 1 : static_cast<uint32_t>(hostile_number(random));
    type->memory = random.chance(0.8) ? 0 : hostile_number(random);
    type->accelerators = random.chance(0.9) ? 0 : static_cast<uint32_t>(hostile_number(random));
    type->command = {random.chance(0.9) ? "true" : hostile_text(random, 1000)};
    if (random.chance(0.2))
      type->env.push_back(std::make_unique<variable_msg>(random_message<variable_msg>(random)));
    if (random.chance(0.1))
      type->resources.push_back(
        std::make_unique<resource_msg>(random_message<resource_msg>(random)));
    spec.tasks.push_back(std::move(type));
  }
  auto texts = [&](std::vector<std::string>& into) {
    for (auto n = random.chance(0.3) ? random.below(4) : 0; n > 0; --n)
      into.push_back(std::string{"/"}.append(hostile_text(random, 1 << 20)));
  };
  texts(spec.inputs);
  texts(spec.outputs);
  spec.attempts_max = random.chance(0.9) ? 3 : static_cast<uint32_t>(hostile_number(random));
  out.user = random.chance(0.9) ? "user" : hostile_text(random, 1 << 20);
  return out;
}

std::string any_hash(random_source& random) {
  return random.chance(0.9) ? std::string(64, static_cast<char>('a' + random.below(4)))
                            : hostile_text(random, 200);
}

resource_list any_resources(random_source& random) {
  resource_list out;
  for (auto n = random.below(3); n > 0; --n) {
    auto made = std::make_unique<resource_msg>();
    made->name = random.chance(0.9) ? "code" + std::to_string(n) : hostile_text(random, 1000);
    made->hash = any_hash(random);
    out.push_back(std::move(made));
  }
  return out;
}

error any_failure(random_source& random) {
  auto code = static_cast<errc>(random.below(static_cast<uint64_t>(errc_last) + 1));
  return {code, code == errc::ok ? std::string{} : hostile_text(random, 100)};
}

task_id_msg any_task(random_source& random) {
  task_id_msg out;
  out.job = random.chance(0.9) ? 1 + random.below(6) : hostile_number(random);
  out.attempt = random.chance(0.9) ? 1 + static_cast<uint32_t>(random.below(3))
                                   : static_cast<uint32_t>(hostile_number(random));
  out.type = random.chance(0.8) ? "worker1" : any_name(random);
  out.index = static_cast<uint32_t>(random.chance(0.9) ? random.below(4) : random.next());
  return out;
}

std::unique_ptr<task_report_msg> any_report(random_source& random) {
  auto out = std::make_unique<task_report_msg>(random_message<task_report_msg>(random));
  if (random.chance(0.9))
    out->task = std::make_unique<task_id_msg>(any_task(random));
  else if (random.chance(0.3))
    out->task = nullptr;
  if (random.chance(0.8))
    out->state = static_cast<task_state>(random.below(8));
  return out;
}

register_node_msg any_node(random_source& random) {
  register_node_msg out;
  out.name = any_name(random);
  out.cpus = random.chance(0.8) ? 8 : static_cast<uint32_t>(hostile_number(random));
  out.memory = random.chance(0.5) ? 1 << 30 : hostile_number(random);
  out.accelerators = random.chance(0.8) ? 0 : static_cast<uint32_t>(hostile_number(random));
  out.incarnation = random.chance(0.9) ? 1 : hostile_number(random);
  for (auto n = random.below(4); n > 0; --n)
    out.tasks.push_back(any_report(random));
  return out;
}

drain_node_msg any_drain(random_source& random) {
  drain_node_msg out;
  out.node = any_name(random);
  out.draining = random.chance(0.5);
  out.reason = hostile_text(random, 2000);
  out.from_ns = static_cast<int64_t>(random.chance(0.5) ? 0 : hostile_number(random));
  out.until_ns = static_cast<int64_t>(random.chance(0.5) ? 0 : hostile_number(random));
  out.move = random.chance(0.5);
  return out;
}

// Of a job that may be there.
template <class T>
T about_a_job(random_source& random) {
  auto out = random_message<T>(random);
  out.job = random.chance(0.5) ? 1 + random.below(6) : out.job;
  return out;
}

master_input any_input(random_source& random) {
  switch (random.below(11)) {
  case 0:
    return hostile_job(random);
  case 1:
    return random_message<submit_job_msg>(random);
  case 2:
    return about_a_job<kill_job_msg>(random);
  case 3:
    return any_node(random);
  case 4:
  case 5: {
    node_report_msg report;
    report.incarnation = random.chance(0.9) ? 1 : hostile_number(random);
    for (auto n = random.below(4); n > 0; --n)
      report.tasks.push_back(any_report(random));
    return node_reported{any_name(random), std::move(report)};
  }
  case 6:
    if (random.chance(0.2))
      return node_gone{any_name(random)};
    return any_drain(random);
  case 7:
    return start_refused{any_name(random), any_task(random), hostile_text(random, 1000)};
  case 8:
    return about_a_job<hold_job_msg>(random);
  case 9:
    return about_a_job<requeue_job_msg>(random);
  default:
    return timer_tick{};
  }
}

// The durable state, as bytes.
std::string state_of(const master_core& core) {
  std::string out;
  for (auto& record : core.snapshot())
    out += encode_record(record);
  return out;
}

// What is promised of every input.
void expect_sound(master_core& core, const master_input& input, moment at) {
  auto before = state_of(core);
  auto outcome = core.step(input, at);
  EXPECT_EQ(core.unsound(), "");
  if (outcome.refusal) {
    expect_sentence(*outcome.refusal);
    EXPECT_TRUE(outcome.records.empty());
    EXPECT_EQ(state_of(core), before) << "a refusal changes nothing";
  }
  for (auto& record : outcome.records)
    EXPECT_TRUE(decode_record(encode_record(record)));
}

// What tasks hold on a node is never more than it has.
void expect_not_overcommitted(const master_core& core) {
  std::map<std::string, double> cpus;
  std::map<std::string, double> memory;
  for (auto& job : core.jobs().jobs)
    if (auto* known = core.find(job->job); known && !known->final())
      for (auto& task : known->tasks())
        if (!task.ended) {
          cpus[task.node] += known->type_of(task).cpus;
          memory[task.node] += static_cast<double>(known->type_of(task).memory);
        }
  for (auto& [name, node] : core.nodes().nodes()) {
    EXPECT_LE(cpus[name], node.durable.cpus) << name;
    EXPECT_LE(memory[name], static_cast<double>(node.durable.memory)) << name;
  }
}

// A node may say at any time that it has less than it was given tasks for: then it is left out.
bool shrinks(const master_core& core, const master_input& input) {
  auto* said = std::get_if<register_node_msg>(&input);
  auto* known = said ? core.nodes().find(said->name) : nullptr;
  return known
         && (said->cpus < known->durable.cpus || said->memory < known->durable.memory
             || said->accelerators < known->durable.accelerators);
}

class FuzzCore : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }
  void TearDown() override { log::set_level(log::level::info); }
};

TEST_F(FuzzCore, TheMasterRefusesOrGoesOn) {
  fuzz("TheMasterRefusesOrGoesOn", 400, [](random_source& random) {
    moment at{time_point{std::chrono::seconds{1000}}, 1};
    master_core core{{}, 1};
    core.resume(at);
    bool shrunk = false;
    for (int i = 0; i < 60; ++i) {
      at.now += std::chrono::milliseconds{random.below(3000)};
      auto input = any_input(random);
      shrunk = shrunk || shrinks(core, input);
      expect_sound(core, input, at);
      if (!shrunk)
        expect_not_overcommitted(core);
    }
    master_core again{{}, 1};
    for (auto& record : core.snapshot())
      again.apply(record);
    EXPECT_EQ(state_of(again), state_of(core));
    (void)core.status();
  });
}

TEST_F(FuzzCore, TheAgentRefusesOrGoesOn) {
  fuzz("TheAgentRefusesOrGoesOn", 400, [](random_source& random) {
    time_point now{std::chrono::seconds{1000}};
    agent_options options;
    options.name = "node-1";
    options.capacity = {8, 1 << 30, 0};
    agent_core core{options, now};
    auto check = [](const result<agent_effects>& x) {
      if (!x)
        expect_sentence(x.error());
    };
    for (int i = 0; i < 60; ++i) {
      now += std::chrono::milliseconds{random.below(3000)};
      auto start = random_message<start_task_msg>(random);
      auto spec = random_message<cluster_spec_msg>(random);
      auto stop = random_message<stop_task_msg>(random);
      auto said = random_message<executor_register_msg>(random);
      *start.task = *spec.task = *stop.task = *said.task = any_task(random);
      if (random.chance(0.9))
        start.epoch = spec.epoch = stop.epoch = 1;
      start.cpus = random.chance(0.8) ? 1 : std::max(start.cpus, 1u);
      if (random.chance(0.8)) {
        start.memory = 0;
        start.accelerators = 0;
      }
      if (random.chance(0.8))
        start.resources = any_resources(random);
      check(core.start(start, now));
      if (random.chance(0.3))
        core.fetch_ended({any_hash(random), random.next(), any_failure(random)}, now);
      if (random.chance(0.5))
        check(core.spec(spec, now));
      if (random.chance(0.3))
        check(core.stop(stop, now));
      check(core.executor_registered(said));
      check(core.executor_reported(*any_report(random)));
      core.tick(now);
      if (random.chance(0.2))
        core.executor_exited(any_task(random), 1, hostile_text(random, 100));
      node_report_msg received;
      received.tasks.push_back(any_report(random));
      core.acknowledge(received);
      EXPECT_LE(core.running(), 8u);
    }
  });
}

TEST_F(FuzzCore, DamagedRecordsAreRefused) {
  fuzz("DamagedRecordsAreRefused", 5000, [](random_source& random) {
    auto& type = *cluster_event::MiniReflectTypeTable();
    auto bytes = random_table(type, random);
    if (random.chance(0.8))
      mutate_flatbuffer(bytes, random_table(type, random), random);
    auto read = decode_record({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!read)
      return expect_sentence(read.error());
    EXPECT_TRUE(decode_record(encode_record(*read)));
  });
}

TEST_F(FuzzCore, TheLineageTellsOfEveryJobThatWasLetIn) {
  fuzz("TheLineageTellsOfEveryJobThatWasLetIn", 500, [](random_source& random) {
    storage::memory_store store;
    storage::commit_inline commits{store};
    system_clock time;
    auto facts = *storage::metadata::open(store, commits, time);
    lineage_projection lineage{*facts, "/nowhere", nullptr, lineage_work::on_callers_thread};
    moment at{time_point{std::chrono::seconds{1000}}, 1};
    master_core core{{}, 1};
    uint64_t next = 1;
    auto project = [&](const master_outcome& x) {
      lineage.record(next, x.records);
      next += x.records.size();
    };
    project(core.resume(at));
    register_node_msg node;
    node.name = "node-1";
    node.cpus = 64;
    node.incarnation = 1;
    project(core.step(node, at));
    auto submitted = core.step(hostile_job(random), at);
    project(submitted);
    if (submitted.refusal)
      return;
    kill_job_msg kill;
    kill.job = submitted.job;
    kill.reason = hostile_text(random, 1000);
    project(core.step(kill, at));
    auto shown = lineage.show(submitted.job);
    ASSERT_TRUE(shown) << shown.error().text;
    EXPECT_EQ(*storage::projection_mark(store), next - 1) << "an event is missing";
  });
}

} // namespace
} // namespace troupe::testing
