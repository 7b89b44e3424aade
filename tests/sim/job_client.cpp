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
