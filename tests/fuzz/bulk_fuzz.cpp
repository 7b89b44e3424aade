// The bulk protocol: what a hostile other side says, to a sender, to a receiver, and to a server
// before it has proved anything.
#include "runtime/base/limits.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bulk_server.hpp"
#include "runtime/local_socket.hpp"
#include "runtime/tcp_socket.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

int one_end() {
  std::array<int, 2> ends{};
  TROUPE_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  ::close(ends[1]); // nobody is there: what is read and said is in the channel below
  return ends[0];
}

// The other side says what is in `script`, whatever it hears.
class scripted_channel final : public bulk_channel {
public:
  explicit scripted_channel(byte_vector script)
    : bulk_channel(std::make_shared<bulk_socket>(one_end())), script_(std::move(script)) {}

  bool readable() const override { return eager && at_ < script_.size(); }

  byte_vector heard;
  bool eager = false; // speaks before it is asked

protected:
  step read_some(std::span<std::byte> into) override {
    auto n = std::min(into.size(), script_.size() - at_);
    std::copy_n(reinterpret_cast<const std::byte*>(script_.data()) + at_, n, into.begin());
    at_ += n;
    return {n, 0};
  }

  step write_some(std::span<const std::byte> from) override {
    auto* begin = reinterpret_cast<const uint8_t*>(from.data());
    heard.insert(heard.end(), begin, begin + from.size());
    return {from.size(), 0};
  }

private:
  byte_vector script_;
  size_t at_ = 0;
};

std::vector<std::byte> any_content(random_source& random) {
  std::vector<std::byte> out(random.below(random.chance(0.1) ? 3u << 20 : 3000));
  for (auto& each : out)
    each = static_cast<std::byte>(random.next());
  return out;
}

// One word of the protocol: magic, kind, offset, length, two checks.
void append_word(byte_vector& to, random_source& random) {
  uint64_t rest[4] = {hostile_number(random), hostile_number(random), random.next(), random.next()};
  uint32_t head[2] = {0x314b4c42, static_cast<uint32_t>(random.below(8))};
  auto* begin = reinterpret_cast<const uint8_t*>(head);
  to.insert(to.end(), begin, begin + sizeof head);
  begin = reinterpret_cast<const uint8_t*>(rest);
  to.insert(to.end(), begin, begin + sizeof rest);
}

// What an honest other side said, damaged, or words in no order.
byte_vector hostile_script(const byte_vector& honest, random_source& random) {
  auto out = honest;
  if (random.chance(0.3)) {
    out.clear();
    for (auto n = random.below(6); n > 0; --n)
      append_word(out, random);
    auto text = hostile_text(random, 3000);
    out.insert(out.end(), text.begin(), text.end());
  } else if (random.chance(0.9)) {
    mutate(out, honest, random);
  }
  return out;
}

void expect_reason(const result<void>& outcome) {
  if (outcome)
    return;
  EXPECT_LE(outcome.error().text.size(), limits::bulk_reason_max + 200);
  EXPECT_EQ(outcome.error().text.find('\n'), std::string::npos);
}

class FuzzBulk : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }
  void TearDown() override { log::set_level(log::level::info); }

  // What a sender says to one that holds nothing and is content at the end.
  static byte_vector said_by_sender(const std::vector<std::byte>& content) {
    scripted_channel channel{word(1)};
    auto source = bulk_of_memory(content);
    auto outcome = bulk_send(channel, *source, options());
    EXPECT_FALSE(outcome) << "it hears no verdict";
    return channel.heard;
  }

  static byte_vector word(uint32_t kind) {
    byte_vector out(40, 0);
    uint32_t head[2] = {0x314b4c42, kind};
    std::memcpy(out.data(), head, sizeof head);
    return out;
  }

  static bulk_options options() { return {1s, {}}; }
};

TEST_F(FuzzBulk, AReceiverTakesTheContentOrNothing) {
  fuzz("AReceiverTakesTheContentOrNothing", 1000, [](random_source& random) {
    auto content = any_content(random);
    auto size = random.chance(0.9) ? content.size() : hostile_number(random) % (16u << 20);
    scripted_channel channel{hostile_script(said_by_sender(content), random)};
    bulk_to_memory sink{16u << 20};
    auto before = allocated();
    auto outcome = bulk_receive(channel, sink, size, options());
    EXPECT_LE(allocated() - before, 8 * limits::bulk_chunk_max + 4 * content.size());
    expect_reason(outcome);
    EXPECT_TRUE(!outcome || sink.content() == content);
  });
}

TEST_F(FuzzBulk, ASenderIsNotConfusedByItsReceiver) {
  fuzz("ASenderIsNotConfusedByItsReceiver", 1000, [](random_source& random) {
    auto content = any_content(random);
    auto honest = word(1);
    auto verdict = word(5);
    honest.insert(honest.end(), verdict.begin(), verdict.end());
    auto script = hostile_script(honest, random);
    scripted_channel channel{script};
    channel.eager = random.chance(0.2);
    auto source = bulk_of_memory(content);
    auto outcome = bulk_send(channel, *source, options());
    expect_reason(outcome);
    if (outcome) {
      ASSERT_GE(script.size(), 80u) << "it was content, and said how";
      uint32_t second = 0;
      std::memcpy(&second, script.data() + 44, sizeof second);
      EXPECT_EQ(second, 5u);
    }
  });
}

// Strangers on both kinds of ports: nobody who has no ticket is served, and who has one is.
TEST_F(FuzzBulk, AServerServesWhoHasATicketAndNobodyElse) {
  scratch_directory scratch;
  for (auto& endpoint : {"local:" + scratch.path + "/bulk.sock", std::string{"tls:127.0.0.1:0"}}) {
    auto server = *start_bulk_server(endpoint);
    auto over_tls = endpoint.starts_with("tls:");
    fuzz("AServerServesWhoHasATicketAndNobodyElse", over_tls ? 100 : 300,
         [&](random_source& random) {
           auto content = any_content(random);
           auto ticket = *server->offer(bulk_of_memory(content), 60s);
           for (auto n = 1 + random.below(3); n > 0; --n) {
             auto until = system_clock{}.now() + 5s;
             auto socket = std::make_shared<bulk_socket>(
               over_tls ? *connect_tcp(ticket.endpoint.substr(4), until)
                        : *connect_local(ticket.endpoint));
             bulk_hello hello;
             hello.id = random.chance(0.5) ? ticket.id : random.next();
             for (auto& each : hello.secret)
               each = static_cast<uint8_t>(random.next());
             auto* begin = reinterpret_cast<const uint8_t*>(&hello);
             byte_vector bytes{begin, begin + sizeof hello};
             if (random.chance(0.7))
               mutate(bytes, byte_vector(bytes), random);
             bulk_channel stranger{socket};
             (void)stranger.write(std::as_bytes(std::span{bytes}), until);
             socket->shut_down();
           }
           bulk_to_memory mine{16u << 20};
           auto outcome = fetch(ticket, mine, {5s, {}});
           ASSERT_TRUE(outcome) << outcome.error().text;
           EXPECT_EQ(mine.content(), content);
         });
  }
}

} // namespace
} // namespace troupe::testing
