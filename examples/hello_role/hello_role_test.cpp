#include "examples/hello_role/greeter.hpp"
#include "tests/support/two_nodes.hpp"

namespace troupe::examples {

TEST(HelloRole, IsAskedFromAnotherNode) {
  scratch_directory scratch;
  testing::test_node server{"server", incarnation{1}}, client{"client", incarnation{1}};
  auto actor = server.system.spawn(greeter_actor);
  server.owned.push_back(caf::actor_cast<caf::actor>(actor));
  server.link.publish<greeter>("greeter", actor);
  auto endpoint = "local:" + scratch.path + "/server.sock";
  ASSERT_TRUE(server.carrier->listen(endpoint));
  ASSERT_TRUE(client.link.dial(*client.carrier, endpoint));
  ASSERT_TRUE(client.seen.wait_for("up server"));

  caf::scoped_actor self{client.system};
  auto remote = client.link.proxy<greeter>(node_named("server"), "greeter");
  auto ask = [&](const std::string& name) {
    ping_msg ping;
    ping.body.assign(name.begin(), name.end());
    std::string said = "no answer";
    self->request(remote, std::chrono::seconds(10), std::move(ping))
      .receive([&](const pong_msg& out) { said.assign(out.body.begin(), out.body.end()); },
               [&](const caf::error& e) { said = reason_of(e).text; });
    return said;
  };
  EXPECT_EQ(ask("troupe"), "hello, troupe");
  EXPECT_EQ(ask(""), greeting_for("").error().text);
}

} // namespace troupe::examples
