// An allreduce of a group over NCCL, and the same of NCCL itself, as nccl-tests times it:
// operations that are given to the GPUs one after the other, and waited for at the end.
//
// nccl_allreduce [MIB]      rows of so many MiB of f32 (256), not in place
//
// Each GPU has a rank, a thread of this program. Prints the number of GPUs and what takes part, and
// then for each round the seconds of an operation of ours, of NCCL's, and of NCCL's when each is
// waited for, as ours is.
#include "kernels/cuda/plugin.hpp"

#include <cuda_runtime.h>
#include <nccl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace troupe::bench {
namespace {

using namespace troupe::collective;

constexpr int rounds = 7;
constexpr int operations = 20;

void must(const result<void>& done) {
  if (done)
    return;
  std::fprintf(stderr, "nccl_allreduce: %s\n", done.error().text.c_str());
  std::exit(1);
}

template <class T>
T must_have(result<T>&& made) {
  if (!made)
    must(result<void>(made.error()));
  return std::move(*made);
}

void must(cudaError_t code) {
  if (code != cudaSuccess)
    must(result<void>(errc::internal, cudaGetErrorString(code)));
}

void must(ncclResult_t code) {
  if (code != ncclSuccess)
    must(result<void>(errc::internal, ncclGetErrorString(code)));
}

// NCCL alone, on a stream of its own.
class bare {
public:
  bare(int device, int ranks, ncclUniqueId id) {
    must(cudaSetDevice(device));
    must(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    must(ncclCommInitRank(&link_, ranks, id, device));
  }
  ~bare() {
    ncclCommDestroy(link_);
    cudaStreamDestroy(stream_);
  }
  bare(const bare&) = delete;
  bare& operator=(const bare&) = delete;

  void allreduce(std::span<const float> in, std::span<float> out) {
    must(ncclAllReduce(in.data(), out.data(), in.size(), ncclFloat32, ncclSum, link_, stream_));
  }
  void wait() { must(cudaStreamSynchronize(stream_)); }

private:
  cudaStream_t stream_ = nullptr;
  ncclComm_t link_ = nullptr;
};

// Seconds of one of several, from a barrier to the end of the last.
template <class F, class End>
double time_of(group& ranks, const F& once, const End& end) {
  once(); // what is set up at the first
  end();
  must(ranks.barrier());
  auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < operations; ++i)
    once();
  end();
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  return took.count() / operations;
}

void run_rank(const cuda::plugin& plugin, int number, int count, size_t bytes, ncclUniqueId id) {
  group_options options;
  options.rank = static_cast<uint32_t>(number);
  options.size = static_cast<uint32_t>(count);
  options.secret = "of this benchmark";
  auto over = must_have(join_shm(options, "troupe_nccl_bench_" + std::to_string(getpid())));
  auto device = must_have(plugin.open_device(number));
  nccl_options more;
  more.device = number;
  more.compare_calls = false; // as the trainer has it
  auto ours = must_have(plugin.join_nccl(options, *over, more));
  auto in = must_have(ours->allocate(bytes));
  auto out = must_have(ours->allocate(bytes));
  bare nccl(number, count, id);
  auto row = in->row<float>();
  auto sum = out->row<float>();
  if (number == 0)
    std::printf("%d %s, %s\n", count, device->name().c_str(), plugin.versions().c_str());
  for (int round = 0; round < rounds; ++round) {
    auto of_ours = time_of(
      *over, [&] { must(ours->allreduce(row, sum, reduction::sum)); }, [] {});
    auto of_nccl = time_of(
      *over, [&] { nccl.allreduce(row, sum); }, [&] { nccl.wait(); });
    auto waits = [&] {
      nccl.allreduce(row, sum);
      nccl.wait();
    };
    auto waited = time_of(*over, waits, [] {});
    if (number == 0)
      std::printf("%.9f %.9f %.9f\n", of_ours, of_nccl, waited);
  }
  must(over->barrier());
}

} // namespace

int run(size_t bytes) {
  auto plugin = must_have(cuda::open());
  auto found = plugin->count_devices();
  if (!found) {
    std::printf("skipped: no device\n");
    return 0;
  }
  ncclUniqueId id{};
  must(ncclGetUniqueId(&id));
  std::vector<std::thread> threads;
  for (int number = 0; number < *found; ++number)
    threads.emplace_back([&, number] { run_rank(*plugin, number, *found, bytes, id); });
  for (auto& each : threads)
    each.join();
  return 0;
}

} // namespace troupe::bench

int main(int argc, char** argv) {
  auto mib = argc > 1 ? std::atoi(argv[1]) : 256;
  return troupe::bench::run(static_cast<size_t>(mib) << 20);
}
