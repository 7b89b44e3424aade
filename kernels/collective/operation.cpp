#include "kernels/collective/operation.hpp"

#include "kernels/collective/arithmetic.hpp"

#include <algorithm>
#include <cstring>

namespace troupe::collective {
namespace {

class single_group final : public common_group {
public:
  using common_group::common_group;

private:
  result<void> execute(const call&, time_point) override { return {}; }
  result<void> transmit(const call&, uint32_t, time_point) override { return {}; }
  result<void> take(const call&, uint32_t, time_point) override { return {}; }
  result<void> look_at_others() override { return {}; }
  void end(errc) override {}
};

std::string_view name_of(operation_kind kind) {
  switch (kind) {
  case operation_kind::allreduce:
    return "allreduce";
  case operation_kind::reduce_scatter:
    return "reduce-scatter";
  case operation_kind::allgather:
    return "allgather";
  case operation_kind::broadcast:
    return "broadcast";
  case operation_kind::reduce:
    return "reduce";
  case operation_kind::gather:
    return "gather";
  case operation_kind::scatter:
    return "scatter";
  case operation_kind::all_to_all:
    return "all-to-all";
  case operation_kind::barrier:
    return "barrier";
  case operation_kind::allocate:
    return "allocation";
  case operation_kind::transfer:
    return "transfer";
  }
  return "unknown operation";
}

std::string describe(const operation& op) {
  return std::string(name_of(op.kind)) + " number " + std::to_string(op.sequence) + " of "
         + std::to_string(op.count) + " " + std::string(name_of(op.type)) + " elements";
}

bool overlap(const input& a, const input& b) {
  return a.data < b.data + b.bytes() && b.data < a.data + a.bytes();
}

result<void> wrong(operation_kind kind, const std::string& why) {
  return {errc::invalid, std::string(name_of(kind)) + ": " + why};
}

// The longer row has one part for each rank; the other is one of them, and may lie in place `own`.
result<void> check_parts(operation_kind kind, const input& part, const input& whole, uint32_t ranks,
                         std::optional<uint32_t> own) {
  if (part.type != whole.type)
    return wrong(kind, "both rows have to be of one type of element.");
  if (whole.count != part.count * ranks)
    return wrong(kind, "a row of " + std::to_string(whole.count) + " elements is not "
                         + std::to_string(ranks) + " parts of " + std::to_string(part.count) + ".");
  auto in_place = own && part.data == whole.data + *own * part.bytes();
  if (overlap(part, whole) && !in_place)
    return wrong(kind, "the rows overlap; use rows of their own, or the rank's own part.");
  return {};
}

result<void> check_same(operation_kind kind, const input& in, const input& out, bool in_place) {
  if (in.type != out.type || in.count != out.count)
    return wrong(kind, "both rows have to be of the same length and type of element.");
  if (overlap(in, out) && !(in_place && in.data == out.data))
    return wrong(kind, "the rows overlap; use one row, or two of their own.");
  return {};
}

} // namespace

bool same_call(const operation& a, const operation& b) {
  return a.kind == b.kind && a.how == b.how && a.type == b.type && a.root == b.root
         && a.sequence == b.sequence && a.count == b.count;
}

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

result<void> check(const group_options& options, const std::vector<std::string>& members) {
  TROUPE_TRY(check(options));
  if (members.size() != options.size)
    return {errc::invalid, "a group of " + std::to_string(options.size) + " ranks was given "
                             + std::to_string(members.size()) + " addresses: give one for each."};
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

result<void> common_group::check_peer(uint32_t peer, const char* what) const {
  if (peer >= size())
    return {errc::invalid, std::string(what) + ", rank " + std::to_string(peer)
                             + ", is not in a group of " + std::to_string(size()) + "."};
  return {};
}

result<void> common_group::allreduce(input in, output out, reduction how) {
  TROUPE_TRY(check_same(operation_kind::allreduce, in, out, true));
  return perform({operation_kind::allreduce, how, in.type, 0, 0, in.count}, in, out);
}

result<void> common_group::reduce_scatter(input in, output out, reduction how) {
  TROUPE_TRY(check_parts(operation_kind::reduce_scatter, out, in, size(), rank()));
  return perform({operation_kind::reduce_scatter, how, in.type, 0, 0, out.count}, in, out);
}

result<void> common_group::allgather(input in, output out) {
  TROUPE_TRY(check_parts(operation_kind::allgather, in, out, size(), rank()));
  return perform({operation_kind::allgather, {}, in.type, 0, 0, in.count}, in, out);
}

result<void> common_group::broadcast(output data, uint32_t root) {
  TROUPE_TRY(check_peer(root, "the root of a broadcast"));
  return perform({operation_kind::broadcast, {}, data.type, root, 0, data.count}, data, data);
}

result<void> common_group::reduce(input in, output out, reduction how, uint32_t root) {
  TROUPE_TRY(check_peer(root, "the root of a reduce"));
  if (rank() == root)
    TROUPE_TRY(check_same(operation_kind::reduce, in, out, true));
  return perform({operation_kind::reduce, how, in.type, root, 0, in.count}, in, out);
}

result<void> common_group::gather(input in, output out, uint32_t root) {
  TROUPE_TRY(check_peer(root, "the root of a gather"));
  if (rank() == root)
    TROUPE_TRY(check_parts(operation_kind::gather, in, out, size(), rank()));
  return perform({operation_kind::gather, {}, in.type, root, 0, in.count}, in, out);
}

result<void> common_group::scatter(input in, output out, uint32_t root) {
  TROUPE_TRY(check_peer(root, "the root of a scatter"));
  if (rank() == root)
    TROUPE_TRY(check_parts(operation_kind::scatter, out, in, size(), rank()));
  return perform({operation_kind::scatter, {}, out.type, root, 0, out.count}, in, out);
}

result<void> common_group::all_to_all(input in, output out) {
  TROUPE_TRY(check_same(operation_kind::all_to_all, in, out, false));
  if (in.count % size() != 0)
    return wrong(operation_kind::all_to_all, "a row of " + std::to_string(in.count)
                                               + " elements has no " + std::to_string(size())
                                               + " parts.");
  return perform({operation_kind::all_to_all, {}, in.type, 0, 0, in.count}, in, out);
}

result<void> common_group::barrier() {
  return perform({}, {}, {});
}

result<void> common_group::send(input data, uint32_t to) {
  TROUPE_TRY(check_peer(to, "the receiver of a send"));
  if (to == rank())
    return wrong(operation_kind::transfer, "a rank does not send to itself.");
  TROUPE_TRY(check_memory(data));
  call x{{operation_kind::transfer, {}, data.type, 0, 0, data.count}, data, {}};
  return transfer_to(x, to, now() + options_.deadline);
}

result<void> common_group::receive(output data, uint32_t from) {
  TROUPE_TRY(check_peer(from, "the sender of a receive"));
  if (from == rank())
    return wrong(operation_kind::transfer, "a rank does not receive from itself.");
  TROUPE_TRY(check_memory(data));
  call x{{operation_kind::transfer, {}, data.type, 0, 0, data.count}, {}, data};
  return transfer_from(x, from, now() + options_.deadline);
}

result<std::unique_ptr<memory>> common_group::allocate(size_t bytes) {
  TROUPE_TRY(perform({operation_kind::allocate, {}, {}, 0, 0, bytes}, {}, {}));
  if (auto shared = take_allocated())
    return shared;
  return make_memory(bytes);
}

result<void> common_group::look() {
  return guarded([&](time_point) { return look_at_others(); }, {});
}

void common_group::abort() {
  aborted_ = true;
  end(errc::aborted);
}

result<void> common_group::perform(operation what, input in, output out, time_point until) {
  auto work = [&](time_point end) -> result<void> {
    what.sequence = sequence_++;
    call x{what, in, out};
    return size() == 1 ? alone(x, end) : execute(x, end);
  };
  return guarded(work, until);
}

result<void> common_group::transfer_to(const call& x, uint32_t to, time_point until) {
  return guarded([&](time_point end) { return transmit(x, to, end); }, until);
}

result<void> common_group::transfer_from(const call& x, uint32_t from, time_point until) {
  return guarded([&](time_point end) { return take(x, from, end); }, until);
}

result<void> common_group::reduce_as_sum(const call& x, const row_work& work) {
  auto sums = sum_type(x.in.type);
  auto gets = x.what.kind != operation_kind::reduce || rank() == x.what.root;
  auto* data = x.out.data;
  if (!gets || sums != x.in.type) {
    wide_.resize(x.in.count * size_of(sums));
    data = wide_.data();
  }
  if (data != x.in.data && x.in.count > 0)
    begin(x.in.type, data, x.in.data, x.in.count);
  auto is_mean = x.what.how == reduction::mean;
  TROUPE_TRY(work({sums, data, x.in.count}, is_mean ? reduction::sum : x.what.how));
  if (gets && (data != x.out.data || is_mean))
    finish(x.in.type, x.what.how, size(), x.out.data, data, x.in.count);
  return {};
}

// What one rank's operation comes to: its row. Every mean, sum and part is that, too.
result<void> common_group::alone(const call& x, time_point) {
  copy_bytes(x.out.data, x.in.data, x.in.bytes());
  return {};
}

std::unique_ptr<common_group> make_single(const group_options& options) {
  return std::make_unique<single_group>(options);
}

} // namespace troupe::collective
