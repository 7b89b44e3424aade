// Submits COUNT jobs of one task that does nothing to the cluster in DIR, by the client, and waits
// until the last of them has ended.
//   submit_many DIR COUNT CLIENTS    prints "<s until all are submitted> <s until all have ended>"
#include "actors/cluster/client.hpp"

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using namespace troupe;

job_spec_msg no_op() {
  auto task = std::make_unique<task_type_msg>();
  task->name = std::string{"worker"};
  task->command = {"/bin/true"};
  job_spec_msg spec;
  spec.name = std::string{"no-op"};
  spec.directory = std::string{"/"};
  spec.tasks.push_back(std::move(task));
  return spec;
}

// Each thread has a connection of its own: a client waits for the answer to each job. `first` makes
// the tokens of this run its own.
result<void> submit(const std::string& directory, uint64_t first, std::atomic<int>& left) {
  auto cluster = client::connect(directory);
  if (!cluster)
    return cluster.error();
  for (int number = 0; (number = left.fetch_sub(1)) > 0;)
    if (auto job = (*cluster)->submit(no_op(), first + static_cast<uint64_t>(number)); !job)
      return job.error();
  return {};
}

result<void> wait_ended(const std::string& directory) {
  auto cluster = client::connect(directory);
  if (!cluster)
    return cluster.error();
  for (;;) {
    auto now = (*cluster)->cluster();
    if (!now)
      return now.error();
    if (now->jobs_active == 0)
      return {};
    ::poll(nullptr, 0, 20);
  }
}

result<void> run(const std::string& directory, int count, int clients) {
  using seconds = std::chrono::duration<double>;
  auto began = std::chrono::steady_clock::now();
  auto first = static_cast<uint64_t>(began.time_since_epoch().count());
  std::atomic<int> left{count};
  std::vector<result<void>> outcomes(static_cast<size_t>(clients), result<void>{});
  std::vector<std::thread> threads;
  threads.reserve(outcomes.size());
  for (auto& each : outcomes)
    threads.emplace_back([&] { each = submit(directory, first, left); });
  for (auto& each : threads)
    each.join();
  for (auto& each : outcomes)
    TROUPE_TRY(each);
  seconds submitted = std::chrono::steady_clock::now() - began;
  TROUPE_TRY(wait_ended(directory));
  seconds ended = std::chrono::steady_clock::now() - began;
  std::printf("%.3f %.3f\n", submitted.count(), ended.count());
  return {};
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "submit_many: say DIR COUNT CLIENTS\n");
    return 2;
  }
  auto done = run(argv[1], std::atoi(argv[2]), std::atoi(argv[3]));
  if (!done)
    std::fprintf(stderr, "submit_many: %s\n", done.error().text.c_str());
  return done ? 0 : 1;
}
