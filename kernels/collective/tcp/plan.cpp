#include "kernels/collective/tcp/plan.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace troupe::collective::tcp {

namespace {

constexpr int small_exchanges = 8;
constexpr int large_exchanges = 4;
constexpr size_t large_bytes = 256u << 10;
constexpr size_t ring_message_bytes = 64u << 10; // take as long as a message's latency
constexpr double combined_byte_s = 1.5e-10;      // adding two rows that lie in the cache

} // namespace

result<costs> measure(peers& with, time_point until) {
  std::vector<std::byte> sent(large_bytes);
  std::vector<std::byte> got(large_bytes);
  // The quickest: what else the machines do is not the network's.
  auto quickest = [&](size_t length, int times) -> result<double> {
    auto best = std::chrono::duration<double>(std::chrono::hours(1));
    for (int i = 0; i < times; ++i) {
      auto began = now();
      TROUPE_TRY(with.exchange(with.after(1), std::span(sent).first(length), with.before(1),
                               std::span(got).first(length), until));
      best = std::min<std::chrono::duration<double>>(best, now() - began);
    }
    return best.count();
  };
  auto latency = quickest(64, small_exchanges);
  if (!latency)
    return latency.error();
  auto large = quickest(large_bytes, large_exchanges);
  if (!large)
    return large.error();
  return costs{*latency, std::max(0.0, *large - *latency) / large_bytes};
}

way choose(const costs& known, size_t length, uint32_t ranks) {
  // The ring sends 2 * (ranks - 2 - steps) messages more than halving, and the row twice less: it
  // is quicker from ranks - 2 - steps times a message's worth on. One is added because of few
  // ranks, where doubling is quicker than both up to there.
  auto steps = static_cast<size_t>(std::bit_width(ranks)) - 1;
  if (!std::has_single_bit(ranks) && length >= (ranks - 1 - steps) * ring_message_bytes)
    return way::ring;
  return choose_to_root(known, length, ranks);
}

way choose_to_root(const costs& known, size_t length, uint32_t ranks) {
  auto row = static_cast<double>(length);
  auto sent = known.byte_s * row;
  auto combined = combined_byte_s * row;
  // Among the ranks up to a power of two; the others cost either way the same.
  auto steps = std::bit_width(ranks) - 1;
  auto others = 1 - 1.0 / std::bit_floor(ranks);
  auto doubling = steps * (known.latency_s + sent + combined);
  auto halving = 2 * steps * known.latency_s + others * (2 * sent + combined);
  return doubling <= halving ? way::doubling : way::halving;
}

bool tree_broadcasts(const costs& known, size_t length, uint32_t ranks) {
  auto row = known.byte_s * static_cast<double>(length);
  auto piece = known.byte_s * static_cast<double>(std::min(length, piece_bytes));
  auto tree = std::bit_width(ranks - 1) * (known.latency_s + row);
  auto ring = (ranks - 1) * (known.latency_s + piece) + row - piece;
  return tree <= ring;
}

} // namespace troupe::collective::tcp
