// The store at which ranks of Horovod meet, and its server, over the protocol of gloo's client.
#include "actors/jobs/framework_port.hpp"
#include "actors/jobs/rendezvous.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace troupe {
namespace {

class RendezvousStore : public ::testing::Test {
protected:
  std::string ask(const std::string& request, const std::string& body = {}) {
    auto head = request + " HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: " + std::to_string(body.size());
    return store.reply(head + "\r\n\r\n" + body).value_or("incomplete");
  }

  // The status, as in "404".
  std::string status(const std::string& request, const std::string& body = {}) {
    return ask(request, body).substr(9, 3);
  }

  rendezvous_store store{{{"global", 2}, {"cross_0", 1}}};
};

TEST_F(RendezvousStore, HasWhatWasPut) {
  EXPECT_EQ(status("GET /global/0"), "404");
  const std::string value{"a\0\r\n\r\nb", 7};
  EXPECT_EQ(status("PUT /global/0", value), "200");
  EXPECT_EQ(ask("GET /global/0"),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n" + value);
  EXPECT_EQ(status("PUT /global/0", "other"), "200");
  EXPECT_TRUE(ask("GET /global/0").ends_with("\r\n\r\nother"));
  EXPECT_EQ(status("GET /local_x/0"), "404");
}

TEST_F(RendezvousStore, EmptiesAScopeOfThePlanWhenAllOfItsRanksAreDone) {
  status("PUT /global/0", "first");
  EXPECT_EQ(status("DELETE /global/0"), "200");
  EXPECT_EQ(status("DELETE /global/0"), "200"); // again: it counts once
  EXPECT_EQ(status("GET /global/0"), "200") << "the other one may still have to read it";
  EXPECT_EQ(status("DELETE /global/1"), "200");
  EXPECT_EQ(status("GET /global/0"), "404");
  status("PUT /global/0", "next round");
  EXPECT_EQ(status("DELETE /global/1"), "200");
  EXPECT_EQ(status("GET /global/0"), "200");
  status("PUT /own/key", "x");
  status("PUT /own/other", "x");
  EXPECT_EQ(status("DELETE /own/key"), "200");
  EXPECT_EQ(status("GET /own/key"), "404");
  EXPECT_EQ(status("GET /own/other"), "200");
}

TEST_F(RendezvousStore, WaitsForTheWholeRequestAndRefusesWhatIsNone) {
  EXPECT_FALSE(store.reply("GET /global/0 HTTP/1.1\r\nHost"));
  EXPECT_FALSE(store.reply("PUT /a/b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell"));
  for (auto bad : {"GET / HTTP/1.1", "GET /global HTTP/1.1", "GET /a/b/c HTTP/1.1", "", "GET",
                   "PUT /a/b HTTP/1.1\r\nContent-Length: many", "GET global/0 HTTP/1.1"}) {
    auto reply = store.reply(std::string{bad} + "\r\n\r\n");
    ASSERT_TRUE(reply) << bad;
    EXPECT_EQ(reply->substr(9, 3), "400") << bad;
  }
  EXPECT_EQ(store.reply(std::string(9000, 'x'))->substr(9, 3), "400");
  EXPECT_EQ(store.reply("PUT /a/b HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n")->substr(9, 3),
            "413");
  EXPECT_EQ(status("POST /a/b"), "405");
}

TEST_F(RendezvousStore, HoldsAtMost64MiB) {
  const std::string large(1 << 20, 'x');
  int kept = 0;
  while (kept < 100 && status("PUT /a/" + std::to_string(kept), large) == "200")
    ++kept;
  EXPECT_EQ(kept, 63);
  EXPECT_EQ(status("PUT /a/0", large), "200"); // in the place of the old one
  EXPECT_EQ(status("DELETE /a/1"), "200");
  EXPECT_EQ(status("PUT /a/b", large), "200");
}

owned_fd connect_to(uint16_t port) {
  owned_fd out{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(out.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return out;
}

// Three ranks do what gloo's HTTP store does, each in a process of its own, at the port of a task;
// one that connects and says nothing, or garbage, is in nobody's way.
TEST(RendezvousServer, ThreeRanksOfPythonMeet) {
  if (std::system("python3 -c 'import urllib.request' >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "python3 is not installed";
  auto port = open_task_port(framework::horovod, "127.0.0.1");
  ASSERT_TRUE(port) << port.error().text;
  auto server = rendezvous_server::start(std::move(port->socket), {{"global", 3}});
  ASSERT_TRUE(server) << server.error().text;
  auto silent = connect_to(port->number);
  auto garbage = connect_to(port->number);
  ASSERT_EQ(::write(garbage.get(), "\0\r\n\r\n", 5), 5);
  scratch_directory scratch;
  std::ofstream{scratch.path + "/rank.py"} << R"(
import sys, time, urllib.error, urllib.request
base, rank = "http://127.0.0.1:%s/global/" % sys.argv[1], int(sys.argv[2])
def ask(method, key, body=None):
    try:
        request = urllib.request.Request(base + str(key), data=body, method=method)
        return urllib.request.urlopen(request, timeout=20).read()
    except urllib.error.HTTPError as no:
        assert no.code == 404, no.code
        return None
ask("PUT", rank, b"address of %d" % rank)
for peer in range(3):
    while ask("GET", peer) is None:
        time.sleep(0.01)
    assert ask("GET", peer) == b"address of %d" % peer
ask("DELETE", rank)
while ask("GET", 0) is not None:  # until all are done
    time.sleep(0.01)
)";
  std::string all;
  for (int rank = 0; rank < 3; ++rank)
    all += "timeout 40 python3 " + scratch.path + "/rank.py " + std::to_string(port->number) + " "
           + std::to_string(rank) + " & p" + std::to_string(rank) + "=$!; ";
  EXPECT_EQ(std::system((all + "wait $p0 && wait $p1 && wait $p2").c_str()), 0);
}

} // namespace
} // namespace troupe
