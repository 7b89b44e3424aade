#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/shm/link.hpp"
#include "kernels/collective/shm/registered.hpp"

#include <algorithm>

namespace troupe::collective {
namespace {

constexpr size_t small_bytes = 8u << 10; // up to here every rank reduces everything
constexpr size_t line = 64;              // parts begin at cache lines

struct part {
  size_t at = 0;
  size_t size = 0;
};

// An operation goes on in steps. In each, every rank shows bytes in one of its two windows, meets
// the others, and takes what it needs from theirs; the windows take turns over the group's whole
// life. So a window is written again only after one more meeting, at which all have read it.
class shm_group final : public common_group {
public:
  shm_group(const group_options& options, std::unique_ptr<shm::region> memory)
    : common_group(options), memory_(std::move(memory)),
      registered_(*memory_, options.rank, options.size), inputs_(options.size),
      targets_(std::max(2u, options.size)) {}

private:
  result<void> execute(const call& x, time_point until) override {
    called_ = x.what;
    announce_places(x, *called_);
    auto announced = called_->in_at != 0;
    memory_->slot_of(rank()).called[x.what.sequence % 2] = *called_;
    direct_ = false;
    if (announced)
      TROUPE_TRY(meet(until));
    switch (x.what.kind) {
    case operation_kind::allreduce:
      return run_allreduce(x, until);
    case operation_kind::reduce_scatter:
      return run_reduce_scatter(x, until);
    case operation_kind::allgather:
      return run_allgather(x, until);
    case operation_kind::broadcast:
      return run_broadcast(x, until);
    case operation_kind::reduce:
      return run_reduce(x, until);
    case operation_kind::gather:
      return run_gather(x, until);
    case operation_kind::scatter:
      return run_scatter(x, until);
    case operation_kind::all_to_all:
      return run_all_to_all(x, until);
    case operation_kind::allocate:
      return run_allocate(x.what.count, until);
    case operation_kind::barrier:
    case operation_kind::transfer:
      break;
    }
    return meet(until);
  }

  result<void> look_at_others() override { return memory_->look(); }
  void end(errc why) override { memory_->end(why); }

  // Where the rows lie, of those operations that gain by it. What is reduced in place is written in
  // place.
  void announce_places(const call& x, operation& to) {
    auto kind = x.what.kind;
    if (kind != operation_kind::allreduce && kind != operation_kind::reduce_scatter
        && kind != operation_kind::allgather && kind != operation_kind::broadcast)
      return;
    auto in_at = registered_.place_of(x.in);
    auto out_at = in_at != 0 ? registered_.place_of(x.out) : 0;
    if (in_at == 0 || (out_at == 0 && kind == operation_kind::allreduce))
      return;
    to.in_at = in_at;
    to.out_at = out_at;
  }

  // At the first meeting of an operation each rank learns what the others called. The slot for the
  // next operation but one is the same, and is written only after a meeting in between, when all
  // have read this one.
  result<void> meet(time_point until) {
    TROUPE_TRY(memory_->meet(until));
    if (!called_)
      return {};
    auto mine = *std::exchange(called_, std::nullopt);
    auto announced = false;
    auto agreed = true;
    for (uint32_t r = 0; r < size(); ++r) {
      auto& theirs = memory_->slot_of(r).called[mine.sequence % 2];
      if (!same_call(theirs, mine))
        return mismatch(mine, theirs, r);
      announced = announced || theirs.in_at != 0;
      agreed = agreed && theirs.in_at == mine.in_at && theirs.out_at == mine.out_at;
    }
    direct_ = announced && agreed;
    // Those whose rows lie in registered memory have met to agree on that, and meet once more.
    return announced && mine.in_at == 0 ? memory_->meet(until) : result<void>{};
  }

  std::byte* mine() { return memory_->window(rank(), turn_); }
  std::byte* theirs(uint32_t r) { return memory_->window(r, turn_); }

  // `put` shows up to `step` bytes of the `total`, `take` reads what the others showed.
  template <class Put, class Take>
  result<void> in_steps(size_t total, size_t step, time_point until, const Put& put,
                        const Take& take) {
    size_t at = 0;
    do {
      auto bytes = std::min(step, total - at);
      put(at, bytes);
      TROUPE_TRY(meet(until));
      take(at, bytes);
      ++turn_;
      at += bytes;
    } while (at < total);
    return {};
  }

  size_t whole_step() const { return shm::window_bytes(size()); }
  // Where a window holds one part for each rank.
  size_t part_step() const { return shm::window_bytes(size()) / size() / line * line; }

  // The inputs of all ranks from byte `at` of a row, or of what a step shows.
  template <class Where>
  std::span<const std::byte* const> all_inputs(const std::byte* own, const Where& where) {
    for (uint32_t r = 0; r < size(); ++r)
      inputs_[r] = r == rank() ? own : where(r);
    return inputs_;
  }

  result<void> run_allreduce(const call& x, time_point until) {
    if (direct_)
      return reduce_in_place(x, until);
    if (x.in.bytes() <= small_bytes)
      return in_steps(
        x.in.bytes(), small_bytes, until,
        [&](size_t, size_t bytes) { copy_bytes(mine(), x.in.data, bytes); },
        [&](size_t, size_t) {
          targets_[0] = x.out.data;
          collective::reduce(x.in.type, x.what.how,
                             all_inputs(x.in.data, [&](uint32_t r) { return theirs(r); }),
                             {targets_.data(), 1}, x.in.count);
        });
    for (size_t at = 0; at < x.in.bytes(); at += whole_step())
      TROUPE_TRY(reduce_chunk(x, at, std::min(whole_step(), x.in.bytes() - at), until));
    return {};
  }

  // The part of a row that a rank reduces.
  part part_of(uint32_t r, size_t bytes) const {
    auto each = (bytes / size() + line) / line * line;
    auto first = std::min(bytes, r * each);
    return {first, std::min(bytes, first + each) - first};
  }

  // A rank shows what others reduce, and then what it has reduced.
  result<void> reduce_chunk(const call& x, size_t at, size_t bytes, time_point until) {
    auto own = part_of(rank(), bytes);
    auto* in = x.in.data + at;
    auto* out = x.out.data + at;
    copy_bytes(mine(), in, own.at);
    copy_bytes(mine() + own.at + own.size, in + own.at + own.size, bytes - own.at - own.size);
    TROUPE_TRY(meet(until));
    auto inputs = all_inputs(in + own.at, [&](uint32_t r) { return theirs(r) + own.at; });
    ++turn_;
    targets_[0] = mine() + own.at;
    targets_[1] = out + own.at;
    collective::reduce(x.in.type, x.what.how, inputs, {targets_.data(), 2},
                       own.size / size_of(x.in.type));
    TROUPE_TRY(meet(until));
    for (uint32_t r = 0; r < size(); ++r) {
      auto part = part_of(r, bytes);
      if (r != rank())
        copy_bytes(out + part.at, theirs(r) + part.at, part.size);
    }
    ++turn_;
    return {};
  }

  // Nothing is copied: a rank reduces its part of all rows, and writes it to all.
  result<void> reduce_in_place(const call& x, time_point until) {
    auto own = part_of(rank(), x.in.bytes());
    auto count = own.size / size_of(x.in.type);
    for (uint32_t r = 0; r < size(); ++r) {
      inputs_[r] = registered_.row_of(r, x.in) + own.at;
      targets_[r] = registered_.row_of(r, x.out) + own.at;
    }
    collective::reduce(x.in.type, x.what.how, inputs_, targets_, count);
    return meet(until);
  }

  result<void> run_reduce_scatter(const call& x, time_point until) {
    auto part = x.out.bytes();
    auto first = rank() * part;
    auto reduce_to = [&](size_t at, size_t bytes, const auto& where) {
      targets_[0] = x.out.data + at;
      collective::reduce(x.in.type, x.what.how, all_inputs(x.in.data + first + at, where),
                         {targets_.data(), 1}, bytes / size_of(x.in.type));
    };
    if (direct_) {
      reduce_to(0, part, [&](uint32_t r) { return registered_.row_of(r, x.in) + first; });
      return meet(until);
    }
    return in_steps(
      part, part_step(), until, [&](size_t at, size_t bytes) { show_parts(x.in, part, at, bytes); },
      [&](size_t at, size_t bytes) {
        reduce_to(at, bytes, [&](uint32_t r) { return theirs(r) + rank() * part_step(); });
      });
  }

  // Of each part that another rank takes, the bytes from `at`.
  void show_parts(const input& in, size_t part, size_t at, size_t bytes) {
    for (uint32_t r = 0; r < size(); ++r)
      if (r != rank())
        copy_bytes(mine() + r * part_step(), in.data + r * part + at, bytes);
  }

  result<void> run_allgather(const call& x, time_point until) {
    auto part = x.in.bytes();
    auto* out = x.out.data;
    copy_bytes(out + rank() * part, x.in.data, part);
    if (direct_) {
      for (uint32_t r = 0; r < size(); ++r)
        if (r != rank())
          copy_bytes(out + r * part, registered_.row_of(r, x.in), part);
      return meet(until);
    }
    return in_steps(
      part, whole_step(), until,
      [&](size_t at, size_t bytes) { copy_bytes(mine(), x.in.data + at, bytes); },
      [&](size_t at, size_t bytes) { take_rows(out, part, at, bytes); });
  }

  void take_rows(std::byte* out, size_t part, size_t at, size_t bytes) {
    for (uint32_t r = 0; r < size(); ++r)
      if (r != rank())
        copy_bytes(out + r * part + at, theirs(r), bytes);
  }

  result<void> run_broadcast(const call& x, time_point until) {
    auto root = x.what.root;
    auto* data = x.out.data;
    if (direct_) {
      if (rank() != root)
        copy_bytes(data, registered_.row_of(root, x.in), x.out.bytes());
      return meet(until);
    }
    return in_steps(
      x.out.bytes(), whole_step(), until,
      [&](size_t at, size_t bytes) {
        if (rank() == root)
          copy_bytes(mine(), data + at, bytes);
      },
      [&](size_t at, size_t bytes) {
        if (rank() != root)
          copy_bytes(data + at, theirs(root), bytes);
      });
  }

  result<void> run_reduce(const call& x, time_point until) {
    auto is_root = rank() == x.what.root;
    return in_steps(
      x.in.bytes(), whole_step(), until,
      [&](size_t at, size_t bytes) {
        if (!is_root)
          copy_bytes(mine(), x.in.data + at, bytes);
      },
      [&](size_t at, size_t bytes) {
        if (!is_root)
          return;
        targets_[0] = x.out.data + at;
        collective::reduce(x.in.type, x.what.how,
                           all_inputs(x.in.data + at, [&](uint32_t r) { return theirs(r); }),
                           {targets_.data(), 1}, bytes / size_of(x.in.type));
      });
  }

  result<void> run_gather(const call& x, time_point until) {
    auto part = x.in.bytes();
    auto is_root = rank() == x.what.root;
    if (is_root)
      copy_bytes(x.out.data + rank() * part, x.in.data, part);
    return in_steps(
      part, whole_step(), until,
      [&](size_t at, size_t bytes) {
        if (!is_root)
          copy_bytes(mine(), x.in.data + at, bytes);
      },
      [&](size_t at, size_t bytes) {
        if (is_root)
          take_rows(x.out.data, part, at, bytes);
      });
  }

  result<void> run_scatter(const call& x, time_point until) {
    auto part = x.out.bytes();
    auto root = x.what.root;
    if (rank() == root)
      copy_bytes(x.out.data, x.in.data + root * part, part);
    return in_steps(
      part, part_step(), until,
      [&](size_t at, size_t bytes) {
        if (rank() == root)
          show_parts(x.in, part, at, bytes);
      },
      [&](size_t at, size_t bytes) {
        if (rank() != root)
          copy_bytes(x.out.data + at, theirs(root) + rank() * part_step(), bytes);
      });
  }

  result<void> run_all_to_all(const call& x, time_point until) {
    auto part = x.in.bytes() / size();
    copy_bytes(x.out.data + rank() * part, x.in.data + rank() * part, part);
    return in_steps(
      part, part_step(), until, [&](size_t at, size_t bytes) { show_parts(x.in, part, at, bytes); },
      [&](size_t at, size_t bytes) {
        for (uint32_t r = 0; r < size(); ++r)
          if (r != rank())
            copy_bytes(x.out.data + r * part + at, theirs(r) + rank() * part_step(), bytes);
      });
  }

  result<void> run_allocate(size_t bytes, time_point until) {
    TROUPE_TRY(meet(until));
    auto made = registered_.allocate(bytes, until);
    if (!made)
      return made.error();
    allocated_ = std::move(*made);
    return {};
  }

  std::unique_ptr<memory> take_allocated() override { return std::move(allocated_); }

  result<void> transmit(const call& x, uint32_t to, time_point until) override {
    return shm::send_pieces(*memory_, rank(), x, to, until);
  }
  result<void> take(const call& x, uint32_t from, time_point until) override {
    return shm::take_pieces(*memory_, rank(), x, from, until);
  }

  std::unique_ptr<shm::region> memory_;
  shm::registry registered_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> targets_;
  std::optional<operation> called_; // until the first meeting
  bool direct_ = false;             // the rows lie at one place of registered memory on all ranks
  std::unique_ptr<memory> allocated_;
  uint32_t turn_ = 0;
};

} // namespace

result<std::unique_ptr<common_group>> shm::make_group(const group_options& options,
                                                      const std::string& name, time_point until) {
  if (options.size == 1)
    return make_single(options);
  auto memory = shm::join(options, name, until);
  if (!memory)
    return memory.error();
  return std::unique_ptr<common_group>(std::make_unique<shm_group>(options, std::move(*memory)));
}

result<std::unique_ptr<group>> join_shm(const group_options& options, const std::string& name) {
  TROUPE_TRY(check(options));
  auto made = shm::make_group(options, name, now() + options.deadline);
  if (!made)
    return made.error();
  return std::unique_ptr<group>(std::move(*made));
}

} // namespace troupe::collective
