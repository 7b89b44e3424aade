// The jobs of the benchmark scale: gangs of tasks that hold what they have, or end at once.
//   scale_jobs DIR submit JOBS TASKS PROGRAM PAUSE_MS   one after another, with a pause between;
//                                                       prints the ms that each submission took
//   scale_jobs DIR wait FIRST LAST     until the master knows each task of these jobs as running;
//                                      prints "<tasks> <attempts beyond the first>"
#include "actors/cluster/client.hpp"
#include "actors/jobs/gang.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace troupe;

constexpr auto poll_ms = 100;

job_spec_msg job_of(uint32_t tasks, const std::string& program) {
  auto task = std::make_unique<task_type_msg>();
  task->name = std::string{"worker"};
  task->command = {program};
  task->instances = tasks;
  job_spec_msg spec;
  spec.name = std::string{"scale"};
  spec.directory = std::string{"/"};
  spec.tasks.push_back(std::move(task));
  return spec;
}

result<void> submit(client& cluster, int jobs, uint32_t tasks, const std::string& program,
                    int pause_ms) {
  using ms = std::chrono::duration<double, std::milli>;
  auto first = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  for (int i = 0; i < jobs; ++i) {
    auto began = std::chrono::steady_clock::now();
    auto job = cluster.submit(job_of(tasks, program), first + static_cast<uint64_t>(i));
    if (!job)
      return job.error();
    std::printf("%.3f\n", ms{std::chrono::steady_clock::now() - began}.count());
    ::poll(nullptr, 0, pause_ms);
  }
  return {};
}

bool runs(const job_status_msg& job) {
  auto running = [](auto& task) { return task->state == task_state::running; };
  return job.state == job_state::running
         && std::all_of(job.tasks.begin(), job.tasks.end(), running);
}

// A master that is away is asked again.
result<void> wait(client& cluster, uint64_t first, uint64_t last) {
  size_t tasks = 0;
  uint64_t attempts = 0;
  for (auto id = first; id <= last;) {
    auto job = cluster.status(id);
    if (job && has_ended(job->state))
      return {errc::internal, "job " + std::to_string(id) + " has ended: " + job->reason};
    if (!job || !runs(*job)) {
      ::poll(nullptr, 0, poll_ms);
      continue;
    }
    tasks += job->tasks.size();
    attempts += job->attempt - 1;
    ++id;
  }
  std::printf("%zu %llu\n", tasks, static_cast<unsigned long long>(attempts));
  return {};
}

result<void> run(int argc, char** argv) {
  auto words = std::vector<std::string>(argv + 1, argv + argc);
  auto number = [&](size_t i) { return std::atoi(words[i].c_str()); };
  auto cluster = client::connect(words[0], std::chrono::seconds{30});
  if (!cluster)
    return cluster.error();
  if (words.size() == 6 && words[1] == "submit")
    return submit(**cluster, number(2), static_cast<uint32_t>(number(3)), words[4], number(5));
  if (words.size() == 4 && words[1] == "wait")
    return wait(**cluster, static_cast<uint64_t>(number(2)), static_cast<uint64_t>(number(3)));
  return {errc::invalid, "say DIR submit JOBS TASKS PROGRAM PAUSE_MS, or DIR wait FIRST LAST"};
}

} // namespace

int main(int argc, char** argv) {
  auto done = argc > 2 ? run(argc, argv) : result<void>{errc::invalid, "say DIR and what to do"};
  if (!done)
    std::fprintf(stderr, "scale_jobs: %s\n", done.error().text.c_str());
  return done ? 0 : 1;
}
