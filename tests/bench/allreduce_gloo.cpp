// Gloo in the benchmark allreduce: allreduce_gloo RANKS DIRECTORY CASE...
#include "tests/bench/allreduce_cases.hpp"

#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace {

void time_rank(int rank, int ranks, const std::string& directory,
               const std::vector<std::string>& cases) {
  using namespace troupe::bench;
  gloo::transport::tcp::attr at;
  at.hostname = "127.0.0.1";
  auto device = gloo::transport::tcp::CreateDevice(at);
  gloo::rendezvous::FileStore store(directory);
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, ranks);
  context->connectFullMesh(store, device);
  std::vector<float> row((64u << 20) / sizeof(float));
  auto barrier = [&] {
    gloo::BarrierOptions options(context);
    gloo::barrier(options);
  };
  auto reduce = [&](size_t floats) {
    gloo::AllreduceOptions options(context);
    options.setOutput(row.data(), floats);
    options.setReduceFunction([](void* to, const void* a, const void* b, size_t count) {
      gloo::sum<float>(to, a, b, count);
    });
    gloo::allreduce(options);
  };
  for (auto& each : allreduce_cases)
    if (std::find(cases.begin(), cases.end(), each.name) != cases.end())
      time_allreduce(each.bytes < (1u << 20) ? allreduce_case{each.name, each.bytes, 1000} : each,
                     "", rank == 0, reduce, barrier);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4)
    return 2;
  auto ranks = std::atoi(argv[1]);
  for (int r = 0; r < ranks; ++r)
    if (fork() == 0) {
      time_rank(r, ranks, argv[2], {argv + 3, argv + argc});
      std::_Exit(0);
    }
  int code = 0;
  for (int status = 0; wait(&status) > 0;)
    code = std::max(code, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  return code;
}
