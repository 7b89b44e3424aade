#include "runtime/base/limits.hpp"
#include "runtime/framing.hpp"
#include "runtime/keys.hpp"
#include "runtime/outbox.hpp"
#include "runtime/zmq_socket.hpp"
#include "runtime/zmq_transport.hpp"
#include "tests/support/scratch_directory.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

namespace troupe {
namespace {

using bytes = std::vector<std::byte>;

constexpr auto patience = std::chrono::seconds{30};

bytes numbered(uint64_t number, size_t size) {
  bytes frame(size, static_cast<std::byte>(number * 7));
  std::memcpy(frame.data(), &number, sizeof number);
  return frame;
}

// Records what it is told, and checks the contract: up once, frames, down once.
class recorder final : public transport_receiver {
public:
  void on_link_up(link_id link, bool accepted, const std::string& principal) override {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(ups.emplace(link, principal).second);
    if (accepted)
      accepted_link = link;
    changed.notify_all();
  }

  void on_frame(link_id link, frame_view frame, bool) override {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(ups.contains(link));
    EXPECT_FALSE(downs.contains(link));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(frame.data()) % 8, 0u);
    uint64_t number = 0;
    if (frame.size() >= sizeof number)
      std::memcpy(&number, frame.data(), sizeof number);
    auto expected = numbered(number, std::max(frame.size(), sizeof number));
    whole = whole && frame.size() >= sizeof number
            && std::memcmp(frame.data(), expected.data(), frame.size()) == 0;
    in_order = in_order && number == frames[link];
    ++frames[link];
    ++calls;
    changed.notify_all();
    changed.wait(lock, [&] { return !held; });
  }

  void on_link_down(link_id link, const error& reason) override {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(downs.emplace(link, reason.code).second) << reason.text;
    changed.notify_all();
  }

  template <class Condition>
  [[nodiscard]] bool wait(Condition condition) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, patience, condition);
  }

  [[nodiscard]] bool wait_up(link_id link) {
    return wait([&] { return ups.contains(link); });
  }
  [[nodiscard]] bool wait_down(link_id link, errc code) {
    return wait([&] { return downs.contains(link); }) && downs.at(link) == code;
  }
  // The newest link that was accepted, once there have been `count`.
  [[nodiscard]] link_id wait_accepted(size_t count = 1) {
    return wait([&] { return ups.size() >= count; }) ? accepted_link : link_id{};
  }

  void hold(bool on) {
    std::lock_guard lock{mutex};
    held = on;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<link_id, std::string> ups;
  std::map<link_id, errc> downs;
  std::map<link_id, uint64_t> frames;
  link_id accepted_link;
  uint64_t calls = 0;
  std::atomic<bool> whole = true;
  std::atomic<bool> in_order = true;
  bool held = false;
};

class ZmqTransport : public ::testing::Test {
protected:
  ZmqTransport() {
    for (const auto* name : {"master", "node-1", "stranger"})
      EXPECT_TRUE(make_keys(directory, name));
    std::filesystem::remove(directory + "/keys/authorized/stranger.public");
    server = make("master");
    client = make("node-1");
    EXPECT_TRUE(server->start(at_server));
    EXPECT_TRUE(client->start(at_client));
    endpoint = *server->listen("tcp://127.0.0.1:0");
  }

  ~ZmqTransport() override {
    client.reset();
    server.reset();
  }

  std::unique_ptr<transport> make(const std::string& key) {
    return make_zmq_transport({directory, key, "master"});
  }

  // A link between the two, as the client sees it.
  link_id linked(size_t count = 1) {
    auto link = *client->connect(endpoint);
    EXPECT_TRUE(at_client.wait_up(link));
    EXPECT_TRUE(at_server.wait_accepted(count));
    return link;
  }

  // Sends and waits where the bound is reached.
  static void send_all(transport& from, link_id link, uint64_t count, size_t size) {
    for (uint64_t i = 0; i < count; ++i) {
      auto frame = numbered(i, size + i % 50);
      auto sent = from.send(link, frame, urgency::soon);
      while (!sent && sent.error().code == errc::queue_full) {
        std::this_thread::yield();
        sent = from.send(link, frame, urgency::soon);
      }
      ASSERT_TRUE(sent) << sent.error().text;
    }
  }

  // A peer with a valid key that speaks ZeroMQ, but not as it should. Answers how its link ended.
  errc after_raw(const std::vector<bytes>& messages) {
    zeromq::context context;
    auto socket = zeromq::make_dealer(context, *load_keys(directory, "node-1"),
                                      *load_public_key(directory, "master"));
    EXPECT_TRUE(socket && socket->connect(endpoint));
    auto before = at_server.downs.size();
    auto links = at_server.ups.size();
    EXPECT_EQ(socket->send({}), zeromq::sent::yes);
    EXPECT_TRUE(at_server.wait_accepted(links + 1));
    for (const auto& each : messages)
      EXPECT_EQ(socket->send(each), zeromq::sent::yes);
    EXPECT_TRUE(at_server.wait([&] { return at_server.downs.size() > before; }));
    std::lock_guard lock{at_server.mutex};
    return at_server.downs.empty() ? errc::ok : at_server.downs.rbegin()->second;
  }

  scratch_directory scratch;
  const std::string& directory = scratch.path;
  recorder at_server;
  recorder at_client;
  std::unique_ptr<transport> server;
  std::unique_ptr<transport> client;
  std::string endpoint;
};

TEST_F(ZmqTransport, CarriesFramesBothWaysAndProvesWhoIsThere) {
  auto link = linked();
  EXPECT_EQ(at_client.ups.at(link), "key:master");
  EXPECT_EQ(at_server.ups.at(at_server.accepted_link), "key:node-1");
  ASSERT_TRUE(client->send(link, numbered(0, 100), urgency::now));
  ASSERT_TRUE(at_server.wait([&] { return at_server.calls == 1; }));
  ASSERT_TRUE(server->send(at_server.accepted_link, numbered(0, 8), urgency::now));
  ASSERT_TRUE(at_client.wait([&] { return at_client.calls == 1; }));
  ASSERT_TRUE(client->send(link, numbered(1, limits::frame_size_max), urgency::now));
  ASSERT_TRUE(at_server.wait([&] { return at_server.calls == 2; }));
  EXPECT_TRUE(at_server.whole && at_client.whole);
}

TEST_F(ZmqTransport, KeepsTheOrderOfManyFramesInBothDirections) {
  constexpr uint64_t count = 100'000;
  auto link = linked();
  std::thread there{[&] { send_all(*client, link, count, 64); }};
  send_all(*server, at_server.accepted_link, count, 80);
  there.join();
  EXPECT_TRUE(at_server.wait([&] { return at_server.calls == count; }));
  EXPECT_TRUE(at_client.wait([&] { return at_client.calls == count; }));
  EXPECT_TRUE(at_server.whole && at_server.in_order);
  EXPECT_TRUE(at_client.whole && at_client.in_order);
}

TEST_F(ZmqTransport, AKeyThatIsNotInTheListIsRefusedUntilItIs) {
  auto stranger = make("stranger");
  recorder at_stranger;
  ASSERT_TRUE(stranger->start(at_stranger));
  auto refused = *stranger->connect(endpoint);
  EXPECT_TRUE(at_stranger.wait_down(refused, errc::refused));
  EXPECT_TRUE(at_server.ups.empty());

  // make_keys puts the public half back.
  EXPECT_FALSE(make_keys(directory, "stranger"));
  EXPECT_TRUE(at_stranger.wait_up(*stranger->connect(endpoint)));
  auto seen = at_server.wait_accepted();
  ASSERT_TRUE(seen);
  EXPECT_EQ(at_server.ups.at(seen), "key:stranger");

  std::filesystem::remove(directory + "/keys/authorized/stranger.public");
  EXPECT_TRUE(at_stranger.wait_down(*stranger->connect(endpoint), errc::refused));
}

TEST_F(ZmqTransport, AServerWithoutTheExpectedKeyIsNotBelieved) {
  auto other = make_zmq_transport({directory, "master", "node-1"});
  recorder at_other;
  ASSERT_TRUE(other->start(at_other));
  auto link = *other->connect(endpoint);
  ASSERT_TRUE(at_other.wait([&] { return at_other.downs.contains(link); }));
  EXPECT_TRUE(at_other.ups.empty());
  EXPECT_TRUE(at_server.ups.empty());
}

TEST_F(ZmqTransport, BytesThatAreNoZeroMqLeaveItUp) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port
    = htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A plain greeting without CURVE, then things that are no greeting at all.
  std::string plain("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  plain.resize(64);
  for (const auto& text : {plain, std::string(4096, '\xff'), std::string(4096, '\0'),
                           std::string("GET / HTTP/1.0\r\n\r\n")}) {
    int raw = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(raw, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_GT(::send(raw, text.data(), text.size(), MSG_NOSIGNAL), 0);
    ::close(raw);
  }
  auto link = linked();
  ASSERT_TRUE(client->send(link, numbered(0, 8), urgency::now));
  EXPECT_TRUE(at_server.wait([&] { return at_server.calls == 1; }));
}

TEST_F(ZmqTransport, WhatIsNoBatchEndsThatLinkOnly) {
  auto link = linked();
  auto good = numbered(0, 16);
  bytes batch;
  framing::append(batch, good);
  bytes torn(batch.begin(), batch.end() - 8);
  framing::header big{limits::frame_size_max + 1, framing::magic};
  bytes oversize(64);
  std::memcpy(oversize.data(), &big, sizeof big);
  EXPECT_EQ(after_raw({bytes(24, std::byte{0xff})}), errc::corrupt);
  EXPECT_EQ(after_raw({bytes(3)}), errc::corrupt);
  EXPECT_EQ(after_raw({batch, torn, batch}), errc::corrupt);
  EXPECT_EQ(after_raw({oversize}), errc::corrupt);
  EXPECT_EQ(after_raw({bytes(limits::frame_size_max + 4096)}), errc::node_lost);
  EXPECT_EQ(after_raw({bytes{}}), errc::node_lost) << "it said bye";
  {
    zeromq::context context; // no greeting: it never becomes a link
    auto rude = zeromq::make_dealer(context, *load_keys(directory, "node-1"),
                                    *load_public_key(directory, "master"));
    ASSERT_TRUE(rude && rude->connect(endpoint));
    EXPECT_EQ(rude->send(batch), zeromq::sent::yes);
    zeromq::poll(-1, std::vector{&*rude}, 30'000);
    zeromq::message answer;
    EXPECT_TRUE(rude->receive(answer));
    EXPECT_TRUE(answer.bytes().empty());
  }
  EXPECT_EQ(at_server.ups.size(), 7u);
  ASSERT_TRUE(client->send(link, numbered(0, 8), urgency::now));
  EXPECT_TRUE(at_server.wait([&] { return at_server.frames[link_id{1}] == 1; }));
  EXPECT_TRUE(at_client.downs.empty());
}

TEST_F(ZmqTransport, AStoppedServerEndsTheLinkAndANewOneIsReached) {
  auto link = linked();
  server->stop();
  EXPECT_TRUE(at_client.wait_down(link, errc::node_lost));
  EXPECT_EQ(client->send(link, numbered(0, 8), urgency::now).error().code, errc::node_lost);
  server.reset();
  EXPECT_TRUE(at_client.wait_down(*client->connect(endpoint), errc::unavailable));

  recorder at_next;
  server = make("master");
  ASSERT_TRUE(server->start(at_next));
  ASSERT_TRUE(server->listen(endpoint));
  auto again = *client->connect(endpoint);
  ASSERT_TRUE(at_client.wait_up(again));
  ASSERT_TRUE(client->send(again, numbered(0, 8), urgency::now));
  EXPECT_TRUE(at_next.wait([&] { return at_next.calls == 1; }));
  server.reset();
}

TEST_F(ZmqTransport, EitherSideCloses) {
  auto first = linked();
  auto seen = at_server.accepted_link;
  ASSERT_TRUE(client->send(first, numbered(0, 8), urgency::soon));
  client->close(first);
  EXPECT_TRUE(at_client.wait_down(first, errc::aborted));
  EXPECT_TRUE(at_server.wait_down(seen, errc::node_lost));
  EXPECT_EQ(at_server.frames[seen], 1u) << "sent before the close";

  auto second = linked(2);
  seen = at_server.accepted_link;
  ASSERT_TRUE(server->send(seen, numbered(0, 8), urgency::soon));
  server->close(seen);
  EXPECT_TRUE(at_server.wait_down(seen, errc::aborted));
  EXPECT_TRUE(at_client.wait_down(second, errc::node_lost));
  EXPECT_EQ(at_client.frames[second], 1u);
}

TEST_F(ZmqTransport, APeerThatVanishesIsNoticed) {
  {
    zeromq::context context;
    auto socket = zeromq::make_dealer(context, *load_keys(directory, "node-1"),
                                      *load_public_key(directory, "master"));
    ASSERT_TRUE(socket && socket->connect(endpoint));
    ASSERT_EQ(socket->send({}), zeromq::sent::yes);
    ASSERT_TRUE(at_server.wait_accepted());
  }
  EXPECT_TRUE(at_server.wait_down(at_server.accepted_link, errc::node_lost));
}

TEST_F(ZmqTransport, ThePeerThatDoesNotReadFillsTheBound) {
  auto link = linked();
  at_server.hold(true);
  auto frame = numbered(0, limits::frame_size_max);
  uint64_t sent = 0;
  result<void> outcome;
  for (; outcome && sent < 1000; ++sent) {
    std::memcpy(frame.data(), &sent, sizeof sent);
    frame = numbered(sent, frame.size());
    outcome = client->send(link, frame, urgency::soon);
  }
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, errc::queue_full);
  at_server.hold(false);
  EXPECT_TRUE(at_server.wait([&] { return at_server.calls == sent - 1; }));
  EXPECT_TRUE(at_server.whole && at_server.in_order);
}

TEST_F(ZmqTransport, StopEndsTheCalls) {
  auto link = linked();
  std::thread sender{[&] {
    while (client->send(link, numbered(0, 64), urgency::now) || at_client.downs.empty())
      std::this_thread::yield();
  }};
  ASSERT_TRUE(at_server.wait([&] { return at_server.calls > 10; }));
  server->stop();
  uint64_t calls = 0;
  {
    std::lock_guard lock{at_server.mutex};
    calls = at_server.calls;
  }
  EXPECT_TRUE(at_client.wait_down(link, errc::node_lost));
  sender.join();
  EXPECT_EQ(at_server.calls, calls);
  EXPECT_TRUE(at_server.downs.empty());
  server->stop();
}

TEST_F(ZmqTransport, WhatCannotWorkIsToldAtOnce) {
  auto nobody = make("nobody");
  EXPECT_EQ(nobody->start(at_client).error().code, errc::not_found);
  EXPECT_EQ(nobody->connect(endpoint).error().code, errc::unavailable);
  EXPECT_EQ(client->connect("no endpoint").error().code, errc::io);
  EXPECT_EQ(server->listen(endpoint).error().code, errc::already_exists);
  EXPECT_EQ(client->listen(endpoint).error().code, errc::io) << "the port is taken";
  auto link = linked();
  EXPECT_EQ(client->send(link, {}, urgency::now).error().code, errc::invalid);
  EXPECT_EQ(client->send(link, bytes(limits::frame_size_max + 1), urgency::now).error().code,
            errc::invalid);
  EXPECT_EQ(client->send(link_id{999}, bytes(8), urgency::now).error().code, errc::node_lost);
}

TEST(Outboxes, JoinFramesIntoBatches) {
  outboxes boxes;
  link_id link{1};
  ASSERT_TRUE(boxes.open(link));
  EXPECT_TRUE(*boxes.push(link, bytes(1000)));
  for (int i = 0; i < 99; ++i)
    EXPECT_FALSE(*boxes.push(link, bytes(1000))) << "the sending thread knows already";
  EXPECT_EQ(boxes.take_ready(), std::vector{link});
  auto first = boxes.pop(link);
  auto second = boxes.pop(link);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->size(), 65u * 1008);
  EXPECT_EQ(second->size(), 35u * 1008);
  EXPECT_FALSE(boxes.pop(link));
  EXPECT_TRUE(*boxes.push(link, bytes(8)));
  boxes.close(link);
  EXPECT_EQ(boxes.push(link, bytes(8)).error().code, errc::node_lost);
}

TEST(Outboxes, HaveABoundOnLinks) {
  outboxes boxes;
  for (uint64_t i = 1; i <= limits::links_max; ++i)
    ASSERT_TRUE(boxes.open(link_id{i}));
  EXPECT_FALSE(boxes.open(link_id{limits::links_max + 1}));
}

} // namespace
} // namespace troupe
