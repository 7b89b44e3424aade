#include "actors/jobs/mpi_launch.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

void add(cluster_spec_msg& to, const std::string& type, uint32_t index, const std::string& host,
         task_role role = task_role::tracked) {
  auto member = std::make_unique<cluster_member_msg>();
  member->type = type;
  member->index = index;
  member->host = host;
  member->port = static_cast<uint16_t>(7000 + to.members.size());
  member->role = role;
  to.members.push_back(std::move(member));
}

cluster_spec_msg spec_for(const std::string& type, uint32_t index) {
  cluster_spec_msg out;
  out.task = std::make_unique<task_id_msg>();
  out.task->type = type;
  out.task->index = index;
  return out;
}

TEST(MpiLaunch, TheFirstWorkerRunsTheCommandAndTheOthersWait) {
  for (uint32_t index : {0u, 1u}) {
    auto spec = spec_for("worker", index);
    add(spec, "worker", 0, "10.0.0.1");
    add(spec, "worker", 1, "10.0.0.2");
    EXPECT_EQ(waits_for_mpi(framework::mpi, spec), index == 1);
    EXPECT_FALSE(waits_for_mpi(framework::pytorch, spec));
  }
}

TEST(MpiLaunch, AChiefIsFirstWhereverItStands) {
  auto spec = spec_for("chief", 0);
  add(spec, "worker", 0, "10.0.0.1");
  add(spec, "chief", 0, "10.0.0.2");
  EXPECT_FALSE(waits_for_mpi(framework::mpi, spec));
  EXPECT_EQ(mpi_hostfile(spec, 8), "chief-0 slots=8\nworker-0 slots=1\n");
  EXPECT_EQ(mpi_environment(spec)["TROUPE_MPI_PEERS"],
            "chief-0=10.0.0.2:7001,worker-0=10.0.0.1:7000");
}

TEST(MpiLaunch, OthersThanTrackedTasksAreNoHosts) {
  auto spec = spec_for("board", 0);
  add(spec, "worker", 0, "10.0.0.1");
  add(spec, "board", 0, "10.0.0.2", task_role::sidecar);
  EXPECT_FALSE(waits_for_mpi(framework::mpi, spec));
  EXPECT_EQ(mpi_hostfile(spec, 2), "worker-0 slots=2\n");
}

TEST(MpiLaunch, MachinesOfOneTaskEachShareMemoryAsUsual) {
  auto spec = spec_for("worker", 0);
  add(spec, "worker", 0, "10.0.0.1");
  add(spec, "worker", 1, "10.0.0.2");
  EXPECT_FALSE(mpi_environment(spec).contains("OMPI_MCA_btl"));
  add(spec, "worker", 2, "10.0.0.2");
  EXPECT_EQ(mpi_environment(spec)["OMPI_MCA_btl"], "^vader");
}

} // namespace
} // namespace troupe
