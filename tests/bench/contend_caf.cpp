// CAF's own remote actors at their better setting (sharing scheduler, no deserialization workers),
// over mutual TLS, with the payload as a string, which it serializes fastest.
#include "tests/bench/asker.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace troupe::bench {

namespace {

using ping_word = caf::atom_constant<caf::atom("ping")>;
using note_word = caf::atom_constant<caf::atom("note")>;
using echo
  = caf::typed_actor<caf::replies_to<ping_word, uint64_t, std::string>::with<uint64_t, std::string>,
                     caf::reacts_to<note_word, uint64_t, std::string>>;

using clock = std::chrono::steady_clock;

caf::actor_system_config& configured(caf::actor_system_config& c, const std::string& directory) {
  c.load<caf::io::middleman>();
  c.load<caf::openssl::manager>();
  c.set("scheduler.policy", caf::atom("sharing"));
  c.set("middleman.workers", size_t{0});
  c.openssl_certificate = directory + "/cert.pem";
  c.openssl_key = directory + "/key.pem";
  c.openssl_cafile = directory + "/cert.pem";
  return c;
}

echo::behavior_type echo_actor(echo::pointer) {
  return {[](ping_word, uint64_t sequence, std::string& body) {
            return std::make_tuple(sequence, std::move(body));
          },
          [](note_word, uint64_t, const std::string&) {}};
}

auto pings(const echo& to, size_t bytes) {
  return [to, bytes](caf::event_based_actor* self) {
    return self->request(to, std::chrono::seconds(20), ping_word::value, uint64_t{1},
                         std::string(bytes, 'x'));
  };
}

void serve(const std::string& directory, int ready) {
  auto make_keys = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bench -keyout '"
                   + directory + "/key.pem' -out '" + directory + "/cert.pem' 2>/dev/null";
  if (std::system(make_keys.c_str()) != 0)
    std::abort();
  caf::actor_system_config config;
  caf::actor_system system{configured(config, directory)};
  auto actor = system.spawn(echo_actor);
  auto port = caf::openssl::publish(actor, 0, "127.0.0.1");
  if (!port)
    std::abort();
  std::ofstream{directory + "/where"} << *port;
  [[maybe_unused]] auto n = ::write(ready, "\n", 1);
  ::pause();
}

sample measure(const std::string& directory) {
  caf::actor_system_config config;
  caf::actor_system system{configured(config, directory)};
  uint16_t port = 0;
  std::ifstream{directory + "/where"} >> port;
  auto found = caf::openssl::remote_actor<echo>(system, "127.0.0.1", port);
  if (!found)
    std::abort();
  auto to = *found;
  sample got;
  ask<uint64_t, std::string>(system, asks / 10, 1, pings(to, 64));
  got.ask_rtt_us = median(ask<uint64_t, std::string>(system, asks, 1, pings(to, 64)));
  caf::scoped_actor self{system};
  auto start = clock::now();
  for (int sent = 0; sent < notes; ++sent) {
    self->send(to, note_word::value, uint64_t{1}, std::string(64, 'x'));
    if (sent % 2000 == 1999)
      ask<uint64_t, std::string>(system, 1, 1, pings(to, 8));
  }
  got.one_way_per_s = notes / seconds_since(start);
  start = clock::now();
  ask<uint64_t, std::string>(system, echoes, echo_window, pings(to, 64 << 10));
  got.echo_64k_per_s = echoes / seconds_since(start);
  return got;
}

} // namespace

contender caf_remote() {
  return {"CAF remote actors over TLS", "0.17.6", serve, measure};
}

} // namespace troupe::bench
