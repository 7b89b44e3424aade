#include "runtime/base/limits.hpp"
#include "tests/support/two_nodes.hpp"

#include <atomic>

namespace troupe {
namespace {

using namespace std::chrono_literals;

using echo = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>, caf::reacts_to<note_msg>>;

// What the echo actor has seen, for the test to look at.
struct ledger {
  std::atomic<uint64_t> notes = 0;
  std::atomic<bool> in_order = true;
};

echo::behavior_type echo_actor(echo::pointer self, std::shared_ptr<ledger> seen) {
  auto silent = std::make_shared<std::vector<caf::typed_response_promise<pong_msg>>>();
  return {[self, silent](const ping_msg& in) -> caf::result<pong_msg> {
            if (in.sequence == 13)
              return fail(errc::invalid, "thirteen is not served");
            if (in.sequence == 99) { // never answered
              silent->push_back(self->make_response_promise<pong_msg>());
              return silent->back();
            }
            pong_msg out;
            out.sequence = in.sequence;
            out.body = in.body;
            return out;
          },
          [seen](const note_msg& in) {
            if (in.sequence != ++seen->notes)
              seen->in_order = false;
          }};
}

class Bridge : public ::testing::Test {
protected:
  void SetUp() override {
    server = std::make_unique<testing::test_node>("server", incarnation{1});
    client = std::make_unique<testing::test_node>("client", incarnation{1});
    actor = server->system.spawn(echo_actor, seen);
    server->owned.push_back(caf::actor_cast<caf::actor>(actor));
    server->link.publish<echo>("echo", actor);
    endpoint = "local:" + scratch.path + "/server.sock";
    ASSERT_TRUE(server->carrier->listen(endpoint));
    ASSERT_TRUE(client->link.dial(*client->carrier, endpoint));
    ASSERT_TRUE(client->seen.wait_for("up server"));
    ASSERT_TRUE(server->seen.wait_for("up client"));
  }

  echo remote(duration deadline = 5s, const std::string& name = "echo") {
    return client->link.proxy<echo>(node_named("server"), name, {deadline});
  }

  // The answer to a ping, or the reason why there is none.
  result<uint64_t> ask(const echo& to, uint64_t sequence, size_t bytes = 8) {
    caf::scoped_actor self{client->system};
    ping_msg ping;
    ping.sequence = sequence;
    ping.body.assign(bytes, 7);
    result<uint64_t> got{errc::internal, "no answer"};
    self->request(to, 20s, std::move(ping))
      .receive([&](const pong_msg& out) { got = out.sequence + out.body.size(); },
               [&](const caf::error& e) { got = reason_of(e); });
    return got;
  }

  scratch_directory scratch;
  std::shared_ptr<ledger> seen = std::make_shared<ledger>();
  std::unique_ptr<testing::test_node> server;
  std::unique_ptr<testing::test_node> client;
  echo actor;
  std::string endpoint;
};

TEST_F(Bridge, ARemoteActorAnswersLikeALocalOne) {
  auto to = remote();
  EXPECT_EQ(*ask(to, 5), 13u);
  EXPECT_EQ(*ask(to, 6, 100'000), 100'006u);
}

TEST_F(Bridge, TheErrorOfARemoteHandlerArrivesAsItWas) {
  auto got = ask(remote(), 13);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::invalid);
  EXPECT_EQ(got.error().text, "thirteen is not served");
}

TEST_F(Bridge, ARequestWithoutAnAnswerEndsWithItsDeadline) {
  EXPECT_EQ(ask(remote(50ms), 99).error().code, errc::deadline);
}

TEST_F(Bridge, AnUnknownNameIsAnswered) {
  EXPECT_EQ(ask(remote(5s, "nobody"), 1).error().code, errc::no_such_actor);
}

TEST_F(Bridge, AMessageTooLargeForAFrameIsRefusedWhereItIsSent) {
  EXPECT_EQ(ask(remote(), 1, limits::frame_size_max).error().code, errc::invalid);
  EXPECT_EQ(*ask(remote(), 1), 9u);
}

TEST_F(Bridge, OneWayMessagesArriveInOrderBeyondTheWindow) {
  caf::scoped_actor self{client->system};
  auto to = remote();
  constexpr uint64_t count = 10 * limits::one_way_window;
  for (uint64_t i = 1; i <= count; ++i) {
    note_msg note;
    note.sequence = i;
    self->send(to, std::move(note));
  }
  // A request waits behind them: its answer says that they were handled, and in order.
  EXPECT_EQ(*ask(to, 1), 9u);
  EXPECT_EQ(seen->notes, count);
  EXPECT_TRUE(seen->in_order);
}

TEST_F(Bridge, TheLossOfANodeEndsProxiesAndOpenRequests) {
  caf::scoped_actor self{client->system};
  auto to = remote(20s);
  self->monitor(to);
  ping_msg ping;
  ping.sequence = 99;
  auto open = self->request(to, 20s, std::move(ping));
  server->link.stop();
  open.receive([](const pong_msg&) { FAIL() << "answered by the dead"; },
               [](const caf::error& e) { EXPECT_EQ(reason_of(e).code, errc::node_lost); });
  bool down = false;
  self->receive([&](const caf::down_msg& msg) {
    down = true;
    EXPECT_EQ(reason_of(msg.reason).code, errc::node_lost);
  });
  EXPECT_TRUE(down);
  EXPECT_EQ(ask(to, 1).error().code, errc::node_lost);
}

TEST_F(Bridge, AnEarlierLifeIsRefusedAndALaterOneReplaces) {
  caf::scoped_actor self{client->system};
  auto reaches_first = remote();
  self->monitor(reaches_first);
  testing::test_node later{"server", incarnation{2}};
  auto second = "local:" + scratch.path + "/second.sock";
  ASSERT_TRUE(later.carrier->listen(second));
  ASSERT_TRUE(client->link.dial(*client->carrier, second));
  ASSERT_TRUE(client->seen.wait_for("down server"));
  ASSERT_TRUE(client->seen.wait_for("reason 'server' connected anew"));
  self->receive([](const caf::down_msg&) {});
  // The first life dials again in vain.
  ASSERT_TRUE(client->link.dial(*client->carrier, endpoint));
  auto answer = ask(remote(), 1);
  EXPECT_EQ(answer.error().code, errc::no_such_actor) << "the second life publishes nothing";
}

TEST_F(Bridge, KeepConnectedDialsAgainAfterARestart) {
  testing::test_node third{"third", incarnation{1}};
  auto path = "local:" + scratch.path + "/late.sock";
  third.link.keep_connected(*third.carrier, path);
  {
    testing::test_node late{"late", incarnation{1}};
    ASSERT_TRUE(late.carrier->listen(path));
    ASSERT_TRUE(third.seen.wait_for("up late"));
  }
  ASSERT_TRUE(third.seen.wait_for("down late"));
  testing::test_node again{"late", incarnation{2}};
  ASSERT_TRUE(again.carrier->listen(path));
  ASSERT_TRUE(again.seen.wait_for("up third"));
}

TEST_F(Bridge, ASilentPeerIsGivenUp) {
  // A transport alone: it takes the connection and never says a word.
  struct mute final : transport_receiver {
    void on_link_up(link_id, bool, const std::string&) override {}
    void on_frame(link_id, frame_view, bool) override {}
    void on_link_down(link_id, const error&) override { ended.add("down"); }
    testing::events ended;
  } receiver;
  auto carrier = make_local_transport();
  ASSERT_TRUE(carrier->start(receiver));
  testing::test_node impatient{"impatient", incarnation{1}, 100ms};
  auto path = "local:" + scratch.path + "/impatient.sock";
  ASSERT_TRUE(impatient.carrier->listen(path));
  ASSERT_TRUE(carrier->connect(path));
  EXPECT_TRUE(receiver.ended.wait_for("down"));
  carrier->stop();
}

TEST_F(Bridge, AHostileFrameEndsItsLinkAndNoOther) {
  struct listener final : transport_receiver {
    void on_link_up(link_id, bool, const std::string&) override { seen.add("up"); }
    void on_frame(link_id, frame_view, bool) override {}
    void on_link_down(link_id, const error&) override { seen.add("down"); }
    testing::events seen;
  } receiver;
  auto carrier = make_local_transport();
  ASSERT_TRUE(carrier->start(receiver));
  auto link = carrier->connect(endpoint);
  ASSERT_TRUE(link);
  ASSERT_TRUE(receiver.seen.wait_for("up"));
  alignas(8) std::array<std::byte, 64> garbage{};
  garbage.fill(std::byte{0x5a});
  ASSERT_TRUE(carrier->send(*link, garbage, urgency::now));
  EXPECT_TRUE(receiver.seen.wait_for("down"));
  carrier->stop();
  EXPECT_EQ(*ask(remote(), 1), 9u);
}

} // namespace
} // namespace troupe
