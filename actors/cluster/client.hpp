// A client of a running cluster, for programs: each method is one typed message to the master, and
// its answer.
//
//   auto cluster = client::connect(directory);
//   auto job = cluster->submit(spec);
//   auto news = cluster->watch(*job, 0);
//
// Actor code asks the same of master(), an ordinary typed handle.
// A master that dies is back in a moment: a call then asks the next one the same, until its
// deadline. submit() with a token is safe to repeat, as are the others.
// Errors: errc::unavailable when no cluster answers; the master's own, as they were. Threads: one
// thread uses a client. Each method blocks until its answer or deadline: never call it in an actor.
#pragma once

#include "actors/cluster/client_link.hpp"
#include "actors/cluster/interfaces.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe {

class bridge;

class client {
public:
  // Whether a cluster was started there and not taken down: its master may be dead all the same.
  static bool was_started(const std::string& directory);

  // `directory`: of the cluster, where its master listens.
  // A call is answered, or has failed, within `deadline`.
  static result<std::unique_ptr<client>> connect(const std::string& directory,
                                                 duration patience = std::chrono::seconds(2),
                                                 duration deadline = std::chrono::seconds(30));

  // The new job's number. `token` != 0 makes the call safe to repeat: one token, one job.
  result<uint64_t> submit(job_spec_msg spec, uint64_t token);

  // Which of these packages the master lacks, and a ticket to bring one (runtime/bulk.hpp).
  result<packages_lacking_msg> find_packages(std::vector<std::string> hashes);
  result<bulk_access_msg> push_package(std::string hash, uint64_t size);

  result<void> kill(uint64_t job, std::string reason);
  result<void> hold(uint64_t job, bool held, std::string reason);
  result<void> requeue(uint64_t job, uint32_t attempt, std::string reason);

  // Asks running tasks for something: how many were asked.
  result<uint32_t> ask_tasks(ask_job_msg request);
  result<job_status_msg> status(uint64_t job);
  result<job_list_msg> jobs(list_jobs_msg filter = {});
  result<job_history_msg> history(uint64_t job);
  result<usage_msg> usage(get_usage_msg request);

  // The events behind number `after`, as soon as there are any, and at the latest after a second.
  result<job_events_msg> watch(uint64_t job, uint64_t after);
  result<cluster_status_msg> cluster();

  // Gives a node no new tasks, or gives it some again.
  result<void> drain(drain_node_msg request);
  result<log_chunk_msg> log(read_log_msg request);

  // All of it, chunk by chunk, up to `bytes_max`.
  result<std::string> whole_log(read_log_msg request, size_t bytes_max);

  // A command beside a task; the session is the caller's choice, and each call is safe to repeat.
  result<exec_started_msg> exec(exec_task_msg request);
  result<exec_news_msg> exec_io(exec_io_msg request);
  result<lineage_msg> lineage(uint64_t job);
  result<void> stop_cluster();

  // The master, for actor code.
  master_client_api master();
  caf::actor_system& system();

  // For what asks other actors of the master's process, as artifact_client.
  client_link& link() { return *link_; }

private:
  explicit client(std::unique_ptr<client_link> made);

  template <class Answer, class Request>
  result<Answer> ask(Request request);
  template <class Request>
  result<void> change(Request request);

  std::unique_ptr<client_link> link_;
};

} // namespace troupe
