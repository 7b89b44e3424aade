// Open MPI in the benchmark allreduce: mpirun -n RANKS allreduce_mpi CASE...
#include "tests/bench/allreduce_cases.hpp"

#include <mpi.h>

#include <algorithm>
#include <vector>

int main(int argc, char** argv) {
  using namespace troupe::bench;
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::vector<std::string> cases(argv + 1, argv + argc);
  std::vector<float> row((64u << 20) / sizeof(float));
  for (auto& each : allreduce_cases)
    if (std::find(cases.begin(), cases.end(), each.name) != cases.end())
      time_allreduce(
        each, "", rank == 0,
        [&](size_t floats) {
          MPI_Allreduce(MPI_IN_PLACE, row.data(), static_cast<int>(floats), MPI_FLOAT, MPI_SUM,
                        MPI_COMM_WORLD);
        },
        [] { MPI_Barrier(MPI_COMM_WORLD); });
  MPI_Finalize();
}
