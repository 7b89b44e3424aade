#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/tcp/plan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace troupe::collective::tcp {
namespace {

struct segment {
  size_t first = 0; // elements
  size_t count = 0;
};

// The part of a row that travels as one: `index` counts modulo the parts.
segment segment_of(size_t count, uint32_t parts, uint32_t index) {
  index %= parts;
  auto least = count / parts;
  auto longer = count % parts;
  return {index * least + std::min<size_t>(index, longer), least + (index < longer ? 1 : 0)};
}

class reducing {
public:
  reducing(peers& with, std::vector<std::byte>& scratch) : peers_(with), scratch_(scratch) {}

  // Reduce-scatter, then allgather, around the ring. A segment is summed beginning at the rank of
  // its index: the same order in every run.
  result<void> ring(const output& row, reduction how, time_point until) {
    auto ranks = peers_.size();
    auto nth = [&](uint32_t index) { return segment_of(row.count, ranks, index); };
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto in = nth(peers_.rank() + 2 * ranks - step - 1);
      auto* sum = mutable_part(row, in).data();
      TROUPE_TRY(pass(peers_.after(1), part(row, nth(peers_.rank() + ranks - step)),
                      peers_.before(1), {}, part(row, in).size(), until, [&](size_t at, bytes got) {
                        combine(row.type, how, sum + at, got.data(),
                                got.size() / size_of(row.type));
                      }));
    }
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto in = mutable_part(row, nth(peers_.rank() + ranks - step));
      TROUPE_TRY(pass(peers_.after(1), part(row, nth(peers_.rank() + ranks + 1 - step)),
                      peers_.before(1), in, in.size(), until, [](size_t, bytes) {}));
    }
    return {};
  }

  result<void> doubling(const output& row, reduction how, time_point until) {
    segment all{0, row.count};
    return in_power_of_two(row, how, until, [&](uint32_t power) -> result<void> {
      for (uint32_t distance = 1; distance < power; distance *= 2)
        TROUPE_TRY(double_with(row, peers_.rank() ^ distance, all, how, until));
      return {};
    });
  }

  // Halves are exchanged and added with partners ever nearer, and then gathered on the way back.
  result<void> halving(const output& row, reduction how, time_point until) {
    return in_power_of_two(row, how, until, [&](uint32_t power) -> result<void> {
      std::vector<segment> rest; // what the other one of each pair has
      segment mine{0, row.count};
      for (auto distance = power / 2; distance > 0; distance /= 2) {
        auto with = peers_.rank() ^ distance;
        segment low{mine.first, mine.count / 2};
        segment high{mine.first + low.count, mine.count - low.count};
        auto upper = (peers_.rank() & distance) != 0;
        rest.push_back(upper ? low : high);
        mine = upper ? high : low;
        TROUPE_TRY(swap_and_combine(row, with, rest.back(), mine, how, until));
      }
      for (uint32_t distance = 1; distance < power; distance *= 2) {
        auto with = peers_.rank() ^ distance;
        TROUPE_TRY(
          peers_.exchange(with, part(row, mine), with, mutable_part(row, rest.back()), until));
        auto first = std::min(mine.first, rest.back().first);
        mine = {first, mine.count + rest.back().count};
        rest.pop_back();
      }
      return {};
    });
  }

private:
  static const_bytes part(const output& row, segment which) {
    auto each = size_of(row.type);
    return {row.data + which.first * each, which.count * each};
  }
  static bytes mutable_part(const output& row, segment which) {
    auto each = size_of(row.type);
    return {row.data + which.first * each, which.count * each};
  }

  // Exchanges bytes piece by piece; `received(at, bytes)` comes after each piece, which lies in
  // `into`, or in the scratch memory where that is empty.
  template <class F>
  result<void> pass(uint32_t to, const_bytes out, uint32_t from, bytes into, size_t coming,
                    time_point until, const F& received) {
    scratch_.resize(std::max(scratch_.size(), into.empty() ? std::min(coming, piece_bytes) : 0));
    for (size_t at = 0; at < std::max(out.size(), coming); at += piece_bytes) {
      auto source = out.subspan(std::min(at, out.size()));
      auto size = std::min(piece_bytes, coming - std::min(at, coming));
      auto target = into.empty() ? bytes(scratch_).first(size)
                                 : into.subspan(std::min(at, into.size()), size);
      TROUPE_TRY(peers_.exchange(to, source.first(std::min(piece_bytes, source.size())), from,
                                 target, until));
      if (size > 0)
        received(at, target);
    }
    return {};
  }

  // mine = the two, the lower rank's first: both get the same bits.
  static void combine_in_order(const output& row, size_t at, bytes theirs, bool they_are_lower,
                               reduction how) {
    auto count = theirs.size() / size_of(row.type);
    auto* mine = row.data + at;
    if (!they_are_lower)
      return combine(row.type, how, mine, theirs.data(), count);
    combine(row.type, how, theirs.data(), mine, count);
    memcpy(mine, theirs.data(), theirs.size());
  }

  // Exchanges parts of the row with one rank, and adds what it sent to `kept`.
  result<void> swap_and_combine(const output& row, uint32_t with, segment sent, segment kept,
                                reduction how, time_point until) {
    auto first = kept.first * size_of(row.type);
    return pass(with, part(row, sent), with, {}, part(row, kept).size(), until,
                [&](size_t at, bytes got) {
                  combine_in_order(row, first + at, got, with < peers_.rank(), how);
                });
  }

  // The ranks beyond a power of two give their row to a partner, which does the rest for them.
  template <class F>
  result<void> in_power_of_two(const output& row, reduction how, time_point until,
                               const F& inside) {
    auto power = std::bit_floor(peers_.size());
    segment all{0, row.count};
    if (peers_.rank() >= power) {
      TROUPE_TRY(peers_.send(peers_.rank() - power, part(row, all), until));
      return peers_.receive(peers_.rank() - power, mutable_part(row, all), until);
    }
    auto has_partner = peers_.rank() + power < peers_.size();
    if (has_partner)
      TROUPE_TRY(swap_and_combine(row, peers_.rank() + power, {}, all, how, until));
    TROUPE_TRY(inside(power));
    return has_partner ? peers_.send(peers_.rank() + power, part(row, all), until) : result<void>{};
  }

  // What is sent must not be changed by what comes before all of it has gone.
  result<void> double_with(const output& row, uint32_t with, segment all, reduction how,
                           time_point until) {
    auto size = part(row, all).size();
    scratch_.resize(std::max(scratch_.size(), size));
    auto theirs = bytes(scratch_).first(size);
    TROUPE_TRY(peers_.exchange(with, part(row, all), with, theirs, until));
    if (size > 0)
      combine_in_order(row, 0, theirs, with < peers_.rank(), how);
    return {};
  }

  peers& peers_;
  std::vector<std::byte>& scratch_;
};

} // namespace

result<void> reduce_by(way chosen, peers& with, const output& row, reduction how,
                       std::vector<std::byte>& scratch, time_point until) {
  reducing work(with, scratch);
  switch (chosen) {
  case way::doubling:
    return work.doubling(row, how, until);
  case way::halving:
    return work.halving(row, how, until);
  case way::ring:
    break;
  }
  return work.ring(row, how, until);
}

} // namespace troupe::collective::tcp
