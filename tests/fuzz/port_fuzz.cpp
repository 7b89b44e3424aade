// Real ports under attack: a listener of each transport with an echo actor behind it, hostile
// clients with raw sockets, and one client that behaves.
#include "runtime/base/log.hpp"
#include "runtime/framing.hpp"
#include "runtime/keys.hpp"
#include "runtime/zmq_socket.hpp"
#include "runtime/zmq_transport.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/random_frame.hpp"
#include "tests/support/two_nodes.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <deque>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

using echo = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>>;

echo::behavior_type echo_actor(echo::pointer) {
  return {[](const ping_msg& in) {
    pong_msg out;
    out.sequence = in.sequence;
    return out;
  }};
}

size_t open_files() {
  std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

// A connected socket that closes itself.
class raw_socket {
public:
  raw_socket(int family, const sockaddr* address, socklen_t size)
    : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    connected_ = ::connect(fd_, address, size) == 0;
  }
  raw_socket(raw_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  raw_socket& operator=(raw_socket&&) = delete;
  ~raw_socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  bool connected() const { return connected_; }

  // What the other side takes of it.
  void say(const byte_vector& bytes) const {
    size_t at = 0;
    while (at < bytes.size()) {
      auto n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0)
        return;
      at += static_cast<size_t>(n);
    }
  }

private:
  int fd_;
  bool connected_ = false;
};

void append_frame(byte_vector& to, const byte_vector& frame) {
  if (frame.empty() || frame.size() > limits::frame_size_max)
    return;
  std::vector<std::byte> stream;
  framing::append(stream, std::as_bytes(std::span{frame}));
  auto* begin = reinterpret_cast<const uint8_t*>(stream.data());
  to.insert(to.end(), begin, begin + stream.size());
}

byte_vector hello_of(const std::string& name) {
  hello_msg said;
  said.name = name;
  said.node = node_named(name).value;
  said.incarnation = 1;
  said.protocol = 1;
  envelope_head head;
  head.sequence = 1;
  head.incarnation = 1;
  flatbuffers::FlatBufferBuilder builder;
  auto frame = seal(builder, head, codec_of<hello_msg>, caf::make_message(said));
  auto* begin = reinterpret_cast<const uint8_t*>(frame.data());
  return {begin, begin + frame.size()};
}

// Frames in a stream: mostly good ones, damaged, cut off, or with a hostile length.
byte_vector hostile_stream(const std::string& name, random_source& random) {
  byte_vector out;
  auto before = hello_of(name);
  if (random.chance(0.7))
    append_frame(out, before);
  for (auto n = random.below(8); n > 0; --n) {
    auto kind = static_cast<payload>(1 + random.below(static_cast<uint64_t>(payload::MAX)));
    auto frame = random_frame(kind, random);
    if (random.chance(0.5))
      mutate_flatbuffer(frame, before, random);
    append_frame(out, frame);
    before = std::move(frame);
  }
  if (random.chance(0.3))
    mutate(out, before, random);
  return out;
}

byte_vector garbage(random_source& random) {
  byte_vector out(random.below(random.chance(0.1) ? 200'000 : 200));
  for (auto& each : out)
    each = static_cast<uint8_t>(random.next());
  return out;
}

// A server and a client that behaves, over one kind of transport.
class FuzzPort : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }

  void TearDown() override {
    held.clear();
    client.reset();
    server.reset();
    log::set_level(log::level::info);
  }

  void start(const std::string& endpoint, std::unique_ptr<transport> serving,
             std::unique_ptr<transport> asking) {
    server = std::make_unique<test_node>("master", incarnation{1}, 30s, std::move(serving));
    client = std::make_unique<test_node>("node-1", incarnation{1}, 30s, std::move(asking));
    auto actor = server->system.spawn(echo_actor);
    server->owned.push_back(caf::actor_cast<caf::actor>(actor));
    server->link.publish<echo>("echo", actor);
    auto listening = server->carrier->listen(endpoint);
    ASSERT_TRUE(listening) << listening.error().text;
    where = *listening;
    ASSERT_TRUE(client->link.dial(*client->carrier, where));
    ASSERT_TRUE(client->seen.wait_for("up master", 30s));
    ASSERT_TRUE(answers());
    files = open_files();
  }

  // Whether the client that behaves gets its answer.
  bool answers() {
    auto remote = client->link.proxy<echo>(node_named("master"), "echo", {30s});
    caf::scoped_actor self{client->system};
    ping_msg ping;
    ping.sequence = ++asked;
    bool right = false;
    self->request(remote, 60s, ping)
      .receive([&](const pong_msg& out) { right = out.sequence == asked; }, [](caf::error&) {});
    return right;
  }

  // Says something over a new connection, which stays open for a while or is closed at once.
  void attack(const sockaddr* address, socklen_t size, const byte_vector& what,
              random_source& random) {
    raw_socket made{address->sa_family, address, size};
    ASSERT_TRUE(made.connected());
    made.say(what);
    if (random.chance(0.4))
      held.push_back(std::move(made));
    if (held.size() > 30)
      held.pop_front();
    if (random.chance(0.02)) { // a storm
      for (int i = 0; i < 100; ++i)
        ASSERT_TRUE((raw_socket{address->sa_family, address, size}.connected()));
    }
    ASSERT_TRUE(answers());
  }

  // Once the hostile clients are gone, so is everything that was opened for them.
  void expect_clean() {
    held.clear();
    auto until = std::chrono::steady_clock::now() + 60s;
    while (open_files() != files && std::chrono::steady_clock::now() < until)
      ASSERT_TRUE(answers());
    EXPECT_EQ(open_files(), files);
  }

  scratch_directory scratch;
  std::unique_ptr<test_node> server;
  std::unique_ptr<test_node> client;
  std::string where;
  std::deque<raw_socket> held;
  size_t files = 0;
  uint64_t asked = 0;
};

TEST_F(FuzzPort, Local) {
  auto path = scratch.path + "/server.sock";
  ASSERT_NO_FATAL_FAILURE(start("local:" + path, make_local_transport(), make_local_transport()));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  fuzz("Local", 300, [&](random_source& random) {
    auto what = random.chance(0.7) ? hostile_stream("evil", random) : garbage(random);
    attack(reinterpret_cast<const sockaddr*>(&address), sizeof address, what, random);
  });
  expect_clean();
}

// What a client of ZeroMQ with CURVE says first, whole or in part, and what never comes after it.
byte_vector hostile_handshake(random_source& random) {
  byte_vector out{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};
  out.resize(64);
  if (random.chance(0.7)) {
    byte_vector first{4, 200, 5, 'H', 'E', 'L', 'L', 'O', 1, 0};
    first.resize(202);
    for (size_t i = 82; i < first.size(); ++i)
      first[i] = static_cast<uint8_t>(random.next());
    out.insert(out.end(), first.begin(), first.end());
  }
  if (random.chance(0.5))
    mutate(out, garbage(random), random);
  return out;
}

class FuzzZmqPort : public FuzzPort {
protected:
  void SetUp() override {
    FuzzPort::SetUp();
    for (const auto* name : {"master", "node-1", "evil", "stranger"})
      ASSERT_TRUE(make_keys(scratch.path, name));
    std::filesystem::remove(scratch.path + "/keys/authorized/stranger.public");
    ASSERT_NO_FATAL_FAILURE(start("tcp://127.0.0.1:0", make("master"), make("node-1")));
  }

  std::unique_ptr<transport> make(const std::string& key) {
    return make_zmq_transport({scratch.path, key, "master"});
  }

  // A peer that speaks ZeroMQ with a key, and sends what it likes.
  void attack_inside(const std::string& key, random_source& random) {
    zeromq::context context;
    auto socket = zeromq::make_dealer(context, *load_keys(scratch.path, key),
                                      *load_public_key(scratch.path, "master"));
    ASSERT_TRUE(socket && socket->connect(where));
    if (random.chance(0.9))
      socket->send({});
    for (auto n = random.below(4); n > 0; --n) {
      auto what = random.chance(0.7) ? hostile_stream(key, random) : garbage(random);
      socket->send(std::as_bytes(std::span{what}), random.chance(0.1));
    }
    ASSERT_TRUE(answers());
  }
};

TEST_F(FuzzZmqPort, Tcp) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(where.substr(where.rfind(':') + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fuzz("Tcp", 300, [&](random_source& random) {
    if (random.chance(0.1))
      return attack_inside(random.chance(0.3) ? "stranger" : "evil", random);
    auto what = random.chance(0.6)   ? hostile_handshake(random)
                : random.chance(0.5) ? hostile_stream("evil", random)
                                     : garbage(random);
    attack(reinterpret_cast<const sockaddr*>(&address), sizeof address, what, random);
  });
  expect_clean();

  EXPECT_FALSE(server->seen.wait_for("up stranger", 0s)) << "its key is not in the list";
}

} // namespace
} // namespace troupe::testing
