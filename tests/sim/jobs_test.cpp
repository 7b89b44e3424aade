#include "runtime/base/log.hpp"
#include "tests/sim/jobs.hpp"
#include "tests/sim/seeds.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

class ClusterSimulation : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }
};

TEST_F(ClusterSimulation, MasterRestartsAtEveryLoggedStep) {
  run_seeds("MasterRestartsAtEveryLoggedStep", master_restarts_at_every_step, 1);
}

TEST_F(ClusterSimulation, MasterRestartsAtEveryLoggedStepOfShapedJobs) {
  run_seeds("MasterRestartsAtEveryLoggedStepOfShapedJobs",
            master_restarts_at_every_step_of_shaped_jobs, 1);
}

TEST_F(ClusterSimulation, PowerCutsBehindASlowDisk) {
  run_seeds("PowerCutsBehindASlowDisk", power_cuts_behind_a_slow_disk, 50);
}

TEST_F(ClusterSimulation, JobsThroughChaos) {
  run_seeds("JobsThroughChaos", jobs_through_chaos);
}

} // namespace
} // namespace troupe::testing
