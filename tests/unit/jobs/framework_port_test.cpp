// The port that is held for a program that binds it itself.
#include "actors/jobs/framework_port.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <future>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace troupe {
namespace {

constexpr int local_port_range = 51; // IP_LOCAL_PORT_RANGE of linux/in.h, from Linux 6.3

struct options {
  int reuse_address = 0;
  int reuse_port = 0;
};

constexpr std::array<options, 4> all_options{{{0, 0}, {1, 0}, {0, 1}, {1, 1}}};

owned_fd make_socket(int family, options with) {
  owned_fd out{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int off = 0;
  if (family == AF_INET6)
    ::setsockopt(out.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &with.reuse_address, sizeof(int));
  ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEPORT, &with.reuse_port, sizeof(int));
  return out;
}

// 0, or the errno. `last` is the last byte of 127.0.0.x; 0: all addresses.
int bind_at(const owned_fd& socket, int family, uint16_t port, uint32_t last) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (last != 0)
    address.sin_addr.s_addr = htonl(0x7f000000u + last);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  auto* where = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&any)
                                   : reinterpret_cast<sockaddr*>(&address);
  socklen_t size = family == AF_INET6 ? sizeof any : sizeof address;
  return ::bind(socket.get(), where, size) == 0 ? 0 : errno;
}

int serve_at(int family, uint16_t port, uint32_t last, options with) {
  auto socket = make_socket(family, with);
  if (auto failed = bind_at(socket, family, port, last))
    return failed;
  return ::listen(socket.get(), 1) == 0 ? 0 : errno;
}

// Asks for any port out of a range that holds only this one.
int ask_for_any(int family, uint16_t port, uint32_t last, options with) {
  auto socket = make_socket(family, with);
  auto range = static_cast<uint32_t>(port) << 16 | port;
  if (::setsockopt(socket.get(), IPPROTO_IP, local_port_range, &range, sizeof range) != 0)
    return ENOPROTOOPT;
  return bind_at(socket, family, 0, last);
}

bool has_ipv6() {
  return bind_at(make_socket(AF_INET6, {}), AF_INET6, 0, 0) == 0;
}

TEST(FrameworkPort, IsFreeForAnySocketThatSharesIt) {
  auto port = open_task_port(framework::pytorch, "127.0.0.1");
  ASSERT_TRUE(port) << port.error().text;
  for (auto with : all_options) {
    auto expected = with.reuse_address || with.reuse_port ? 0 : EADDRINUSE;
    EXPECT_EQ(serve_at(AF_INET, port->number, 1, with), expected);
    EXPECT_EQ(serve_at(AF_INET, port->number, 0, with), expected);
    if (has_ipv6()) {
      EXPECT_EQ(serve_at(AF_INET6, port->number, 0, with), expected);
    }
  }
}

TEST(FrameworkPort, OfTroupeListensAndIsNobodyElses) {
  auto port = open_task_port(framework::troupe, "127.0.0.1");
  ASSERT_TRUE(port) << port.error().text;
  int listens = 0;
  socklen_t size = sizeof listens;
  ::getsockopt(port->socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  EXPECT_EQ(listens, 1);
  for (auto with : all_options)
    EXPECT_EQ(serve_at(AF_INET, port->number, 1, with), EADDRINUSE);
}

TEST(FrameworkPort, NeedsAnAddressOfThisMachine) {
  for (auto kind : {framework::troupe, framework::pytorch}) {
    auto none = open_task_port(kind, "localhost");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, errc::invalid);
    auto foreign = open_task_port(kind, "192.0.2.1"); // for documentation: nobody has it
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().text.find("192.0.2.1"), std::string::npos);
    EXPECT_NE(foreign.error().text.find("--address"), std::string::npos);
  }
}

// 200 tasks start at once: each has a port of its own, the kernel gives it to nobody who asks for
// any, at whatever address, and each task can serve there.
TEST(FrameworkPort, OfTwoHundredStartsAtOnceAreNobodyElses) {
  std::mutex mutex;
  std::vector<task_port> ports;
  std::vector<std::thread> starters;
  for (int i = 0; i < 8; ++i)
    starters.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        auto port = open_task_port(framework::tensorflow, "127.0.0.1");
        ASSERT_TRUE(port) << port.error().text;
        std::lock_guard hold{mutex};
        ports.push_back(std::move(*port));
      }
    });
  for (auto& each : starters)
    each.join();
  std::set<uint16_t> numbers;
  for (auto& port : ports)
    numbers.insert(port.number);
  EXPECT_EQ(numbers.size(), 200u);
  for (auto& port : ports)
    EXPECT_EQ(serve_at(AF_INET, port.number, 0, {1, 0}), 0);
  if (ask_for_any(AF_INET, ports[0].number, 1, {}) == ENOPROTOOPT)
    GTEST_SKIP() << "asking for one port of a range needs Linux 6.3";
  for (auto& port : ports)
    for (auto with : all_options)
      for (uint32_t last : {0u, 1u, 2u})
        EXPECT_EQ(ask_for_any(AF_INET, port.number, last, with), EADDRINUSE);
  auto first = ports[0].number;
  ports[0].socket.close();
  EXPECT_EQ(ask_for_any(AF_INET, first, 2, {}), 0) << "so the holding makes the difference";
}

// Binds any port again and again, and keeps the last 200 that it got, until it is killed.
[[noreturn]] void take_ports() {
  std::array<owned_fd, 200> kept;
  for (size_t i = 0;; ++i) {
    auto& next = kept[i % kept.size()];
    next = make_socket(AF_INET, {});
    if (bind_at(next, AF_INET, 0, i % 2) == 0)
      ::listen(next.get(), 1);
  }
}

// As if a thousand tasks started at a time, each of which binds its port a while after it was
// told, on a machine where somebody takes ports as fast as the kernel gives them.
TEST(FrameworkPort, TenThousandStartsMeetNoCollision) {
  auto rival = ::fork();
  if (rival == 0)
    take_ports();
  int collisions = 0;
  for (int wave = 0; wave < 10; ++wave) {
    std::vector<task_port> ports;
    for (int i = 0; i < 1000; ++i) {
      auto port = open_task_port(framework::tensorflow, "127.0.0.1");
      if (port)
        ports.push_back(std::move(*port));
      else
        ++collisions;
    }
    for (auto& port : ports)
      if (serve_at(AF_INET, port.number, 0, {1, 0}) != 0)
        ++collisions;
  }
  EXPECT_EQ(::waitpid(rival, nullptr, WNOHANG), 0) << "the rival has ended";
  ::kill(rival, SIGKILL);
  ::waitpid(rival, nullptr, 0);
  EXPECT_EQ(collisions, 0);
}

// Two processes that meet at a held port.
class Rendezvous : public ::testing::Test {
protected:
  static std::string python() {
    const char* given = std::getenv("TROUPE_PYTHON"); // one that has torch
    return given ? given : "python3";
  }

  bool can(const std::string& statement) {
    return std::system((python() + " -c '" + statement + "' >/dev/null 2>&1").c_str()) == 0;
  }

  // The output of both ranks of a script that gets its rank and the port.
  std::string run(const std::string& script) {
    auto port = open_task_port(framework::pytorch, "127.0.0.1");
    EXPECT_TRUE(port);
    std::ofstream{scratch.path + "/script.py"} << script;
    auto rank = [&](int number) {
      auto text = std::to_string(number);
      auto command = "env RANK=" + text + " WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT="
                     + std::to_string(port->number) + " timeout 50 " + python() + " " + scratch.path
                     + "/script.py > " + scratch.path + "/" + text + " 2>&1";
      return std::async(std::launch::async, [command] { return std::system(command.c_str()); });
    };
    auto second = rank(1);
    auto first = rank(0);
    EXPECT_EQ(first.get(), 0);
    EXPECT_EQ(second.get(), 0);
    std::stringstream out;
    out << std::ifstream{scratch.path + "/0"}.rdbuf() << std::ifstream{scratch.path + "/1"}.rdbuf();
    return out.str();
  }

  scratch_directory scratch;
};

TEST_F(Rendezvous, OfPythonSockets) {
  if (!can("import socket"))
    GTEST_SKIP() << "python3 is not installed";
  EXPECT_EQ(run(R"(
import os, socket, time
port = int(os.environ["MASTER_PORT"])
if os.environ["RANK"] == "0":
    with socket.create_server(("0.0.0.0", port)) as server:  # sets SO_REUSEADDR
        for _ in range(3):
            peer, _ = server.accept()
            peer.sendall(b"hello")
            peer.close()
    print("served")
else:
    got = 0
    deadline = time.monotonic() + 40
    while got < 3 and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)) as link:
                got += link.recv(5) == b"hello"
        except ConnectionRefusedError:
            time.sleep(0.01)
    print("met", got)
)"),
            "served\nmet 3\n");
}

TEST_F(Rendezvous, OfTorch) {
  if (!can("import torch.distributed"))
    GTEST_SKIP() << python() << " cannot import torch; name one that can in TROUPE_PYTHON";
  EXPECT_EQ(run(R"(
import torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.ones(1) + dist.get_rank()
dist.all_reduce(x)
print("sum", x.item())
dist.destroy_process_group()
)"),
            "sum 3.0\nsum 3.0\n");
}

} // namespace
} // namespace troupe
