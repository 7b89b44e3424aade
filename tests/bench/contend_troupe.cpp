// Troupe as it is used: typed actors, the bridge, and one of its two transports.
#include "runtime/actor_error.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/bridge.hpp"
#include "runtime/keys.hpp"
#include "runtime/local_transport.hpp"
#include "runtime/zmq_transport.hpp"
#include "tests/bench/asker.hpp"

#include <caf/all.hpp>
#include <poll.h>
#include <unistd.h>

#include <fstream>

namespace troupe::bench {

namespace {

using echo = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>, caf::reacts_to<note_msg>>;

using clock = std::chrono::steady_clock;

echo::behavior_type echo_actor(echo::pointer) {
  return {[](ping_msg& in) {
            pong_msg out;
            out.sequence = in.sequence;
            out.body = std::move(in.body);
            return out;
          },
          [](const note_msg&) {}};
}

auto pings(const echo& to, size_t bytes) {
  return [to, bytes](caf::event_based_actor* self) {
    ping_msg ping;
    ping.body.assign(bytes, 7);
    return self->request(to, std::chrono::seconds(20), std::move(ping));
  };
}

struct side {
  side(bool remote, const std::string& directory, const std::string& name, peer_events events)
    : system(with_threads(config, 1)),
      carrier(remote ? make_zmq_transport({directory, name == "server" ? "master" : "user"})
                     : make_local_transport()),
      link(system, options(remote ? (name == "server" ? "master" : "user") : name),
           std::move(events)) {
    if (auto attached = link.attach(*carrier); !attached) {
      std::fprintf(stderr, "messaging: %s\n", attached.error().text.c_str());
      std::abort();
    }
  }

  static bridge_options options(const std::string& name) {
    bridge_options made;
    made.name = name;
    made.silence_max = std::chrono::seconds(10);
    return made;
  }

  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> carrier;
  bridge link;
};

std::string server_name(bool remote) {
  return remote ? "master" : "server";
}

void serve(bool remote, const std::string& directory, int ready) {
  if (remote)
    for (auto* name : {"master", "user"})
      [[maybe_unused]] auto made = make_keys(directory, name);
  side here{remote, directory, "server", {}};
  auto actor = here.system.spawn(echo_actor);
  here.link.publish<echo>("echo", actor, run_on::receiver);
  auto endpoint
    = here.carrier->listen(remote ? "tcp://127.0.0.1:0" : "local:" + directory + "/bench.sock");
  if (!endpoint) {
    std::fprintf(stderr, "messaging: %s\n", endpoint.error().text.c_str());
    std::abort();
  }
  std::ofstream{directory + "/where"} << *endpoint;
  [[maybe_unused]] auto n = ::write(ready, "\n", 1);
  ::pause();
}

sample measure(bool remote, const std::string& directory) {
  std::promise<void> up;
  peer_events events;
  events.up = [&](const peer&) { up.set_value(); };
  side here{remote, directory, "client", std::move(events)};
  std::string endpoint;
  std::getline(std::ifstream{directory + "/where"}, endpoint);
  if (auto made = here.link.dial(*here.carrier, endpoint); !made)
    std::abort();
  up.get_future().wait();
  auto to = here.link.proxy<echo>(node_named(server_name(remote)), "echo",
                                  {std::chrono::seconds(20), run_on::receiver});
  sample got;
  ask<pong_msg>(here.system, asks / 10, 1, pings(to, 64));
  got.ask_rtt_us = median(ask<pong_msg>(here.system, asks, 1, pings(to, 64)));
  caf::scoped_actor self{here.system};
  auto start = clock::now();
  for (int sent = 0; sent < notes; ++sent) {
    note_msg note;
    note.body.assign(64, 7);
    self->send(to, std::move(note));
    // A request waits behind the notes: its answer says that they were handled.
    if (sent % 2000 == 1999)
      ask<pong_msg>(here.system, 1, 1, pings(to, 8));
  }
  got.one_way_per_s = notes / seconds_since(start);
  start = clock::now();
  ask<pong_msg>(here.system, echoes, echo_window, pings(to, 64 << 10));
  got.echo_64k_per_s = echoes / seconds_since(start);
  here.link.stop();
  return got;
}

contender troupe_over(bool remote) {
  return {remote ? "troupe over ZeroMQ with CURVE" : "troupe over its local transport", "0.1.0",
          [remote](const std::string& directory, int ready) { serve(remote, directory, ready); },
          [remote](const std::string& directory) { return measure(remote, directory); }};
}

} // namespace

contender troupe_local() {
  return troupe_over(false);
}
contender troupe_zmq() {
  return troupe_over(true);
}

} // namespace troupe::bench
