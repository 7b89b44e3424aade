#include "actors/cluster/client.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace troupe {

namespace {

constexpr uint32_t nodes_per_answer = 500; // 2 KiB of a frame for each

} // namespace

client::client(std::unique_ptr<client_link> made) : link_(std::move(made)) {}

bool client::was_started(const std::string& directory) {
  std::error_code none;
  // A master that ends takes its socket along; its supervisor starts another.
  return std::filesystem::exists(directory + "/master.sock", none)
         || std::filesystem::exists(directory + "/run/master.pid", none);
}

result<std::unique_ptr<client>> client::connect(const std::string& directory, duration patience,
                                                duration deadline) {
  if (!was_started(directory))
    return {errc::unavailable, "no cluster answers in " + directory
                                 + "; start one with: troupe up --dir " + directory};
  auto made = std::make_unique<client_link>(directory, deadline);
  TROUPE_TRY(made->open(patience));
  return std::unique_ptr<client>(new client(std::move(made)));
}

master_client_api client::master() {
  return link_->actor<master_client_api>("master");
}

caf::actor_system& client::system() {
  return link_->system();
}

template <class Answer, class Request>
result<Answer> client::ask(Request request) {
  return link_->ask<master_client_api, Answer>("master", request);
}

template <class Request>
result<void> client::change(Request request) {
  TROUPE_TRY(ask<done_msg>(std::move(request)));
  return {};
}

result<uint64_t> client::submit(job_spec_msg spec, uint64_t token) {
  submit_job_msg request;
  request.spec = std::make_unique<job_spec_msg>(std::move(spec));
  request.token = token;
  request.user = std::to_string(::getuid());
  auto accepted = ask<job_accepted_msg>(std::move(request));
  if (!accepted)
    return accepted.error();
  return accepted->job;
}

result<packages_lacking_msg> client::find_packages(std::vector<std::string> hashes) {
  find_packages_msg request;
  request.hashes = std::move(hashes);
  return ask<packages_lacking_msg>(std::move(request));
}

result<bulk_access_msg> client::push_package(std::string hash, uint64_t size) {
  push_package_msg request;
  request.hash = std::move(hash);
  request.size = size;
  return ask<bulk_access_msg>(std::move(request));
}

result<void> client::kill(uint64_t job, std::string reason) {
  kill_job_msg request;
  request.job = job;
  request.reason = std::move(reason);
  return change(std::move(request));
}

result<void> client::hold(uint64_t job, bool held, std::string reason) {
  hold_job_msg request;
  request.job = job;
  request.held = held;
  request.reason = std::move(reason);
  return change(std::move(request));
}

result<void> client::requeue(uint64_t job, uint32_t attempt, std::string reason) {
  requeue_job_msg request;
  request.job = job;
  request.attempt = attempt;
  request.reason = std::move(reason);
  return change(std::move(request));
}

result<uint32_t> client::ask_tasks(ask_job_msg request) {
  auto asked = ask<job_asked_msg>(std::move(request));
  if (!asked)
    return asked.error();
  return asked->tasks;
}

result<void> client::drain(drain_node_msg request) {
  return change(std::move(request));
}

result<job_status_msg> client::status(uint64_t job) {
  get_job_msg request;
  request.job = job;
  return ask<job_status_msg>(std::move(request));
}

result<job_list_msg> client::jobs(list_jobs_msg filter) {
  return ask<job_list_msg>(std::move(filter));
}

result<job_history_msg> client::history(uint64_t job) {
  get_history_msg request;
  request.job = job;
  return ask<job_history_msg>(std::move(request));
}

result<usage_msg> client::usage(get_usage_msg request) {
  return ask<usage_msg>(std::move(request));
}

result<job_events_msg> client::watch(uint64_t job, uint64_t after) {
  watch_job_msg request;
  request.job = job;
  request.after = after;
  return ask<job_events_msg>(std::move(request));
}

result<cluster_status_msg> client::cluster() {
  get_cluster_msg request;
  request.limit = nodes_per_answer;
  auto out = ask<cluster_status_msg>(request);
  while (out && out->more) {
    request.after = out->nodes.back()->name;
    auto next = ask<cluster_status_msg>(request);
    if (!next)
      return next;
    std::ranges::move(next->nodes, std::back_inserter(out->nodes));
    out->more = next->more;
  }
  return out;
}

result<log_chunk_msg> client::log(read_log_msg request) {
  return ask<log_chunk_msg>(std::move(request));
}

result<std::string> client::whole_log(read_log_msg request, size_t bytes_max) {
  std::string out;
  while (out.size() < bytes_max) {
    auto chunk = log(request);
    if (!chunk)
      return chunk.error();
    if (chunk->text.empty())
      break;
    out += chunk->text;
    request.offset += chunk->text.size();
  }
  out.resize(std::min(out.size(), bytes_max));
  return out;
}

result<exec_started_msg> client::exec(exec_task_msg request) {
  return ask<exec_started_msg>(std::move(request));
}

result<exec_news_msg> client::exec_io(exec_io_msg request) {
  return ask<exec_news_msg>(std::move(request));
}

result<lineage_msg> client::lineage(uint64_t job) {
  get_lineage_msg request;
  request.job = job;
  return ask<lineage_msg>(std::move(request));
}

result<void> client::stop_cluster() {
  // Not repeated: a master that was lost has stopped.
  auto done = link_->ask_once<master_client_api, done_msg>("master", stop_cluster_msg{});
  if (!done)
    return done.error();
  return {};
}

} // namespace troupe
