// Which accelerators of a node a task is given, and what its command sees.
#include "actors/cluster/agent_core.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

class Accelerators : public ::testing::Test {
protected:
  Accelerators() {
    agent_options options;
    options.name = std::string{"node"};
    options.capacity = {64, 0, 4};
    core.emplace(options, time_point{});
  }

  static start_task_msg order(uint64_t job, uint32_t index, uint32_t accelerators) {
    start_task_msg out;
    out.epoch = 1;
    out.task = std::make_unique<task_id_msg>();
    out.task->job = job;
    out.task->attempt = 1;
    out.task->type = std::string{"worker"};
    out.task->index = index;
    out.cpus = 1;
    out.accelerators = accelerators;
    return out;
  }

  std::vector<uint32_t> start(const start_task_msg& wanted) {
    auto effects = core->start(wanted, time_point{});
    EXPECT_TRUE(effects) << effects.error().text;
    return effects ? std::get<launch_executor>(effects->front()).order.accelerator_ids
                   : std::vector<uint32_t>{};
  }

  // What the command of a task sees when its gang has these members.
  cluster_spec_msg given(const start_task_msg& whose, const std::vector<uint32_t>& members) {
    cluster_spec_msg spec;
    spec.epoch = 1;
    spec.task = std::make_unique<task_id_msg>(*whose.task);
    for (auto index : members) {
      auto& member = *spec.members.emplace_back(std::make_unique<cluster_member_msg>());
      member.type = std::string{"worker"};
      member.index = index;
    }
    auto effects = core->spec(spec, time_point{});
    EXPECT_TRUE(effects);
    return std::get<deliver_spec>(effects->front()).spec;
  }

  using ids = std::vector<uint32_t>;
  std::optional<agent_core> core;
};

TEST_F(Accelerators, AreNeverGivenToTwoTasks) {
  auto first = order(1, 0, 1);
  EXPECT_EQ(start(first), ids{0});
  EXPECT_EQ(start(order(1, 1, 2)), (ids{1, 2}));
  core->executor_exited(*first.task, 0, "");
  EXPECT_EQ(start(order(2, 0, 2)), (ids{0, 3}));
  EXPECT_FALSE(core->start(order(3, 0, 1), time_point{}));
}

TEST_F(Accelerators, StayWithATaskThatIsAdopted) {
  auto left = order(1, 0, 2);
  left.accelerator_ids = {0, 2};
  core->adopt(left);
  EXPECT_EQ(start(order(2, 0, 2)), (ids{1, 3}));
}

TEST_F(Accelerators, ATaskSeesItsOwn) {
  auto first = order(1, 0, 1);
  auto second = order(1, 1, 1);
  start(first);
  start(second);
  EXPECT_EQ(given(second, {0, 1}).accelerators, ids{1});
  EXPECT_TRUE(given(second, {0, 1}).accelerators_assigned);
}

TEST_F(Accelerators, ATorchRankSeesThoseOfItsGangAsItsLocalRankCounts) {
  auto first = order(1, 3, 1);
  auto second = order(1, 1, 1);
  for (auto* each : {&first, &second})
    each->framework = framework::pytorch;
  start(order(9, 0, 1)); // of another job
  start(first);
  start(second);
  EXPECT_EQ(given(first, {0, 1, 2, 3}).accelerators, (ids{2, 1}));
}

} // namespace
} // namespace troupe
