// ZeroMQ without actors: bare sockets with CURVE, a FlatBuffers frame built and verified at both
// ends.
#include "runtime/protocol/messages.hpp"
#include "tests/bench/rounds.hpp"

#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cstdlib>
#include <fstream>

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

void set_server_key(void* socket, const std::string& directory) {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  zmq_curve_keypair(open.data(), secret.data());
  int yes = 1;
  zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof(yes));
  zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret.data(), secret.size());
  std::ofstream{directory + "/public"} << open.data();
}

void set_client_key(void* socket, const std::string& directory) {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  zmq_curve_keypair(open.data(), secret.data());
  std::string server;
  std::ifstream{directory + "/public"} >> server;
  zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, open.data(), open.size());
  zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret.data(), secret.size());
  zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server.c_str(), server.size() + 1);
}

// A message with a body of so many bytes; one way when its sequence is 0.
void send_message(void* socket, flatbuffers::FlatBufferBuilder& builder, uint64_t sequence,
                  size_t bytes) {
  builder.Clear();
  ping_msg ping;
  ping.sequence = sequence;
  ping.body.assign(bytes, 7);
  builder.Finish(ping::Pack(builder, &ping));
  zmq_send(socket, builder.GetBufferPointer(), builder.GetSize(), 0);
}

ping_msg unpack(zmq_msg_t& message) {
  auto* bytes = static_cast<const uint8_t*>(zmq_msg_data(&message));
  flatbuffers::Verifier verifier{bytes, zmq_msg_size(&message)};
  if (!verifier.VerifyBuffer<ping>(nullptr))
    std::abort();
  ping_msg got;
  flatbuffers::GetRoot<ping>(bytes)->UnPackTo(&got);
  return got;
}

void serve(const std::string& directory, int ready) {
  auto* context = zmq_ctx_new();
  auto* socket = zmq_socket(context, ZMQ_ROUTER);
  set_server_key(socket, directory);
  if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0)
    std::abort();
  std::array<char, 128> endpoint{};
  size_t size = endpoint.size();
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint.data(), &size);
  std::ofstream{directory + "/where"} << endpoint.data();
  [[maybe_unused]] auto n = ::write(ready, "\n", 1);
  flatbuffers::FlatBufferBuilder builder;
  for (;;) {
    zmq_msg_t from;
    zmq_msg_t body;
    zmq_msg_init(&from);
    zmq_msg_init(&body);
    zmq_msg_recv(&from, socket, 0);
    zmq_msg_recv(&body, socket, 0);
    auto got = unpack(body);
    if (got.sequence != 0) {
      zmq_msg_send(&from, socket, ZMQ_SNDMORE);
      send_message(socket, builder, got.sequence, got.body.size());
    }
    zmq_msg_close(&from);
    zmq_msg_close(&body);
  }
}

void receive(void* socket) {
  zmq_msg_t body;
  zmq_msg_init(&body);
  zmq_msg_recv(&body, socket, 0);
  unpack(body);
  zmq_msg_close(&body);
}

sample measure(const std::string& directory) {
  auto* context = zmq_ctx_new();
  auto* socket = zmq_socket(context, ZMQ_DEALER);
  set_client_key(socket, directory);
  std::string endpoint;
  std::getline(std::ifstream{directory + "/where"}, endpoint);
  zmq_connect(socket, endpoint.c_str());
  flatbuffers::FlatBufferBuilder builder;
  sample got;
  std::vector<double> times;
  for (int i = 0; i < asks + asks / 10; ++i) {
    auto start = clock::now();
    send_message(socket, builder, 1, 64);
    receive(socket);
    if (i >= asks / 10)
      times.push_back(seconds_since(start) * 1e6);
  }
  got.ask_rtt_us = median(std::move(times));
  auto start = clock::now();
  for (int i = 0; i < notes; ++i) {
    send_message(socket, builder, 0, 64);
    if (i % 2000 == 1999) {
      send_message(socket, builder, 1, 8);
      receive(socket);
    }
  }
  got.one_way_per_s = notes / seconds_since(start);
  start = clock::now();
  for (int sent = 0, done = 0; done < echoes; ++done) {
    for (; sent < echoes && sent - done < echo_window; ++sent)
      send_message(socket, builder, 1, 64 << 10);
    receive(socket);
  }
  got.echo_64k_per_s = echoes / seconds_since(start);
  int linger = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
  zmq_close(socket);
  zmq_ctx_term(context);
  return got;
}

} // namespace

contender bare_zmq() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  auto version = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  return {"ZeroMQ, bare sockets with CURVE", version, serve, measure};
}

} // namespace troupe::bench
