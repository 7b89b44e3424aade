#include "kernels/collective/tcp/plan.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace troupe::collective::tcp {

namespace {

constexpr int small_exchanges = 8;
constexpr int large_exchanges = 4;
constexpr size_t large_bytes = 256u << 10;
constexpr double combined_byte_s = 1.5e-10; // adding two rows that lie in the cache

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
  auto row = static_cast<double>(length);
  auto sent = known.byte_s * row;
  auto combined = combined_byte_s * row;
  auto steps = std::bit_width(std::bit_floor(ranks)) - 1; // of those that are a power of two
  auto others = static_cast<double>(ranks - 1) / ranks;
  // Those beyond it give their rows and get the result.
  auto more = std::has_single_bit(ranks) ? 0.0 : 2 * (known.latency_s + sent) + combined;
  auto doubling = steps * (known.latency_s + sent + combined) + more;
  auto halving = 2 * steps * known.latency_s + others * (2 * sent + combined) + more;
  auto ring = 2 * (ranks - 1) * known.latency_s + others * (2 * sent + combined);
  if (doubling <= std::min(halving, ring))
    return way::doubling;
  return halving < ring ? way::halving : way::ring;
}

} // namespace troupe::collective::tcp
