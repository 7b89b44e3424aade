// Ours in the benchmark allreduce: allreduce_troupe shm|tcp RANKS CASE...
//
// With shm each case is timed in memory of the group ("registered_"), in memory of the ranks' own
// ("private_"), and as nothing but its reads and writes: each rank adds half of two rows of its own
// and writes the sums to both ("traffic_").
#include "kernels/collective/arithmetic.hpp"
#include "tests/bench/allreduce_cases.hpp"
#include "tests/support/loopback.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace troupe::bench {
namespace {

using namespace troupe::collective;

void must(const result<void>& done) {
  if (done)
    return;
  std::fprintf(stderr, "allreduce_troupe: %s\n", done.error().text.c_str());
  std::exit(1);
}

template <class T>
T must_have(result<T>&& made) {
  if (!made)
    must(result<void>(made.error()));
  return std::move(*made);
}

void time_rank(group& gang, bool shared, const std::vector<std::string>& cases) {
  size_t most = 0;
  for (auto& each : allreduce_cases)
    most = std::max(most, each.bytes);
  auto prints = gang.rank() == 0;
  auto barrier = [&] { must(gang.barrier()); };
  auto memory = must_have(gang.allocate(shared ? most : 4096));
  auto registered = memory->row<float>();
  std::vector<float> own(most / sizeof(float));
  std::vector<float> beside(shared ? own.size() : 0);
  auto reduces = [&](std::span<float> row) {
    return [&gang, row](size_t floats) { must(gang.allreduce(row.first(floats), reduction::sum)); };
  };
  auto* first = reinterpret_cast<std::byte*>(own.data());
  auto* second = reinterpret_cast<std::byte*>(beside.data());
  auto traffic = [&](size_t floats) {
    std::array<const std::byte*, 2> inputs{first, second};
    std::array<std::byte*, 2> targets{first, second};
    reduce(element::f32, reduction::sum, inputs, targets, floats / gang.size());
  };
  for (auto& each : allreduce_cases) {
    if (std::find(cases.begin(), cases.end(), each.name) == cases.end())
      continue;
    if (shared)
      time_allreduce(each, "registered_", prints, reduces(registered), barrier);
    time_allreduce(each, "private_", prints, reduces(own), barrier);
    if (shared && each.operations < 100)
      time_allreduce(each, "traffic_", prints, traffic, barrier);
  }
}

int run(const std::string& backend, uint32_t ranks, const std::vector<std::string>& cases) {
  std::vector<int> listeners;
  std::vector<std::string> members;
  for (uint32_t r = 0; backend == "tcp" && r < ranks; ++r) {
    auto [fd, address] = test::listen_at("127.0.0.1");
    listeners.push_back(fd);
    members.push_back(address);
  }
  auto name = "troupe_bench." + std::to_string(getpid());
  for (uint32_t r = 0; r < ranks; ++r) {
    if (fork() != 0)
      continue;
    group_options options{r, ranks, 1, "bench", std::chrono::seconds(60)};
    auto gang
      = backend == "shm" ? join_shm(options, name) : join_tcp(options, listeners[r], members);
    time_rank(*must_have(std::move(gang)), backend == "shm", cases);
    std::exit(0);
  }
  int code = 0;
  for (int status = 0; wait(&status) > 0;)
    code = std::max(code, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  return code;
}

} // namespace
} // namespace troupe::bench

int main(int argc, char** argv) {
  if (argc < 4)
    return 2;
  return troupe::bench::run(argv[1], static_cast<uint32_t>(std::atoi(argv[2])),
                            {argv + 3, argv + argc});
}
