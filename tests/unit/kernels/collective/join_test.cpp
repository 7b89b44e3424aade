#include "tests/unit/kernels/collective/gang.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

bool exists(const std::string& name) {
  return access(("/dev/shm/" + name).c_str(), F_OK) == 0;
}

class Join : public testing::TestWithParam<backend> {};

INSTANTIATE_TEST_SUITE_P(All, Join, testing::Values(backend::shm, backend::tcp),
                         [](auto& each) { return name_of(each.param); });

// Joins with these options, each in a thread; the codes by rank, errc::ok for a group.
std::vector<errc> join_all(place& where, const std::vector<group_options>& ranks) {
  std::vector<errc> codes(ranks.size());
  std::vector<std::thread> threads;
  for (size_t r = 0; r < ranks.size(); ++r) {
    threads.emplace_back([&, r] {
      auto joined = where.join(ranks[r]);
      codes[r] = joined ? errc::ok : joined.error().code;
    });
  }
  for (auto& thread : threads)
    thread.join();
  return codes;
}

TEST_P(Join, AWrongSecretIsRefused) {
  place where(GetParam(), 2);
  auto wrong = options_of(1, 2, 500ms);
  wrong.secret = "another";
  auto codes = join_all(where, {options_of(0, 2, 500ms), wrong});
  EXPECT_NE(codes[0], errc::ok);
  EXPECT_EQ(codes[1], errc::refused);
  EXPECT_FALSE(exists(where.name()));
}

TEST_P(Join, AnotherGenerationIsRefused) {
  place where(GetParam(), 3);
  auto old = options_of(2, 3, 500ms);
  old.generation = 0;
  auto codes = join_all(where, {options_of(0, 3, 500ms), options_of(1, 3, 500ms), old});
  EXPECT_NE(codes[0], errc::ok);
  EXPECT_NE(codes[1], errc::ok);
  EXPECT_EQ(codes[2], errc::refused);
}

TEST_P(Join, AMissingRankEndsItByTheDeadline) {
  place where(GetParam(), 3);
  auto start = system_clock{}.now();
  auto codes = join_all(where, {options_of(0, 3, 300ms), options_of(1, 3, 300ms)});
  for (auto code : codes)
    EXPECT_TRUE(code == errc::deadline || code == errc::aborted) << static_cast<int>(code);
  EXPECT_LT(system_clock{}.now() - start, 5s);
  EXPECT_FALSE(exists(where.name()));
}

TEST_P(Join, BadOptionsAreNamed) {
  place where(GetParam(), 2);
  group_options bad[]
    = {options_of(2, 2, 1s), options_of(0, 0, 1s), options_of(0, 2, 0s), options_of(0, 2, 1s)};
  bad[3].secret.clear();
  for (auto& each : bad) {
    auto joined = GetParam() == backend::shm ? join_shm(each, where.name())
                                             : join_tcp(each, dup(0), where.members());
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, errc::invalid);
    EXPECT_NE(joined.error().text, "");
  }
}

TEST(JoinShm, ANameThatLeavesTheFolderIsInvalid) {
  for (auto* name : {"", "../x", "a/b", ".hidden"}) {
    auto joined = join_shm(options_of(0, 2, 100ms), name);
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, errc::invalid) << name;
  }
}

TEST(JoinShm, TheNameIsGoneOnceAllHaveJoined) {
  place where(backend::shm, 2);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < 2; ++r) {
    threads.emplace_back([&, r] {
      auto joined = where.join(options_of(r, 2, 20s));
      ASSERT_TRUE(joined);
      EXPECT_TRUE((*joined)->barrier());
      EXPECT_FALSE(exists(where.name()));
      EXPECT_TRUE((*joined)->barrier());
    });
  }
  for (auto& thread : threads)
    thread.join();
}

// Rank 0 makes its memory, and dies while it waits for the others.
void leave_memory_behind(place& where) {
  auto pid = fork();
  if (pid == 0) {
    auto joined = where.join(options_of(0, 2, 30s));
    _exit(0);
  }
  auto until = system_clock{}.now() + 20s;
  while (!exists(where.name()) && system_clock{}.now() < until)
    std::this_thread::yield();
  // It waits for the other rank now, and dies.
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  ASSERT_TRUE(exists(where.name()));
}

TEST(JoinShm, ALeftoverOfADeadRankIsReplaced) {
  place where(backend::shm, 2);
  leave_memory_behind(where);
  auto codes = join_all(where, {options_of(0, 2, 20s), options_of(1, 2, 20s)});
  EXPECT_EQ(codes, (std::vector<errc>{errc::ok, errc::ok}));
}

TEST(JoinShm, WhoWaitsInVainRemovesTheLeftoverOfADeadRank) {
  place where(backend::shm, 2);
  leave_memory_behind(where);
  auto joined = where.join(options_of(1, 2, 100ms));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, errc::deadline);
  EXPECT_FALSE(exists(where.name()));
}

TEST(JoinShm, ARankIsTakenOnce) {
  place where(backend::shm, 3);
  auto codes
    = join_all(where, {options_of(0, 3, 500ms), options_of(1, 3, 500ms), options_of(1, 3, 500ms)});
  EXPECT_EQ(std::count(codes.begin() + 1, codes.end(), errc::already_exists), 1);
}

// Connections that say nothing, or nonsense, neither block the ring nor get into it.
TEST(JoinTcp, StrangersDoNotDisturb) {
  place where(backend::tcp, 2);
  std::vector<int> strangers;
  for (auto& member : where.members()) {
    for (int i = 0; i < 10; ++i) {
      auto fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      auto port = std::stoi(member.substr(member.rfind(':') + 1));
      to.sin_port = htons(static_cast<uint16_t>(port));
      ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
      std::string nonsense(static_cast<size_t>(i) * 20, 'x');
      ASSERT_EQ(send(fd, nonsense.data(), nonsense.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(nonsense.size()));
      strangers.push_back(fd);
    }
  }
  auto codes = join_all(where, {options_of(0, 2, 20s), options_of(1, 2, 20s)});
  EXPECT_EQ(codes, (std::vector<errc>{errc::ok, errc::ok}));
  for (auto fd : strangers)
    close(fd);
}

// Members of an old attempt that still run knock at the same ports.
TEST(JoinTcp, ImpostorsAreRefusedAndTheRealRankStillGetsIn) {
  place where(backend::tcp, 2);
  auto wrong_secret = options_of(1, 2, 300ms);
  wrong_secret.secret = "another";
  auto old = options_of(1, 2, 300ms);
  old.generation = 0;
  auto wrong_rank = options_of(0, 2, 300ms);
  std::vector<errc> codes(3);
  std::vector<std::thread> impostors;
  for (auto& options : {wrong_secret, old, wrong_rank}) {
    impostors.emplace_back([&where, options, code = &codes[impostors.size()]] {
      place own(backend::tcp, 2);
      auto joined = join_tcp(options, own.take_listener(options.rank),
                             {where.members()[0], where.members()[0]});
      *code = joined ? errc::ok : joined.error().code;
    });
  }
  errc first{};
  std::thread rank_0([&] {
    auto joined = where.join(options_of(0, 2, 20s));
    first = joined ? errc::ok : joined.error().code;
  });
  // Rank 0 has sent all of them away by now.
  for (auto& impostor : impostors)
    impostor.join();
  auto second = where.join(options_of(1, 2, 20s));
  rank_0.join();
  EXPECT_TRUE(second) << second.error().text;
  EXPECT_EQ(first, errc::ok);
  EXPECT_EQ(codes, std::vector<errc>(3, errc::refused));
}

TEST(JoinTcp, AnAddressWithoutAPortIsInvalid) {
  place where(backend::tcp, 2);
  auto joined = join_tcp(options_of(0, 2, 100ms), where.take_listener(0), {"127.0.0.1", "host"});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, errc::invalid);
}

} // namespace
} // namespace troupe::collective::test
