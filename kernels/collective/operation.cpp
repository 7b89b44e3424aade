#include "kernels/collective/operation.hpp"

namespace troupe::collective {
namespace {

class single_group final : public common_group {
public:
  using common_group::common_group;

private:
  result<void> execute(const operation&, std::span<float>, time_point) override { return {}; }
  void end(errc) override {}
};

std::string describe(const operation& op) {
  auto name = op.kind == operation_kind::allreduce   ? "allreduce"
              : op.kind == operation_kind::broadcast ? "broadcast"
              : op.kind == operation_kind::barrier   ? "barrier"
                                                     : "unknown operation";
  return std::string(name) + " number " + std::to_string(op.sequence) + " of "
         + std::to_string(op.count) + " elements";
}

} // namespace

result<void> check(const group_options& options) {
  if (options.size == 0 || options.size > group_size_max)
    return {errc::invalid, "a group has 1 to " + std::to_string(group_size_max) + " ranks, not "
                             + std::to_string(options.size) + "."};
  if (options.rank >= options.size)
    return {errc::invalid, "rank " + std::to_string(options.rank) + " is not in a group of "
                             + std::to_string(options.size) + ": ranks count from 0."};
  if (options.secret.empty() && options.size > 1)
    return {errc::invalid, "a group needs a secret that its members share: set one."};
  if (options.deadline <= duration::zero())
    return {errc::invalid, "the deadline of a group must be longer than nothing."};
  return {};
}

time_point now() {
  return system_clock{}.now();
}

error mismatch(const operation& mine, const operation& theirs, uint32_t rank) {
  return {errc::invalid, "rank " + std::to_string(rank) + " called " + describe(theirs)
                           + " where this rank called " + describe(mine)
                           + ": call the same operations in the same order on every rank."};
}

result<void> common_group::allreduce(std::span<float> data, reduction how) {
  return perform({operation_kind::allreduce, how, 0, 0, data.size()}, data);
}

result<void> common_group::broadcast(std::span<float> data, uint32_t root) {
  if (root >= size())
    return {errc::invalid, "the root of a broadcast, rank " + std::to_string(root)
                             + ", is not in a group of " + std::to_string(size()) + "."};
  return perform({operation_kind::broadcast, reduction::sum, root, 0, data.size()}, data);
}

result<void> common_group::barrier() {
  return perform({}, {});
}

void common_group::abort() {
  aborted_ = true;
  end(errc::aborted);
}

result<void> common_group::perform(operation op, std::span<float> data) {
  if (failure_)
    return *failure_;
  op.sequence = sequence_++;
  result<void> done;
  if (!aborted_)
    done = execute(op, data, now() + options_.deadline);
  // An abort that comes while the operation completes is this rank's own wish: it wins.
  if (aborted_)
    done = error{errc::aborted, "the group was aborted by this rank: make a new generation."};
  if (!done) {
    failure_ = done.error();
    end(failure_->code);
  }
  return done;
}

std::unique_ptr<group> make_single(const group_options& options) {
  return std::make_unique<single_group>(options);
}

} // namespace troupe::collective
