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

// One reduction. Doubling and halving work among as many places as the largest power of two that
// there are ranks for: a rank beyond them gives its row to the rank at its place, or takes that
// one's, if it is the root. Place p combines with p ^ 1, then p ^ 2, p ^ 4, ..., the lower one's
// part first: the order of each element's sum is that of doubling, whatever is sent.
class reducing {
public:
  reducing(peers& with, const output& row, reduction how, std::optional<uint32_t> root,
           std::vector<std::byte>& scratch, time_point until)
    : peers_(with), row_(row), how_(how), root_(root), scratch_(scratch), until_(until),
      power_(std::bit_floor(with.size())), place_(with.rank() & (power_ - 1)) {}

  // Reduce-scatter, then allgather, around the ring. A segment is summed beginning at the rank of
  // its index: the same order in every run.
  result<void> ring() {
    auto ranks = peers_.size();
    auto nth = [&](uint32_t index) { return segment_of(row_.count, ranks, index); };
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto sum = part(nth(peers_.rank() + 2 * ranks - step - 1));
      TROUPE_TRY(pass(peers_.after(1), part(nth(peers_.rank() + ranks - step)), peers_.before(1),
                      {}, sum.size(), [&](size_t at, bytes got) {
                        combine(row_.type, how_, sum.data() + at, got.data(),
                                got.size() / size_of(row_.type));
                      }));
    }
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto in = part(nth(peers_.rank() + ranks - step));
      TROUPE_TRY(pass(peers_.after(1), part(nth(peers_.rank() + ranks + 1 - step)),
                      peers_.before(1), in, in.size(), [](size_t, bytes) {}));
    }
    return {};
  }

  // Whole rows are exchanged with partners ever farther, or go up a binomial tree to the root.
  result<void> doubling() {
    return in_power_of_two([&]() -> result<void> {
      for (uint32_t distance = 1; distance < power_; distance *= 2) {
        if (!takes(distance))
          return peers_.send(at(place_ ^ distance), part(all_), until_);
        TROUPE_TRY(gives(distance) ? double_with(distance) : take_and_combine(distance, {}, all_));
      }
      return {};
    });
  }

  // Halves are exchanged and added with partners ever farther, and then gathered on the way back:
  // by every rank, or up the tree to the root.
  result<void> halving() {
    return in_power_of_two([&]() -> result<void> {
      std::vector<segment> rest; // what the other one of each pair has
      auto mine = all_;
      for (uint32_t distance = 1; distance < power_; distance *= 2) {
        segment low{mine.first, mine.count / 2};
        segment high{mine.first + low.count, mine.count - low.count};
        auto upper = is_upper(distance);
        rest.push_back(upper ? low : high);
        mine = upper ? high : low;
        TROUPE_TRY(take_and_combine(distance, rest.back(), mine));
      }
      for (auto distance = power_ / 2; distance > 0; distance /= 2) {
        auto with = at(place_ ^ distance);
        if (!takes(distance))
          return peers_.send(with, part(mine), until_);
        TROUPE_TRY(peers_.exchange(with, gives(distance) ? part(mine) : bytes{}, with,
                                   part(rest.back()), until_));
        mine = {std::min(mine.first, rest.back().first), mine.count + rest.back().count};
        rest.pop_back();
      }
      return {};
    });
  }

private:
  bytes part(segment which) const {
    auto each = size_of(row_.type);
    return {row_.data + which.first * each, which.count * each};
  }

  // Which rank stands there.
  uint32_t at(uint32_t place) const {
    return root_ && (*root_ & (power_ - 1)) == place ? *root_ : place;
  }

  bool is_upper(uint32_t distance) const { return (place_ & distance) != 0; }

  // Of two at this distance, both give and take the sum; with a root, the one nearer to it takes.
  bool takes(uint32_t distance) const { return !root_ || ((place_ ^ *root_) & distance) == 0; }
  bool gives(uint32_t distance) const { return !root_ || !takes(distance); }

  // Exchanges bytes piece by piece; `received(at, bytes)` comes after each piece, which lies in
  // `into`, or in the scratch memory where that is empty.
  template <class F>
  result<void> pass(uint32_t to, const_bytes out, uint32_t from, bytes into, size_t coming,
                    const F& received) {
    scratch_.resize(std::max(scratch_.size(), into.empty() ? std::min(coming, piece_bytes) : 0));
    for (size_t at = 0; at < std::max(out.size(), coming); at += piece_bytes) {
      auto source = out.subspan(std::min(at, out.size()));
      auto size = std::min(piece_bytes, coming - std::min(at, coming));
      auto target = into.empty() ? bytes(scratch_).first(size)
                                 : into.subspan(std::min(at, into.size()), size);
      TROUPE_TRY(peers_.exchange(to, source.first(std::min(piece_bytes, source.size())), from,
                                 target, until_));
      if (size > 0)
        received(at, target);
    }
    return {};
  }

  // mine = the two, the lower one's first: both get the same bits.
  void combine_in_order(std::byte* mine, bytes theirs, bool they_are_lower) const {
    auto count = theirs.size() / size_of(row_.type);
    if (!they_are_lower)
      return combine(row_.type, how_, mine, theirs.data(), count);
    combine(row_.type, how_, theirs.data(), mine, count);
    memcpy(mine, theirs.data(), theirs.size());
  }

  // Exchanges parts of the row with one rank, and adds what it sent to `kept`.
  result<void> swap_and_combine(uint32_t with, segment sent, segment kept, bool they_are_lower) {
    auto into = part(kept);
    return pass(with, part(sent), with, {}, into.size(), [&](size_t at, bytes got) {
      combine_in_order(into.data() + at, got, they_are_lower);
    });
  }
  result<void> take_and_combine(uint32_t distance, segment sent, segment kept) {
    return swap_and_combine(at(place_ ^ distance), sent, kept, is_upper(distance));
  }

  // The two at one place become one, which stands there while the others reduce.
  template <class F>
  result<void> in_power_of_two(const F& inside) {
    if (place_ + power_ >= peers_.size())
      return inside();
    auto other = peers_.rank() ^ power_;
    if (at(place_) == other) {
      TROUPE_TRY(peers_.send(other, part(all_), until_));
      return root_ ? result<void>{} : peers_.receive(other, part(all_), until_);
    }
    TROUPE_TRY(swap_and_combine(other, {}, all_, other < peers_.rank()));
    TROUPE_TRY(inside());
    return root_ ? result<void>{} : peers_.send(other, part(all_), until_);
  }

  // What is sent must not be changed by what comes before all of it has gone.
  result<void> double_with(uint32_t distance) {
    auto size = row_.bytes();
    scratch_.resize(std::max(scratch_.size(), size));
    auto theirs = bytes(scratch_).first(size);
    auto with = at(place_ ^ distance);
    TROUPE_TRY(peers_.exchange(with, part(all_), with, theirs, until_));
    if (size > 0)
      combine_in_order(row_.data, theirs, is_upper(distance));
    return {};
  }

  peers& peers_;
  const output row_;
  const reduction how_;
  const std::optional<uint32_t> root_;
  std::vector<std::byte>& scratch_;
  const time_point until_;
  const uint32_t power_; // places
  const uint32_t place_; // of this rank
  const segment all_{0, row_.count};
};

} // namespace

result<void> reduce_by(way chosen, peers& with, const output& row, reduction how,
                       std::optional<uint32_t> root, std::vector<std::byte>& scratch,
                       time_point until) {
  reducing work(with, row, how, root, scratch, until);
  switch (chosen) {
  case way::doubling:
    return work.doubling();
  case way::halving:
    return work.halving();
  case way::ring:
    break;
  }
  return work.ring();
}

} // namespace troupe::collective::tcp
