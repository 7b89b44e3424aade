#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/tcp/plan.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace troupe::collective {
namespace {

using tcp::bytes;
using tcp::const_bytes;
using tcp::piece_bytes;

class tcp_group final : public common_group {
public:
  tcp_group(const group_options& options, std::shared_ptr<tcp::mesh_link> link,
            std::vector<uint32_t> among)
    : common_group(options), peers_(std::move(link), std::move(among), options.rank) {}

  // Learns what a message costs, and so that everybody is there.
  result<void> meet(time_point until) {
    peers_.begin({});
    auto mine = tcp::measure(peers_, until);
    if (!mine)
      return mine.error();
    // All have to choose the same way: the slowest counts.
    std::array<double, 2> worst{mine->latency_s, mine->byte_s};
    TROUPE_TRY(
      tcp::reduce_by(tcp::way::doubling, peers_, worst, reduction::max, {}, scratch_, until));
    costs_ = {worst[0], worst[1]};
    return {};
  }

private:
  result<void> execute(const call& x, time_point until) override {
    peers_.begin(x.what);
    TROUPE_TRY(tell_next(until));
    switch (x.what.kind) {
    case operation_kind::allreduce:
      return run_reduce(x, {}, until);
    case operation_kind::reduce_scatter:
      return run_reduce_scatter(x, until);
    case operation_kind::allgather:
      return run_allgather(x, until);
    case operation_kind::broadcast:
      return run_broadcast(x.out, x.what.root, until);
    case operation_kind::reduce:
      return run_reduce(x, x.what.root, until);
    case operation_kind::gather:
      return run_gather(x, until);
    case operation_kind::scatter:
      return run_scatter(x, until);
    case operation_kind::all_to_all:
      return run_all_to_all(x, until);
    case operation_kind::barrier:
    case operation_kind::allocate:
    case operation_kind::transfer:
      break;
    }
    return meet_all(until);
  }

  result<void> look_at_others() override { return peers_.look(); }
  void end(errc) override { peers_.end(); }

  // A rank that calls something else is found at once, and not when somebody misses its bytes.
  result<void> tell_next(time_point until) {
    std::byte sent{};
    std::byte got{};
    return peers_.exchange(peers_.after(1), {&sent, 1}, peers_.before(1), {&got, 1}, until);
  }

  // After step k each rank knows of 2^(k+1) ranks that they are here (Hensgen, Finkel, Manber, "Two
  // algorithms for barrier synchronization", 1988).
  result<void> meet_all(time_point until) {
    std::byte sent{};
    std::byte got{};
    for (uint32_t step = 1; step < size(); step *= 2)
      TROUPE_TRY(
        peers_.exchange(peers_.after(step), {&sent, 1}, peers_.before(step), {&got, 1}, until));
    return {};
  }

  // With a root, it alone gets the result.
  result<void> run_reduce(const call& x, std::optional<uint32_t> root, time_point until) {
    return reduce_as_sum(x, [&](const output& row, reduction how) {
      auto way = root ? tcp::choose_to_root(costs_, row.bytes(), size())
                      : tcp::choose(costs_, row.bytes(), size());
      return tcp::reduce_by(way, peers_, row, how, root, scratch_, until);
    });
  }

  // Parts of all ranks, piece by piece, reduced in the order of the ranks.
  result<void> run_reduce_scatter(const call& x, time_point until) {
    auto size_of_part = x.out.bytes();
    auto step = std::max<size_t>(piece_bytes / size(), 4096) / 64 * 64;
    scratch_.resize(std::max(scratch_.size(), size() * step));
    std::vector<const std::byte*> inputs(size());
    for (size_t at = 0; at < size_of_part; at += step) {
      auto length = std::min(step, size_of_part - at);
      inputs[rank()] = x.in.data + rank() * size_of_part + at;
      for (uint32_t other = 1; other < size(); ++other) {
        auto to = peers_.after(other);
        auto from = peers_.before(other);
        auto theirs = bytes(scratch_).subspan(from * step, length);
        TROUPE_TRY(
          peers_.exchange(to, {x.in.data + to * size_of_part + at, length}, from, theirs, until));
        inputs[from] = theirs.data();
      }
      std::byte* target = x.out.data + at;
      collective::reduce(x.in.type, x.what.how, inputs, {&target, 1}, length / size_of(x.in.type));
    }
    return {};
  }

  // Each pair of ranks exchanges its parts: `out_of(r)` goes to rank r, and comes into `into(r)`.
  template <class Out, class Into>
  result<void> with_all(const Out& out_of, const Into& into, time_point until) {
    for (uint32_t other = 1; other < size(); ++other)
      TROUPE_TRY(peers_.exchange(peers_.after(other), out_of(peers_.after(other)),
                                 peers_.before(other), into(peers_.before(other)), until));
    return {};
  }

  result<void> run_allgather(const call& x, time_point until) {
    auto size_of_part = x.in.bytes();
    copy_bytes(x.out.data + rank() * size_of_part, x.in.data, size_of_part);
    return with_all([&](uint32_t) { return const_bytes(x.in.data, size_of_part); },
                    [&](uint32_t r) { return bytes(x.out.data + r * size_of_part, size_of_part); },
                    until);
  }

  result<void> run_all_to_all(const call& x, time_point until) {
    auto size_of_part = x.in.bytes() / size();
    copy_bytes(x.out.data + rank() * size_of_part, x.in.data + rank() * size_of_part, size_of_part);
    return with_all(
      [&](uint32_t r) { return const_bytes(x.in.data + r * size_of_part, size_of_part); },
      [&](uint32_t r) { return bytes(x.out.data + r * size_of_part, size_of_part); }, until);
  }

  result<void> run_gather(const call& x, time_point until) {
    auto size_of_part = x.in.bytes();
    if (rank() != x.what.root)
      return peers_.send(x.what.root, {x.in.data, size_of_part}, until);
    copy_bytes(x.out.data + rank() * size_of_part, x.in.data, size_of_part);
    for (uint32_t other = 1; other < size(); ++other)
      TROUPE_TRY(peers_.receive(peers_.after(other),
                                {x.out.data + peers_.after(other) * size_of_part, size_of_part},
                                until));
    return {};
  }

  result<void> run_scatter(const call& x, time_point until) {
    auto size_of_part = x.out.bytes();
    if (rank() != x.what.root)
      return peers_.receive(x.what.root, {x.out.data, size_of_part}, until);
    copy_bytes(x.out.data, x.in.data + rank() * size_of_part, size_of_part);
    for (uint32_t other = 1; other < size(); ++other)
      TROUPE_TRY(peers_.send(peers_.after(other),
                             {x.in.data + peers_.after(other) * size_of_part, size_of_part},
                             until));
    return {};
  }

  result<void> run_broadcast(const output& row, uint32_t root, time_point until) {
    return tcp::tree_broadcasts(costs_, row.bytes(), size())
             ? tcp::broadcast_by_tree(peers_, row, root, until)
             : tcp::broadcast_by_ring(peers_, row, root, until);
  }

  // Both say that they are there: what comes then is for the receiver.
  result<void> greet(const call& x, uint32_t other, time_point until) {
    peers_.begin(x.what);
    std::byte sent{};
    std::byte got{};
    return peers_.exchange(other, {&sent, 1}, other, {&got, 1}, until);
  }

  result<void> transmit(const call& x, uint32_t to, time_point until) override {
    TROUPE_TRY(greet(x, to, until));
    return peers_.send(to, {x.in.data, x.in.bytes()}, until);
  }

  result<void> take(const call& x, uint32_t from, time_point until) override {
    TROUPE_TRY(greet(x, from, until));
    return peers_.receive(from, {x.out.data, x.out.bytes()}, until);
  }

  tcp::peers peers_;
  tcp::costs costs_;
  std::vector<std::byte> scratch_;
};

} // namespace

result<std::unique_ptr<common_group>> tcp::make_group(const group_options& options,
                                                      std::shared_ptr<mesh_link> link,
                                                      std::vector<uint32_t> among,
                                                      time_point until) {
  if (options.size == 1)
    return make_single(options);
  auto made = std::make_unique<tcp_group>(options, std::move(link), std::move(among));
  TROUPE_TRY(made->meet(until));
  return std::unique_ptr<common_group>(std::move(made));
}

result<std::unique_ptr<group>> join_tcp(const group_options& options, int listener,
                                        const std::vector<std::string>& members) {
  owned_fd owned(listener);
  TROUPE_TRY(check(options, members));
  auto until = now() + options.deadline;
  auto link = tcp::join(options, std::move(owned), members, until);
  if (!link)
    return link.error();
  std::vector<uint32_t> all(options.size);
  std::iota(all.begin(), all.end(), 0u);
  auto made = tcp::make_group(options, std::move(*link), std::move(all), until);
  if (!made)
    return made.error();
  return std::unique_ptr<group>(std::move(*made));
}

} // namespace troupe::collective
