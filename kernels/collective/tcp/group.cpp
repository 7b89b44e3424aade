#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/tcp/link.hpp"

#include <algorithm>

namespace troupe::collective {
namespace {

constexpr size_t piece_floats = 64u << 10; // sent and added at a time: stays in the second cache

struct segment {
  size_t first = 0;
  size_t count = 0;
};

class tcp_group final : public common_group {
public:
  tcp_group(const group_options& options, std::unique_ptr<tcp::ring_link> link)
    : common_group(options), link_(std::move(link)) {}

  // Nobody has the sum of one number before all have sent theirs.
  result<void> meet(time_point until) {
    float present = 1;
    return reduce({&present, 1}, reduction::sum, until);
  }

private:
  result<void> execute(const operation& op, std::span<float> data, time_point until) override {
    TROUPE_TRY(compare(op, until));
    if (op.kind == operation_kind::broadcast)
      return spread(data, op.root, until);
    if (op.kind == operation_kind::allreduce)
      return reduce(data, op.how, until);
    return meet(until);
  }

  void end(errc) override { link_->end(); }

  // Each rank tells the next one what it is about to do: payload never meets another operation.
  result<void> compare(const operation& op, time_point until) {
    operation theirs;
    TROUPE_TRY(link_->exchange(std::as_bytes(std::span(&op, 1)),
                               std::as_writable_bytes(std::span(&theirs, 1)), until));
    if (theirs != op)
      return mismatch(op, theirs, (rank() + size() - 1) % size());
    return {};
  }

  // The part of the data that travels as one: `index` counts modulo the ranks.
  segment segment_of(size_t count, uint32_t index) const {
    index %= size();
    auto least = count / size();
    auto longer = count % size();
    return {index * least + std::min<size_t>(index, longer), least + (index < longer ? 1 : 0)};
  }

  // Sends one segment and receives another, piece by piece; `received(at, count)` comes after each
  // piece. Pieces of the two need not be of one number: segments may differ by one element.
  template <class F>
  result<void> pass(std::span<float> data, segment out, std::span<float> into, segment in,
                    time_point until, const F& received) {
    for (size_t at = 0; at < std::max(out.count, in.count); at += piece_floats) {
      auto sending = std::min(piece_floats, out.count - std::min(at, out.count));
      auto coming = std::min(piece_floats, in.count - std::min(at, in.count));
      auto target = into.empty() ? data.subspan(in.first + std::min(at, in.count), coming)
                                 : into.first(coming);
      auto source = data.subspan(out.first + std::min(at, out.count), sending);
      TROUPE_TRY(link_->exchange(std::as_bytes(source), std::as_writable_bytes(target), until));
      received(in.first + at, coming);
    }
    return {};
  }

  // Reduce-scatter, then allgather. A segment is summed along the ring, beginning at the rank of
  // its index: the same order in every run.
  result<void> reduce(std::span<float> data, reduction how, time_point until) {
    auto ranks = size();
    auto largest = segment_of(data.size(), 0).count;
    incoming_.resize(std::max<size_t>(incoming_.size(), std::min(largest, piece_floats)));
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto out = segment_of(data.size(), rank() + ranks - step);
      auto in = segment_of(data.size(), rank() + 2 * ranks - step - 1);
      TROUPE_TRY(pass(data, out, incoming_, in, until, [&](size_t at, size_t count) {
        if (count > 0)
          combine(data.data() + at, incoming_.data(), count, how);
      }));
    }
    auto own = segment_of(data.size(), rank() + 1);
    finish(data.data() + own.first, own.count, how, ranks);
    for (uint32_t step = 0; step + 1 < ranks; ++step) {
      auto out = segment_of(data.size(), rank() + ranks + 1 - step);
      auto in = segment_of(data.size(), rank() + ranks - step);
      TROUPE_TRY(pass(data, out, {}, in, until, [](size_t, size_t) {}));
    }
    return {};
  }

  // Down the ring from the root; each rank passes a piece on while it receives the one after it.
  result<void> spread(std::span<float> data, uint32_t root, time_point until) {
    auto receives = rank() != root;
    auto passes_on = (rank() + 1) % size() != root;
    std::span<float> ready;
    for (size_t at = 0; at < data.size(); at += piece_floats) {
      auto piece = data.subspan(at, std::min(piece_floats, data.size() - at));
      if (!receives)
        ready = piece;
      TROUPE_TRY(link_->exchange(passes_on ? std::as_bytes(ready) : std::span<const std::byte>{},
                                 receives ? std::as_writable_bytes(piece) : std::span<std::byte>{},
                                 until));
      if (receives)
        ready = piece;
    }
    if (receives && passes_on)
      return link_->exchange(std::as_bytes(ready), {}, until);
    return {};
  }

  std::unique_ptr<tcp::ring_link> link_;
  std::vector<float> incoming_;
};

} // namespace

result<std::unique_ptr<group>> join_tcp(const group_options& options, int listener,
                                        const std::vector<std::string>& members) {
  owned_fd owned(listener);
  TROUPE_TRY(check(options));
  if (members.size() != options.size)
    return {errc::invalid, "a group of " + std::to_string(options.size) + " ranks was given "
                             + std::to_string(members.size()) + " addresses: give one for each."};
  if (options.size == 1)
    return make_single(options);
  auto until = now() + options.deadline;
  auto link = tcp::join(options, std::move(owned), members, until);
  if (!link)
    return link.error();
  // The neighbours are there; this says the same of everybody else.
  auto joined = std::make_unique<tcp_group>(options, std::move(*link));
  TROUPE_TRY(joined->meet(until));
  return std::unique_ptr<group>(std::move(joined));
}

} // namespace troupe::collective
