// Submits a job, follows it to its end, and kills a second one, with the C++ client.
#include "actors/cluster/client.hpp"

#include <cstdio>
#include <filesystem>
#include <random>

namespace {

using namespace troupe;

job_spec_msg shell_job(const std::string& name, const std::string& script) {
  auto task = std::make_unique<task_type_msg>();
  task->name = "shell";
  task->command = {"/bin/sh", "-c", script};
  job_spec_msg spec;
  spec.name = name;
  spec.directory = std::filesystem::current_path();
  spec.attempts_max = 1;
  spec.tasks.push_back(std::move(task));
  return spec;
}

// Prints the events behind number `after` until the job is in `wanted` or has ended; how it stands.
result<job_status_msg> follow(client& cluster, uint64_t job, job_state wanted, uint64_t& after) {
  for (;;) {
    auto news = cluster.watch(job, after);
    if (!news)
      return news.error();
    for (auto& event : news->events) {
      after = event->sequence;
      std::printf("job %lu: %s\n", job, event->text.c_str());
    }
    auto now = news->status->state;
    if (now == wanted || now == job_state::succeeded || now == job_state::failed
        || now == job_state::killed)
      return cluster.status(job);
  }
}

result<void> expect(const result<job_status_msg>& status, job_state wanted) {
  if (!status)
    return status.error();
  std::printf("job %lu, %s: %s\n", status->job, status->name.c_str(),
              EnumNamejob_state(status->state));
  if (status->state == wanted)
    return {};
  return {errc::aborted, "the job ended otherwise (" + status->reason + "); read its log"};
}

result<void> tour(const std::string& directory) {
  auto cluster = client::connect(directory);
  if (!cluster)
    return cluster.error();
  std::random_device random; // one token, one job: submit() may be repeated with it
  auto first = (*cluster)->submit(shell_job("hello", "echo hello from the job"), random() | 1u);
  if (!first)
    return first.error();
  uint64_t seen = 0;
  TROUPE_TRY(expect(follow(**cluster, *first, job_state::succeeded, seen), job_state::succeeded));
  auto second = (*cluster)->submit(shell_job("endless", "exec sleep 600"), random() | 1u);
  if (!second)
    return second.error();
  seen = 0; // events are counted per job
  TROUPE_TRY(expect(follow(**cluster, *second, job_state::running, seen), job_state::running));
  TROUPE_TRY((*cluster)->kill(*second, "its work is done"));
  return expect(follow(**cluster, *second, job_state::killed, seen), job_state::killed);
}

} // namespace

int main(int argc, char** argv) {
  bool asked_well = argc == 3 && std::string{argv[1]} == "--dir";
  auto done = asked_well ? tour(argv[2])
                         : result<void>{errc::invalid, "say where the cluster is, with --dir DIR"};
  if (!done)
    std::fprintf(stderr, "submit_and_watch: %s\n", done.error().text.c_str());
  return done ? 0 : asked_well ? 1 : 2;
}
