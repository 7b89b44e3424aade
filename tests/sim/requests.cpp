#include "tests/sim/requests.hpp"

#include "runtime/actor_error.hpp"
#include "tests/sim/nemesis.hpp"

#include <caf/all.hpp>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

using echo = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>, caf::reacts_to<note_msg>>;

// A link is up; what stands for the worker behind it.
struct opened {
  uint64_t session;
  std::string to;
  echo worker;
};

// A caller sends this many notes over each of its proxies.
struct flood {
  uint32_t notes;
};

} // namespace

} // namespace troupe::testing

template <>
struct caf::allowed_unsafe_message_type<troupe::testing::opened> : std::true_type {};
template <>
struct caf::allowed_unsafe_message_type<troupe::testing::flood> : std::true_type {};

namespace troupe::testing {

namespace {

// Answers at once, later, with an error, or never.
echo::behavior_type worker(echo::pointer self, sim_node* here, ledger* seen) {
  auto silent = std::make_shared<std::vector<caf::typed_response_promise<pong_msg>>>();
  return {[=](const ping_msg& in) -> caf::result<pong_msg> {
            seen->handles_request(*here, in.sequence);
            auto& random = here->world.time.random;
            pong_msg out;
            out.sequence = in.sequence;
            auto mood = seen->strict() ? 99 : random.below(100);
            if (mood < 3)
              return fail(errc::invalid, "not this one");
            if (mood < 5) {
              silent->push_back(self->make_response_promise<pong_msg>());
              return silent->back();
            }
            out.body.resize(random.below(64));
            return out;
          },
          [=](const note_msg& in) { seen->handles_note(*here, in.sequence); }};
}

struct caller_state {
  std::map<uint64_t, opened> workers; // by session
};

class caller {
public:
  caller(caf::stateful_actor<caller_state>* self, sim_node* here, ledger* seen)
    : self_(self), here_(here), seen_(seen) {}

  caf::behavior start() const {
    auto me = *this;
    self_->set_down_handler([me](caf::down_msg& gone) {
      auto& workers = me.self_->state.workers;
      auto is_gone = [&](auto& each) { return each.second.worker.address() == gone.source; };
      auto found = std::find_if(workers.begin(), workers.end(), is_gone);
      if (found != workers.end())
        me.replace(workers.extract(found).mapped());
    });
    again();
    return {[me](opened& now) {
              me.self_->monitor(now.worker);
              me.self_->state.workers.emplace(now.session, std::move(now));
            },
            [me](caf::tick_atom) {
              me.act();
              me.again();
            },
            [me](const flood& now) {
              for (auto& [session, each] : me.self_->state.workers)
                for (uint32_t i = 0; i < now.notes && !me.seen_->at(each.session).down; ++i)
                  me.note(each);
            }};
  }

private:
  // A proxy alone can end too, when one of its notes found no room: the link serves the next one.
  void replace(const opened& gone) const {
    seen_->proxy_down(gone.session);
    auto before = seen_->at(gone.session);
    if (before.link_ended)
      return;
    seen_->at(gone.session).link_ended = true;
    auto next = before;
    next.renew();
    auto proxy = here_->link->proxy<echo>(node_named(gone.to), "echo", {next.deadline});
    auto to = gone.to;
    self_->send(self_, opened{seen_->open_session(std::move(next)), to, std::move(proxy)});
  }

  void again() const {
    self_->delayed_send(self_, here_->world.time.between(2ms, 40ms), caf::tick_atom::value);
  }

  void act() const {
    auto& random = here_->world.time.random;
    for (auto& [session, each] : self_->state.workers) {
      if (seen_->at(each.session).down)
        continue;
      auto count = random.chance(0.02) ? 40 : 1 + random.below(3);
      for (uint64_t i = 0; i < count; ++i)
        random.chance(0.4) ? note(each) : ask(each);
    }
  }

  void note(const opened& to) const {
    note_msg out;
    out.sequence = seen_->notes(to.session);
    self_->send(to.worker, std::move(out));
  }

  void ask(const opened& to) const {
    ping_msg out;
    auto number = out.sequence = seen_->asks(to.session);
    out.body.resize(here_->world.time.random.below(64));
    auto* seen = seen_;
    // The bridge's deadline is far shorter: CAF's own must never be the one that ends a request.
    self_->request(to.worker, 5s, std::move(out))
      .then([=](const pong_msg& in) { seen->ends(number, in.sequence, errc::ok); },
            [=](const caf::error& why) { seen->ends(number, 0, reason_of(why).code); });
  }

  caf::stateful_actor<caller_state>* self_;
  sim_node* here_;
  ledger* seen_;
};

caf::behavior run_caller(caf::stateful_actor<caller_state>* self, sim_node* here, ledger* seen) {
  return caller{self, here, seen}.start();
}

void boot_server(sim_node& node, ledger& seen) {
  node.link->publish<echo>("echo", node.system->spawn(worker, &node, &seen));
  auto listening = node.carrier->listen(node.endpoint());
  TROUPE_ASSERT(listening);
}

void boot_client(sim_node& node, ledger& seen, const std::vector<std::string>& servers) {
  auto actor = caf::actor_cast<caf::actor>(node.system->spawn(run_caller, &node, &seen));
  node.on_up = [&node, &seen, actor](const peer& who) {
    auto deadline = node.world.time.between(60ms, 400ms);
    auto session = seen.open_session(ledger::proxy_record(node, who, deadline));
    auto proxy = node.link->proxy<echo>(who.node, "echo", {deadline});
    caf::anon_send(actor, opened{session, who.name, std::move(proxy)});
  };
  node.on_down
    = [&node, &seen](const peer& who, const error&) { seen.link_ended(node.name, who.name); };
  for (auto& each : servers)
    node.link->keep_connected(*node.carrier, "sim:" + each);
  node.callers.push_back(actor);
}

struct cast {
  std::vector<std::string> servers;
  std::vector<std::string> clients;
};

// Whether every client has a proxy of every server.
bool all_connected(const ledger& seen, const cast& nodes) {
  for (auto& client : nodes.clients)
    for (auto& server : nodes.servers)
      if (seen.open_session_of(client, server) == 0)
        return false;
  return true;
}

// The faults are over: everything must work again, and soon.
void demand_liveness(sim_world& world, ledger& seen, const cast& nodes) {
  world.run_for(4s); // what is late arrives, and the silent are found out
  if (!world.run_until([&] { return all_connected(seen, nodes); }, 10s))
    return world.violated("a client has no link to a server though all is well");
  world.run_for(100ms);
  seen.expect_success();
  for (auto& each : nodes.clients)
    for (auto& actor : world.find(each)->callers)
      caf::anon_send(actor, flood{6000});
  world.run_for(3s);
  seen.check_closed();
  for (auto& client : nodes.clients)
    for (auto& server : nodes.servers) {
      auto session = seen.open_session_of(client, server);
      if (session == 0 || seen.at(session).answered < 10)
        world.violated(client + " gets no answers of " + server + " though all is well");
    }
}

} // namespace

uint64_t requests_through_chaos(uint64_t seed, std::vector<std::string>& violations) {
  sim_world world(seed);
  ledger seen(world);
  cast nodes;
  for (uint64_t i = 0; i < 1 + world.time.random.below(2); ++i)
    nodes.servers.push_back("server-" + std::to_string(i));
  for (uint64_t i = 0; i < 1 + world.time.random.below(2); ++i)
    nodes.clients.push_back("client-" + std::to_string(i));
  for (auto& each : nodes.servers)
    world.add(each, [&](sim_node& node) { boot_server(node, seen); });
  for (auto& each : nodes.clients)
    world.add(each, [&](sim_node& node) { boot_client(node, seen, nodes.servers); });
  for (auto& each : world.names())
    world.start(each);

  nemesis chaos(world, world.names());
  chaos.run(5s);
  demand_liveness(world, seen, nodes);
  if (threads_of_process() != 1)
    world.violated("something started a thread");
  for (auto& each : world.names())
    world.crash(each, false);
  violations.insert(violations.end(), world.violations().begin(), world.violations().end());
  return world.hash();
}

} // namespace troupe::testing
