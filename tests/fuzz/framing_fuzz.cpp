// Streams of frames, whole and damaged, that arrive in pieces of any length.
#include "runtime/framing.hpp"
#include "runtime/local_link.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace troupe::testing {
namespace {

using frame = std::vector<std::byte>;

class collector final : public transport_receiver {
public:
  void on_link_up(link_id, bool, const std::string&) override {}
  void on_link_down(link_id, const error&) override {}
  void on_frame(link_id, frame_view bytes, bool) override {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 8, 0u);
    EXPECT_TRUE(!bytes.empty() && bytes.size() <= limits::frame_size_max);
    frames.emplace_back(bytes.begin(), bytes.end());
  }

  std::vector<frame> frames;
};

std::vector<frame> random_frames(random_source& random) {
  std::vector<frame> all(1 + random.below(8));
  for (auto& each : all) {
    each.resize(1 + random.below(random.chance(0.02) ? limits::frame_size_max : 300));
    for (size_t i = 0; i < std::min<size_t>(each.size(), 64); ++i)
      each[i] = static_cast<std::byte>(random.next());
  }
  return all;
}

// Puts the stream into a link piece by piece; false when the link refused it.
bool deliver(const byte_vector& stream, collector& to, random_source& random) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  local_link link{link_id{1}, ends[0], true, "uid:0"};
  std::vector<uint64_t> shared(1 + random.below(8 << 10));
  result<void> outcome;
  size_t at = 0;
  while (outcome && at < stream.size()) {
    uint64_t most = random.chance(0.5) ? 16 : random.chance(0.5) ? 4096 : 100'000;
    auto wanted = std::min<size_t>(stream.size() - at, 1 + random.below(most));
    auto n = ::send(ends[1], stream.data() + at, wanted, MSG_DONTWAIT);
    at += n > 0 ? static_cast<size_t>(n) : 0;
    if (n < 0 || random.chance(0.7))
      outcome = link.receive(to, shared);
  }
  ::shutdown(ends[1], SHUT_WR);
  while (outcome) // until the end of the stream
    outcome = link.receive(to, shared);
  ::close(ends[1]);
  return outcome.error().code == errc::node_lost;
}

TEST(FuzzFraming, FramesComeWholeHoweverTheyAreCut) {
  fuzz("FramesComeWholeHoweverTheyAreCut", 300, [](random_source& random) {
    auto sent = random_frames(random);
    std::vector<std::byte> stream;
    for (auto& each : sent)
      framing::append(stream, each);
    auto* begin = reinterpret_cast<const uint8_t*>(stream.data());
    collector got;
    EXPECT_TRUE(deliver({begin, begin + stream.size()}, got, random));
    EXPECT_TRUE(got.frames == sent);
  });
}

TEST(FuzzFraming, DamagedStreamsEndOrGoOn) {
  fuzz("DamagedStreamsEndOrGoOn", 1500, [](random_source& random) {
    std::vector<std::byte> stream;
    for (auto& each : random_frames(random))
      framing::append(stream, each);
    auto* begin = reinterpret_cast<const uint8_t*>(stream.data());
    byte_vector bytes{begin, begin + stream.size()};
    mutate(bytes, byte_vector(bytes), random);
    collector got;
    (void)deliver(bytes, got, random);
    size_t total = 0;
    for (auto& each : got.frames)
      total += each.size() + framing::header_size;
    EXPECT_LE(total, bytes.size());
  });
}

} // namespace
} // namespace troupe::testing
