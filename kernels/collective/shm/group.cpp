#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/shm/link.hpp"

#include <algorithm>
#include <cstring>

namespace troupe::collective {
namespace {

constexpr size_t block_floats = 4096; // of a sum: stays in the first cache while ranks are added

void copy(float* to, const float* from, size_t count) {
  if (count > 0)
    memcpy(to, from, count * sizeof(float));
}

class shm_group final : public common_group {
public:
  shm_group(const group_options& options, std::unique_ptr<shm::region> memory)
    : common_group(options), memory_(std::move(memory)) {}

private:
  result<void> execute(const operation& op, std::span<float> data, time_point until) override {
    memory_->slot_of(rank()).called[op.sequence % 2] = op;
    if (op.kind == operation_kind::broadcast)
      return spread(op, data, until);
    if (op.kind == operation_kind::allreduce && data.size() > shm::small_floats)
      return reduce_chunks(op, data, until);
    return reduce_small(op, data, until);
  }

  void end(errc why) override { memory_->end(why); }

  // The first meeting of an operation: from then on each rank knows what the others called. The
  // slot for the next operation but one is the same, and is written only after a meeting in
  // between, when all have read this one.
  result<void> meet_first(const operation& op, time_point until) {
    TROUPE_TRY(memory_->meet(until));
    for (uint32_t r = 0; r < size(); ++r) {
      auto& theirs = memory_->slot_of(r).called[op.sequence % 2];
      if (theirs != op)
        return mismatch(op, theirs, r);
    }
    return {};
  }

  // One meeting: everybody writes its data and reduces all of it. The other half is used next time,
  // so a fast rank does not overwrite what a slow one still reads.
  result<void> reduce_small(const operation& op, std::span<float> data, time_point until) {
    auto half = small_turn_++ % 2;
    copy(memory_->small(rank(), half), data.data(), std::min(data.size(), shm::small_floats));
    TROUPE_TRY(meet_first(op, until));
    copy(data.data(), memory_->small(0, half), data.size());
    for (uint32_t r = 1; r < size(); ++r)
      combine(data.data(), memory_->small(r, half), data.size(), op.how);
    finish(data.data(), data.size(), op.how, size());
    return {};
  }

  // Two meetings a chunk: all inputs are there; all sums are there. Inputs are read only between
  // the two, and sums only after the second, so one of each is enough.
  result<void> reduce_chunks(const operation& op, std::span<float> data, time_point until) {
    auto step = shm::chunk_floats(size());
    for (size_t at = 0; at < data.size(); at += step) {
      auto count = std::min(step, data.size() - at);
      auto* mine = data.data() + at;
      // Parts begin at cache lines.
      auto part = (count / size() + 16) / 16 * 16;
      auto first = std::min(count, rank() * part);
      auto last = std::min(count, first + part);
      auto* input = memory_->input(rank());
      copy(input, mine, first);
      copy(input + last, mine + last, count - last);
      TROUPE_TRY(at == 0 ? meet_first(op, until) : memory_->meet(until));
      reduce_part(op.how, mine, first, last);
      TROUPE_TRY(memory_->meet(until));
      copy(mine, memory_->sums(), count);
    }
    return {};
  }

  // This rank's own input is still in `mine`: it is the one part that nobody else reads.
  void reduce_part(reduction how, const float* mine, size_t first, size_t last) {
    for (auto at = first; at < last; at += block_floats) {
      auto count = std::min(block_floats, last - at);
      auto* sum = memory_->sums() + at;
      for (uint32_t r = 0; r < size(); ++r) {
        auto* from = (r == rank() ? mine : memory_->input(r)) + at;
        if (r == 0)
          copy(sum, from, count);
        else
          combine(sum, from, count, how);
      }
      finish(sum, count, how, size());
    }
  }

  // One meeting a piece; the halves of the stage take turns over the group's whole life, whoever
  // the root is: a half is written again only after a meeting at which all had read it.
  result<void> spread(const operation& op, std::span<float> data, time_point until) {
    auto step = shm::chunk_floats(size()) / 2;
    size_t at = 0;
    do {
      auto count = std::min(step, data.size() - at);
      auto* stage = memory_->stage(stage_turn_++ % 2);
      if (rank() == op.root)
        copy(stage, data.data() + at, count);
      TROUPE_TRY(at == 0 ? meet_first(op, until) : memory_->meet(until));
      if (rank() != op.root)
        copy(data.data() + at, stage, count);
      at += step;
    } while (at < data.size());
    return {};
  }

  std::unique_ptr<shm::region> memory_;
  uint32_t small_turn_ = 0;
  uint32_t stage_turn_ = 0;
};

} // namespace

result<std::unique_ptr<group>> join_shm(const group_options& options, const std::string& name) {
  TROUPE_TRY(check(options));
  if (options.size == 1)
    return make_single(options);
  auto memory = shm::join(options, name, now() + options.deadline);
  if (!memory)
    return memory.error();
  return std::unique_ptr<group>(std::make_unique<shm_group>(options, std::move(*memory)));
}

} // namespace troupe::collective
