#include "tests/sim/job_client.hpp"

#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s; // far more than the bridge has

struct client_state {
  sim_node* here = nullptr;
  job_ledger* seen = nullptr;
  std::vector<std::unique_ptr<wanted_job>>* jobs = nullptr;
  master_client_api master;
};

using client = caf::stateful_actor<client_state>;

// What may happen to any request; nothing else may.
void expect_lost(client* self, const wanted_job& job, const caf::error& e, const char* what) {
  auto why = reason_of(e);
  if (why.code != errc::node_lost && why.code != errc::deadline && why.code != errc::queue_full
      && why.code != errc::aborted && why.code != errc::no_such_actor)
    self->state.here->world.violated(std::string{what} + " of job " + std::to_string(job.id)
                                     + " is refused: " + why.text);
}

void submit(client* self, wanted_job& job) {
  auto& st = self->state;
  submit_job_msg request;
  if (job.needs && job.needs->id != 0 && job.spec.needs.empty()) {
    auto& need = *job.spec.needs.emplace_back(std::make_unique<job_need_msg>());
    need.job = job.needs->id;
    need.when = job.need;
  }
  request.spec = std::make_unique<job_spec_msg>(job.spec);
  request.token = job.token;
  request.user = st.here->name;
  job.asking = true;
  self->request(st.master, patience, std::move(request))
    .then(
      [self, &job](const job_accepted_msg& answer) {
        self->state.seen->accepted(self->state.here->name, job.token, answer.job);
        if (job.id == 0)
          job.submitted = self->state.here->world.time.now;
        job.id = answer.job;
        job.asking = false;
      },
      [self, &job](caf::error& e) {
        expect_lost(self, job, e, "the submission");
        job.asking = false;
      });
}

void kill(client* self, wanted_job& job) {
  kill_job_msg request;
  request.job = job.id;
  self->state.seen->kill_asked(job.id);
  job.asking = true;
  self->request(self->state.master, patience, std::move(request))
    .then(
      [self, &job](const done_msg&) {
        self->state.seen->kill_confirmed(job.id);
        job.kill_confirmed = true;
        job.asking = false;
      },
      [self, &job](caf::error& e) {
        expect_lost(self, job, e, "the kill");
        job.asking = false;
      });
}

// One that has ended meanwhile refuses, and that is well.
template <class Request>
void change(client* self, wanted_job& job, Request request, const char* what,
            std::optional<duration> wanted_job::*when) {
  request.job = job.id;
  job.asking = true;
  auto done = [&job, when] {
    job.*when = std::nullopt;
    job.asking = false;
  };
  self->request(self->state.master, patience, std::move(request))
    .then([done](const done_msg&) { done(); },
          [self, &job, what, done](caf::error& e) {
            if (reason_of(e).code == errc::invalid)
              return done();
            expect_lost(self, job, e, what);
            job.asking = false;
          });
}

void hold(client* self, wanted_job& job, bool held) {
  hold_job_msg request;
  request.held = held;
  change(self, job, std::move(request), "holding",
         held ? &wanted_job::hold_after : &wanted_job::release_after);
}

void requeue(client* self, wanted_job& job) {
  requeue_job_msg request;
  request.attempt = job.attempt;
  change(self, job, std::move(request), "requeuing", &wanted_job::requeue_after);
}

void watch(client* self, wanted_job& job) {
  watch_job_msg request;
  request.job = job.id;
  request.after = job.seen;
  job.asking = true;
  self->request(self->state.master, patience, std::move(request))
    .then(
      [self, &job](const job_events_msg& news) {
        self->state.seen->told(job.id, job.seen, news);
        for (auto& each : news.events)
          job.seen = std::max(job.seen, each->sequence);
        job.state = news.status->state;
        job.attempt = news.status->attempt;
        job.final = job.state >= job_state::succeeded;
        job.asking = false;
      },
      [self, &job](caf::error& e) {
        expect_lost(self, job, e, "watching");
        job.asking = false;
      });
}

void act(client* self, wanted_job& job) {
  auto& st = self->state;
  auto now = st.here->world.time.now;
  if (job.asking || now.time_since_epoch() < 1000s + job.submit_after)
    return;
  if (job.id == 0 || std::exchange(job.twice, false))
    return submit(self, job);
  if (job.kill_after && !job.kill_confirmed && now >= job.submitted + *job.kill_after)
    return kill(self, job);
  auto due
    = [&](const std::optional<duration>& after) { return after && now >= job.submitted + *after; };
  if (due(job.hold_after))
    return hold(self, job, true);
  if (!job.hold_after && due(job.release_after))
    return hold(self, job, false);
  if (due(job.requeue_after))
    return requeue(self, job);
  if (!job.final)
    watch(self, job);
}

caf::behavior run_client(client* self, sim_node* here, job_ledger* seen,
                         std::vector<std::unique_ptr<wanted_job>>* jobs) {
  auto& st = self->state;
  st.here = here;
  st.seen = seen;
  st.jobs = jobs;
  self->delayed_send(self, 10ms, caf::tick_atom::value);
  return {[self](const master_found& now) { self->state.master = now.master; },
          [self](caf::tick_atom) {
            auto& mine = self->state;
            self->delayed_send(self, mine.here->world.time.between(20ms, 100ms),
                               caf::tick_atom::value);
            if (mine.master)
              for (auto& each : *mine.jobs)
                act(self, *each);
          }};
}

} // namespace

caf::actor spawn_job_client(sim_node& here, job_ledger& seen,
                            std::vector<std::unique_ptr<wanted_job>>& jobs) {
  return here.system->spawn(run_client, &here, &seen, &jobs);
}

} // namespace troupe::testing
