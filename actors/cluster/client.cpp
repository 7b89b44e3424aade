#include "actors/cluster/client.hpp"

#include "runtime/actor_error.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/bridge.hpp"
#include "runtime/local_transport.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>

namespace troupe {

namespace {

constexpr auto link_time = std::chrono::seconds(1); // for a link that was dialled to come up
constexpr auto redial_pause = std::chrono::milliseconds(50);
constexpr uint32_t nodes_per_answer = 500; // 2 KiB of a frame for each

bridge_options options_of(const clock& time) {
  bridge_options options;
  options.name = "client/" + std::to_string(::getpid()) + "." + std::to_string(time.wall_ns());
  options.life = incarnation{static_cast<uint64_t>(time.wall_ns())};
  return options;
}

} // namespace

struct client::state {
  state(const std::string& directory_, duration deadline_)
    : directory(directory_), deadline(deadline_), system(with_threads(config, 1)),
      carrier(make_local_transport()),
      link(system, options_of(time),
           {[this](const peer& who) { set_up(true, who); },
            [this](const peer& who, const error&) { set_up(false, who); }}) {}

  ~state() { link.stop(); }

  void set_up(bool is_up, const peer& who) {
    if (who.name != "master")
      return;
    std::lock_guard guard{mutex};
    up = is_up;
    changed.notify_all();
  }

  // Waits for a link to the master until `end`, and dials when there is none.
  bool reach(time_point end) {
    std::unique_lock guard{mutex};
    while (!up && time.now() < end) {
      guard.unlock();
      auto dialled = static_cast<bool>(link.dial(*carrier, "local:" + directory + "/master.sock"));
      guard.lock();
      auto pause = dialled ? link_time : redial_pause;
      changed.wait_for(guard, std::min<duration>(pause, end - time.now()), [this] { return up; });
    }
    return up;
  }

  error silent() const {
    return {errc::unavailable, "the cluster in " + directory + " does not answer; see " + directory
                                 + "/logs/master.log, or end it with: troupe down --dir "
                                 + directory};
  }

  const std::string directory;
  const duration deadline; // of a call
  system_clock time;
  std::mutex mutex;
  std::condition_variable changed;
  bool up = false;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> carrier;
  bridge link;
};

client::client(std::unique_ptr<state> made) : state_(std::move(made)) {}

client::~client() = default;

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
  auto made = std::make_unique<state>(directory, deadline);
  TROUPE_TRY(made->link.attach(*made->carrier));
  if (!made->reach(made->time.now() + patience))
    return made->silent();
  return std::unique_ptr<client>(new client(std::move(made)));
}

master_client_api client::master() {
  return state_->link.proxy<master_client_api>(node_named("master"), "master",
                                               {state_->deadline, run_on::receiver});
}

caf::actor_system& client::system() {
  return state_->system;
}

template <class Answer, class Request>
result<Answer> client::ask_once(Request request, duration budget) {
  caf::scoped_actor self{state_->system};
  result<Answer> got{errc::internal, "the master answered nothing"};
  self->request(master(), budget, std::move(request))
    .receive([&](Answer& answer) { got = std::move(answer); },
             [&](const caf::error& why) { got = reason_of(why); });
  return got;
}

template <class Answer, class Request>
result<Answer> client::ask(Request request) {
  auto end = state_->time.now() + state_->deadline;
  while (state_->reach(end)) {
    auto got = ask_once<Answer>(Request{request}, state_->deadline + std::chrono::seconds(1));
    if (got || got.error().code != errc::node_lost)
      return got;
  }
  return state_->silent();
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
  TROUPE_TRY(ask_once<done_msg>(stop_cluster_msg{}, state_->deadline));
  return {};
}

} // namespace troupe
