#include "runtime/base/limits.hpp"
#include "runtime/base/random.hpp"
#include "runtime/bulk_server.hpp"
#include "runtime/local_socket.hpp"
#include "runtime/tcp_socket.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace troupe {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using bytes = std::vector<std::byte>;

constexpr size_t mib = limits::bulk_chunk_max;
constexpr auto patience = 30s;
constexpr auto lifetime = 60s;

bytes content_of(size_t size, uint64_t seed = 1) {
  bytes made(size);
  random_source random{seed};
  for (auto& each : made)
    each = static_cast<std::byte>(random.next());
  return made;
}

bytes content_of(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  auto view = std::as_bytes(std::span{text});
  return {view.begin(), view.end()};
}

errc code_of(const result<void>& outcome) {
  return outcome ? errc::ok : outcome.error().code;
}

class manual_clock final : public clock {
public:
  time_point now() const override { return time_point{} + at.load(); }
  int64_t wall_ns() const override { return 0; }
  std::atomic<duration> at{1h};
};

// A door that opens once.
class gate {
public:
  void open() {
    std::lock_guard guard{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool pass() {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return open_; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Takes its first chunk, and goes on when it is let.
class slow_sink final : public bulk_sink {
public:
  result<uint64_t> begin(uint64_t size) override { return inner.begin(size); }
  result<void> read(uint64_t offset, std::span<std::byte> out) override {
    return inner.read(offset, out);
  }
  result<void> write(uint64_t offset, std::span<const std::byte> more) override {
    started.open();
    EXPECT_TRUE(go_on.pass());
    return inner.write(offset, more);
  }
  result<void> commit() override { return {}; }
  void discard() override { inner.discard(); }

  gate started;
  gate go_on;
  bulk_to_memory inner{uint64_t{1} << 30};
};

class counting_source final : public bulk_source {
public:
  explicit counting_source(uint64_t size) : size_(size) {}
  uint64_t size() const override { return size_; }
  result<void> read(uint64_t, std::span<std::byte> out) override {
    std::memset(out.data(), 7, out.size());
    given += out.size();
    return {};
  }
  std::atomic<uint64_t> given = 0;

private:
  uint64_t size_;
};

// A man in the middle of one connection: counts what passes, flips a byte, or cuts the line.
class relay {
public:
  struct plan {
    std::optional<uint64_t> flip; // the byte of this number
    uint64_t cut = UINT64_MAX;    // after so many bytes
    bool from_server = true;      // of which direction
  };

  relay(const std::string& target, std::string path, plan what)
    : plan_(what), over_tls_(target.starts_with("tls:")),
      endpoint_(over_tls_ ? "tls:127.0.0.1:" : "local:" + path),
      listener_(over_tls_ ? *listen_tcp("127.0.0.1:0") : *listen_local(endpoint_)),
      thread_([this, target] { run(target); }) {
    if (over_tls_)
      endpoint_ += port_of(listener_.fd());
  }
  ~relay() {
    listener_.shut_down();
    thread_.join();
  }

  bulk_ticket divert(bulk_ticket ticket) const {
    ticket.endpoint = endpoint_;
    return ticket;
  }
  uint64_t passed() const { return passed_; }

private:
  void run(const std::string& target) {
    if (!wait_for(listener_.fd(), POLLIN, system_clock{}.now() + patience))
      return;
    auto fd = ::accept(listener_.fd(), nullptr, nullptr);
    if (fd < 0)
      return;
    bulk_socket client{fd};
    bulk_socket server{over_tls_ ? *connect_tcp(target.substr(4), system_clock{}.now() + patience)
                                 : *connect_local(target)};
    std::thread other{[&] { pump(client, server, !plan_.from_server); }};
    pump(server, client, plan_.from_server);
    other.join();
  }

  void pump(bulk_socket& from, bulk_socket& to, bool planned) {
    bytes some(64 << 10);
    for (;;) {
      (void)wait_for(from.fd(), POLLIN, system_clock{}.now() + patience);
      auto got = ::recv(from.fd(), some.data(), some.size(), 0);
      auto length = got > 0 ? static_cast<uint64_t>(got) : 0;
      if (planned) {
        if (plan_.flip && *plan_.flip >= passed_ && *plan_.flip < passed_ + length)
          some[*plan_.flip - passed_] ^= std::byte{1};
        length = std::min(length, plan_.cut - passed_);
        passed_ += length;
      }
      if (got > 0 && length == 0) { // cut: what passed arrives, and the receiver ends the rest
        ::shutdown(to.fd(), SHUT_WR);
        return;
      }
      bulk_channel out{std::shared_ptr<bulk_socket>{&to, [](auto*) {}}};
      if (length == 0 || !out.write(std::span{some}.first(length), system_clock{}.now() + patience))
        break;
    }
    from.shut_down();
    to.shut_down();
  }

  const plan plan_;
  const bool over_tls_;
  std::string endpoint_;
  bulk_socket listener_;
  std::atomic<uint64_t> passed_ = 0;
  std::thread thread_;
};

class Bulk : public ::testing::TestWithParam<const char*> {
protected:
  Bulk() { server = start(); }

  bool over_tls() const { return GetParam() == std::string{"tls"}; }

  std::unique_ptr<bulk_server> start(bulk_server_options options = {}) {
    auto where = over_tls() ? "tls:127.0.0.1:0"
                            : "local:" + directory + "/" + std::to_string(servers++) + ".sock";
    auto made = start_bulk_server(where, options);
    EXPECT_TRUE(made) << made.error().text;
    return std::move(*made);
  }

  bulk_ticket offer(bytes content) {
    auto made = server->offer(bulk_of_memory(std::move(content)), lifetime);
    EXPECT_TRUE(made) << made.error().text;
    return *made;
  }

  // A stranger's connection.
  std::shared_ptr<bulk_socket> connect() const {
    auto& where = server->endpoint();
    return std::make_shared<bulk_socket>(
      over_tls() ? *connect_tcp(where.substr(4), system_clock{}.now() + patience)
                 : *connect_local(where));
  }

  void expect_service() {
    auto content = content_of(mib + 1);
    bulk_to_memory sink{2 * mib};
    auto outcome = fetch(offer(content), sink);
    ASSERT_TRUE(outcome) << outcome.error().text;
    EXPECT_EQ(sink.content(), content);
  }

  std::string path(const std::string& name) const { return directory + "/" + name; }

  scratch_directory scratch;
  const std::string& directory = scratch.path;
  int servers = 0;
  std::unique_ptr<bulk_server> server;
};

INSTANTIATE_TEST_SUITE_P(Forms, Bulk, ::testing::Values("local", "tls"),
                         [](const auto& form) { return std::string{form.param}; });

constexpr std::array<size_t, 6> sizes{0, 1, mib - 1, mib, mib + 1, 5 * mib + 7};

TEST_P(Bulk, FetchesContentOfAnySize) {
  for (auto size : sizes) {
    auto content = content_of(size);
    bulk_to_memory sink{size};
    auto outcome = fetch(offer(content), sink);
    ASSERT_TRUE(outcome) << size << ": " << outcome.error().text;
    EXPECT_EQ(sink.content(), content);
  }
}

TEST_P(Bulk, PushesContentOfAnySize) {
  for (auto size : sizes) {
    auto content = content_of(size);
    auto sink = std::make_shared<bulk_to_memory>(size);
    auto ticket = server->expect(sink, size, lifetime);
    auto outcome = push(*ticket, *bulk_of_memory(content));
    ASSERT_TRUE(outcome) << size << ": " << outcome.error().text;
    EXPECT_EQ(sink->content(), content);
    EXPECT_EQ(code_of(push(*ticket, *bulk_of_memory(content))), errc::refused) << "spent";
  }
}

TEST_P(Bulk, BringsFilesAndReplacesOldOnes) {
  auto content = content_of(3 * mib + 5);
  std::ofstream{path("from")}.write(reinterpret_cast<const char*>(content.data()),
                                    static_cast<std::streamsize>(content.size()));
  std::ofstream{path("to")} << "old";
  auto source = open_bulk_file(path("from"));
  ASSERT_TRUE(source) << source.error().text;
  auto ticket = server->offer(*source, lifetime);
  std::vector<uint64_t> seen;
  bulk_options options;
  options.progress = [&](uint64_t done, uint64_t size) {
    EXPECT_EQ(size, content.size());
    EXPECT_EQ(content_of(path("to")).size(), 3u) << "nothing is visible before the end";
    seen.push_back(done);
    return true;
  };
  auto outcome = fetch(*ticket, *bulk_to_file(path("to")), options);
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(content_of(path("to")), content);
  EXPECT_FALSE(fs::exists(path("to.part")));
  EXPECT_EQ(seen, (std::vector<uint64_t>{mib, 2 * mib, 3 * mib, 3 * mib + 5}));
}

TEST_P(Bulk, DamagedOnTheWayIsRefused) {
  // A head's kind, offset and check; the first, a middle and the last byte of a chunk; the end.
  constexpr uint64_t chunk = 40 + mib;
  for (uint64_t at :
       {0ul, 4ul, 8ul, 24ul, 40ul, 500'000ul, chunk - 1, chunk + 30, 2 * chunk + 30}) {
    fs::remove(path("to.part"));
    auto ticket = offer(content_of(2 * mib));
    relay middle{ticket.endpoint, path("relay.sock"), {at, UINT64_MAX, true}};
    auto outcome = fetch(middle.divert(ticket), *bulk_to_file(path("to")));
    ASSERT_FALSE(outcome) << at;
    EXPECT_TRUE(over_tls() || code_of(outcome) == errc::corrupt) << at << outcome.error().text;
    EXPECT_FALSE(fs::exists(path("to"))) << at;
  }
}

TEST_P(Bulk, DamagedPushIsRefusedAndThePusherIsTold) {
  auto sink = std::make_shared<bulk_to_memory>(2 * mib);
  auto ticket = server->expect(sink, 2 * mib, lifetime);
  relay middle{ticket->endpoint, path("relay.sock"), {1'500'000, UINT64_MAX, false}};
  auto outcome = push(middle.divert(*ticket), *bulk_of_memory(content_of(2 * mib)));
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(over_tls() || code_of(outcome) == errc::corrupt) << outcome.error().text;
}

TEST_P(Bulk, AFetchGoesOnWhereItEnded) {
  auto content = content_of(6 * mib + 3);
  auto ticket = offer(content);
  {
    relay dying{ticket.endpoint, path("a.sock"), {{}, 4 * mib + 500'000, true}};
    auto outcome = fetch(dying.divert(ticket), *bulk_to_file(path("to")));
    EXPECT_EQ(code_of(outcome), errc::node_lost);
  }
  EXPECT_FALSE(fs::exists(path("to")));
  ASSERT_EQ(fs::file_size(path("to.part")), 4 * mib);
  relay counting{ticket.endpoint, path("b.sock"), {}};
  auto outcome = fetch(counting.divert(ticket), *bulk_to_file(path("to")));
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(content_of(path("to")), content);
  EXPECT_LT(counting.passed(), 2 * mib + 100'000) << "what was there was not sent again";
}

TEST_P(Bulk, APushGoesOnWhereItEnded) {
  auto content = content_of(6 * mib);
  auto ticket = server->expect(bulk_to_file(path("to")), content.size(), lifetime);
  auto source = bulk_of_memory(content);
  {
    relay dying{ticket->endpoint, path("a.sock"), {{}, 4 * mib + 500'000, false}};
    EXPECT_EQ(code_of(push(dying.divert(*ticket), *source)), errc::node_lost);
  }
  relay counting{ticket->endpoint, path("b.sock"), {{}, UINT64_MAX, false}};
  auto outcome = push(counting.divert(*ticket), *source);
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(content_of(path("to")), content);
  EXPECT_LT(counting.passed(), 2 * mib + 100'000);
}

TEST_P(Bulk, AKeptPartOfOtherContentIsThrownAway) {
  auto content = content_of(3 * mib);
  std::ofstream{path("to.part")} << std::string(2 * mib, 'x');
  auto ticket = offer(content);
  EXPECT_EQ(code_of(fetch(ticket, *bulk_to_file(path("to")))), errc::corrupt);
  EXPECT_FALSE(fs::exists(path("to")));
  ASSERT_TRUE(fetch(ticket, *bulk_to_file(path("to"))));
  EXPECT_EQ(content_of(path("to")), content);
}

TEST_P(Bulk, OnlyAGoodTicketGetsAnything) {
  manual_clock time;
  server = start({patience, &time});
  auto refused = [&](const bulk_ticket& ticket) {
    bulk_to_memory sink{mib};
    auto outcome = fetch(ticket, sink);
    EXPECT_TRUE(sink.content().empty());
    return code_of(outcome) == errc::refused;
  };
  auto good = offer(content_of(1000));
  auto unknown = good;
  unknown.id += 1000;
  EXPECT_TRUE(refused(unknown));
  auto guessed = good;
  guessed.secret[31] ^= 1;
  EXPECT_TRUE(refused(guessed));
  auto crossed = offer(content_of(1000));
  crossed.id = good.id;
  EXPECT_TRUE(refused(crossed));
  auto withdrawn = offer(content_of(1000));
  server->withdraw(withdrawn.id);
  EXPECT_TRUE(refused(withdrawn));

  bulk_to_memory sink{mib};
  ASSERT_TRUE(fetch(good, sink));
  EXPECT_TRUE(refused(good)) << "spent";
  auto late = offer(content_of(1000));
  time.at = time.at.load() + lifetime;
  EXPECT_TRUE(refused(late));
}

TEST_P(Bulk, ASlowReaderCostsOneChunk) {
  auto source = std::make_shared<counting_source>(64 * mib);
  auto ticket = server->offer(source, lifetime);
  slow_sink slow;
  auto outcome = std::async(std::launch::async, [&] { return fetch(*ticket, slow); });
  ASSERT_TRUE(slow.started.pass());
  // While it stands still, others pass, and the server reads no further than the sockets' buffers.
  bulk_to_memory fast{64 * mib};
  auto other = server->offer(std::make_shared<counting_source>(64 * mib), lifetime);
  ASSERT_TRUE(fetch(*other, fast));
  EXPECT_LE(source->given, 16 * mib);
  slow.go_on.open();
  auto done = outcome.get();
  EXPECT_TRUE(done) << done.error().text;
}

TEST_P(Bulk, StopEndsTransfers) {
  auto ticket = server->offer(std::make_shared<counting_source>(64 * mib), lifetime);
  slow_sink sink;
  auto outcome = std::async(std::launch::async, [&] { return fetch(*ticket, sink); });
  ASSERT_TRUE(sink.started.pass());
  EXPECT_EQ(server->transfers(), 1u);
  server->stop();
  EXPECT_EQ(server->transfers(), 0u);
  sink.go_on.open();
  EXPECT_EQ(code_of(outcome.get()), errc::node_lost);
  EXPECT_EQ(server->offer(bulk_of_memory({}), lifetime).error().code, errc::unavailable);
  EXPECT_EQ(code_of(fetch(*ticket, sink)), errc::unavailable);
}

TEST_P(Bulk, TheNewestConnectionOfATicketCounts) {
  auto content = content_of(64 * mib);
  auto ticket = offer(content);
  slow_sink stuck;
  auto outcome = std::async(std::launch::async, [&] { return fetch(ticket, stuck); });
  ASSERT_TRUE(stuck.started.pass());
  bulk_to_memory sink{64 * mib};
  auto second = fetch(ticket, sink);
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_EQ(sink.content(), content);
  stuck.go_on.open();
  EXPECT_EQ(code_of(outcome.get()), errc::node_lost);
}

TEST_P(Bulk, GarbageHarmsNobody) {
  random_source random{7};
  std::vector<std::shared_ptr<bulk_socket>> silent;
  for (size_t i = 0; i < limits::bulk_strangers_max + 8; ++i)
    silent.push_back(connect());
  for (uint64_t i = 0; i < 100; ++i) {
    auto noise = content_of(1 + random.below(3000), i);
    if (i % 4 == 0) // begins as it should
      std::memcpy(noise.data(), over_tls() ? "\x16\x03\x01" : "TTRPBLK1",
                  std::min<size_t>(noise.size(), over_tls() ? 3 : 8));
    bulk_channel channel{connect()};
    (void)channel.write(noise, system_clock{}.now() + patience);
  }
  expect_service();
  EXPECT_TRUE(bulk_channel{silent.front()}.readable()) << "the oldest was cut off for others";
}

TEST_P(Bulk, GarbageBehindAGoodTicketIsRefused) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    auto ticket = offer(content_of(1000));
    std::unique_ptr<bulk_channel> channel;
    if (over_tls()) {
      channel = *tls_connect(connect(), ticket.id, ticket.secret, system_clock{}.now() + patience);
    } else {
      channel = std::make_unique<bulk_channel>(connect());
      bulk_hello hello;
      hello.id = ticket.id;
      hello.secret = ticket.secret;
      ASSERT_TRUE(channel->write(std::as_bytes(std::span{&hello, 1}), time_point::max()));
    }
    auto noise = content_of(40, seed);
    ASSERT_TRUE(channel->write(noise, system_clock{}.now() + patience));
    bytes answer(8);
    ASSERT_TRUE(channel->read(answer, system_clock{}.now() + patience));
    EXPECT_EQ(std::to_integer<int>(answer[4]), 6) << "failed";
  }
  expect_service();
}

TEST_P(Bulk, ManyAtOnce) {
  std::vector<std::future<void>> all;
  for (uint64_t i = 0; i < 16; ++i)
    all.push_back(std::async(std::launch::async, [this, i] {
      auto content = content_of(mib + 100 * i, i);
      bulk_to_memory here{2 * mib};
      EXPECT_TRUE(fetch(offer(content), here));
      EXPECT_EQ(here.content(), content);
      auto there = std::make_shared<bulk_to_memory>(2 * mib);
      EXPECT_TRUE(push(*server->expect(there, content.size(), lifetime), *bulk_of_memory(content)));
      EXPECT_EQ(there->content(), content);
    }));
  for (auto& each : all)
    each.get();
}

TEST_P(Bulk, TooManyTransfersAreRefused) {
  std::vector<std::unique_ptr<slow_sink>> sinks;
  std::vector<std::future<result<void>>> all;
  for (size_t i = 0; i < limits::bulk_transfers_max; ++i) {
    auto& sink = *sinks.emplace_back(std::make_unique<slow_sink>());
    all.push_back(std::async(
      std::launch::async, [ticket = offer(content_of(1)), &sink] { return fetch(ticket, sink); }));
  }
  for (auto& each : sinks)
    EXPECT_TRUE(each->started.pass());
  EXPECT_EQ(server->transfers(), limits::bulk_transfers_max);
  bulk_to_memory sink{1};
  auto ticket = offer(content_of(1));
  EXPECT_EQ(code_of(fetch(ticket, sink)), errc::queue_full);
  for (auto& each : sinks)
    each->go_on.open();
  for (auto& each : all)
    EXPECT_TRUE(each.get());
  EXPECT_TRUE(fetch(ticket, sink)) << "a refused ticket is not spent";
}

TEST_P(Bulk, TellsTheOtherSideWhy) {
  auto small = std::make_shared<bulk_to_memory>(10);
  auto ticket = server->expect(small, 11, lifetime);
  auto outcome = push(*ticket, *bulk_of_memory(content_of(11)));
  ASSERT_EQ(code_of(outcome), errc::invalid);
  EXPECT_NE(outcome.error().text.find("more than the 10"), std::string::npos);
  EXPECT_EQ(code_of(push(*ticket, *bulk_of_memory({}))), errc::invalid) << "not of its size";

  std::ofstream{path("shrinks")} << std::string(3 * mib, 'x');
  auto source = open_bulk_file(path("shrinks"));
  fs::resize_file(path("shrinks"), mib);
  auto fetched = fetch(*server->offer(*source, lifetime), *bulk_to_file(path("to")));
  ASSERT_EQ(code_of(fetched), errc::io);
  EXPECT_NE(fetched.error().text.find("became shorter"), std::string::npos);

  bulk_options stopping;
  stopping.progress = [](uint64_t, uint64_t) { return false; };
  bulk_to_memory sink{mib};
  EXPECT_EQ(code_of(fetch(offer(content_of(1000)), sink, stopping)), errc::aborted);
}

TEST_P(Bulk, ASilentPeerRunsIntoTheDeadline) {
  auto where = over_tls() ? "tls:127.0.0.1:" : "local:" + path("silent.sock");
  bulk_socket listener{over_tls() ? *listen_tcp("127.0.0.1:0") : *listen_local(where)};
  bulk_ticket ticket{1, {}, over_tls() ? where + port_of(listener.fd()) : where, 5};
  bulk_to_memory sink{5};
  EXPECT_EQ(code_of(fetch(ticket, sink, {50ms, {}})), errc::deadline);
}

TEST(BulkServer, ListensAsTold) {
  scratch_directory scratch;
  auto& directory = scratch.path;
  auto endpoint = "local:" + directory + "/bulk.sock";
  {
    auto server = start_bulk_server(endpoint);
    ASSERT_TRUE(server);
    struct stat facts {};
    ASSERT_EQ(::stat((directory + "/bulk.sock").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600u);
    EXPECT_EQ(start_bulk_server(endpoint).error().code, errc::already_exists);
    EXPECT_EQ(start_bulk_server("nonsense").error().code, errc::invalid);
    EXPECT_EQ(start_bulk_server("tls:nowhere").error().code, errc::invalid);
    auto source = std::make_shared<counting_source>(limits::bulk_size_max + 1);
    EXPECT_EQ((*server)->offer(source, lifetime).error().code, errc::invalid);
  }
  EXPECT_FALSE(fs::exists(directory + "/bulk.sock"));
}

TEST(BulkContent, TwoSinksOfOnePathAreRefused) {
  scratch_directory scratch;
  auto& directory = scratch.path;
  auto first = bulk_to_file(directory + "/to");
  auto second = bulk_to_file(directory + "/to");
  ASSERT_TRUE(first->begin(5));
  EXPECT_EQ(second->begin(5).error().code, errc::already_exists);
  first.reset();
  EXPECT_TRUE(second->begin(5));
  EXPECT_EQ(open_bulk_file(directory).error().code, errc::invalid);
  EXPECT_EQ(open_bulk_file(directory + "/none").error().code, errc::not_found);
}

} // namespace
} // namespace troupe
