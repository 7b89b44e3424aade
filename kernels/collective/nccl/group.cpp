#include "kernels/collective/arithmetic.hpp"
#include "kernels/collective/nccl/link.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/status.hpp"
#include "runtime/base/random.hpp"

#include <array>
#include <bit>

namespace troupe::collective {
namespace {

using nccl::limits;

ncclDataType_t type_of(element type) {
  switch (type) {
  case element::f32:
    return ncclFloat32;
  case element::f64:
    return ncclFloat64;
  case element::bf16:
    return ncclBfloat16;
  case element::f16:
    return ncclFloat16;
  case element::i32:
    return ncclInt32;
  case element::i64:
    return ncclInt64;
  }
  return ncclNumTypes;
}

ncclRedOp_t operator_of(reduction how) {
  switch (how) {
  case reduction::sum:
    return ncclSum;
  case reduction::mean:
    return ncclAvg;
  case reduction::min:
    return ncclMin;
  case reduction::max:
    return ncclMax;
  }
  return ncclNumOps;
}

// An operation as numbers, for `over` knows no bytes; and its hash, at least 0.
using operation_row = std::array<int64_t, sizeof(operation) / sizeof(int64_t)>;

int64_t hash_of(const operation& op) {
  uint64_t hash = 0;
  for (auto each : std::bit_cast<operation_row>(op))
    hash = random_source(hash ^ static_cast<uint64_t>(each)).next();
  return static_cast<int64_t>(hash >> 1);
}

class nccl_group final : public common_group {
public:
  nccl_group(const group_options& options, group& over, const nccl_options& more,
             std::shared_ptr<nccl::communicator> link)
    : common_group(options), over_(over), more_(more), link_(std::move(link)),
      stream_(link_->stream()) {}

  ~nccl_group() override { free_scratch(); }

  nccl::communicator* link() { return link_.get(); }

private:
  result<void> execute(const call& x, time_point until) override {
    if (x.what.kind == operation_kind::barrier)
      return over_.barrier();
    if (more_.compare_calls)
      TROUPE_TRY(compare(x.what));
    return finished(run(x, until));
  }

  // NCCL copies a row on the device, too.
  result<void> alone(const call& x, time_point until) override { return execute(x, until); }

  result<void> transmit(const call& x, uint32_t to, time_point until) override {
    TROUPE_TRY(greet(x, to, true));
    return finished(in_stream(x.in.count, until, [&](const limits& ends) {
      return took(ncclSend(x.in.data, x.in.count, type_of(x.in.type), peer(to), comm(), stream_),
                  ends);
    }));
  }

  result<void> take(const call& x, uint32_t from, time_point until) override {
    TROUPE_TRY(greet(x, from, false));
    return finished(in_stream(x.out.count, until, [&](const limits& ends) {
      return took(
        ncclRecv(x.out.data, x.out.count, type_of(x.out.type), peer(from), comm(), stream_), ends);
    }));
  }

  result<void> look_at_others() override { return over_.look(); }

  // Only flags: the thread that runs an operation ends it on the device.
  void end(errc) override {
    ended_ = true;
    over_.abort();
  }

  result<void> check_memory(const input& row) const override {
    if (row.count == 0)
      return {};
    cudaPointerAttributes where{};
    auto known = cudaPointerGetAttributes(&where, row.data) == cudaSuccess;
    auto reached = known && where.device == more_.device
                   && (where.type == cudaMemoryTypeDevice || where.type == cudaMemoryTypeManaged);
    if (!reached)
      return {errc::invalid, "a group over NCCL takes rows in the memory of its device, number "
                               + std::to_string(more_.device) + ": copy this row there first."};
    return {};
  }

  std::unique_ptr<memory> take_allocated() override { return std::move(allocated_); }

  // The others are told by `over`; what hangs on the device ends here.
  result<void> finished(result<void> done) {
    if (!done)
      link_->stop();
    return done;
  }

  // Equal on all ranks where the least hash is the greatest.
  result<void> compare(const operation& mine) {
    auto hash = hash_of(mine);
    std::array<int64_t, 2> bounds{hash, -hash};
    TROUPE_TRY(over_.allreduce(bounds, reduction::min));
    if (bounds[0] == -bounds[1])
      return {};
    std::vector<int64_t> all(size() * operation_row{}.size());
    TROUPE_TRY(over_.allgather(std::bit_cast<operation_row>(mine), all));
    for (uint32_t r = 0; r < size(); ++r) {
      operation_row row;
      std::copy_n(all.begin() + r * row.size(), row.size(), row.begin());
      auto theirs = std::bit_cast<operation>(row);
      if (!same_call(mine, theirs))
        return mismatch(mine, theirs, r);
    }
    return {errc::internal, "the ranks' calls differ, and are the same: memory may be broken."};
  }

  // Sender and receiver tell each other what they called.
  result<void> greet(const call& x, uint32_t other, bool first) {
    if (!more_.compare_calls)
      return {};
    auto mine = std::bit_cast<operation_row>(x.what);
    operation_row row;
    if (first)
      TROUPE_TRY(over_.send(mine, other));
    TROUPE_TRY(over_.receive(row, other));
    if (!first)
      TROUPE_TRY(over_.send(mine, other));
    auto theirs = std::bit_cast<operation>(row);
    return same_call(x.what, theirs) ? result<void>{} : mismatch(x.what, theirs, other);
  }

  ncclComm_t comm() const { return link_->get(); }
  static int peer(uint32_t rank) { return static_cast<int>(rank); }
  result<void> took(ncclResult_t code, const limits& ends) { return link_->took(code, ends); }

  // `enqueue` gets what ends it.
  template <class F>
  result<void> in_stream(size_t count, time_point until, const F& enqueue) {
    if (count == 0)
      return {};
    if (!link_->usable())
      return {errc::aborted, "this group has ended: make a new generation."};
    limits ends{until, &over_, &ended_};
    return link_->run([&] { return enqueue(ends); }, ends);
  }

  result<void> run(const call& x, time_point until) {
    if (x.what.kind == operation_kind::allocate)
      return run_allocate(x.what.count, until);
    return in_stream(x.what.count, until, [&](const limits& ends) { return enqueue(x, ends); });
  }

  result<void> run_allocate(size_t bytes, time_point until) {
    auto made = nccl::allocate(link_, bytes, {until, &over_, &ended_});
    if (!made)
      return made.error();
    allocated_ = std::move(*made);
    return {};
  }

  result<void> enqueue(const call& x, const limits& ends) {
    auto type = type_of(x.what.type);
    auto root = peer(x.what.root);
    switch (x.what.kind) {
    case operation_kind::allreduce:
    case operation_kind::reduce:
    case operation_kind::reduce_scatter:
      return widens(x.what) ? reduce_wide(x, ends)
                            : reduce_rows(x.what, x.what.type, x.in.data, x.out.data, ends);
    case operation_kind::allgather:
      return took(ncclAllGather(x.in.data, x.out.data, x.what.count, type, comm(), stream_), ends);
    case operation_kind::broadcast:
      return took(ncclBroadcast(x.in.data, x.out.data, x.what.count, type, root, comm(), stream_),
                  ends);
    case operation_kind::gather:
      return exchange(x, ends, rank() == x.what.root ? size() : 0, x.what.root, true);
    case operation_kind::scatter:
      return exchange(x, ends, rank() == x.what.root ? size() : 0, x.what.root, false);
    case operation_kind::all_to_all:
      return swap_all(x, ends);
    case operation_kind::barrier:
    case operation_kind::allocate:
    case operation_kind::transfer:
      break;
    }
    return {};
  }

  result<void> reduce_rows(const operation& what, element type, const void* in, void* out,
                           const limits& ends) {
    auto data = type_of(type);
    auto how = operator_of(what.how);
    if (what.kind == operation_kind::allreduce)
      return took(ncclAllReduce(in, out, what.count, data, how, comm(), stream_), ends);
    if (what.kind == operation_kind::reduce)
      return took(ncclReduce(in, out, what.count, data, how, peer(what.root), comm(), stream_),
                  ends);
    return took(ncclReduceScatter(in, out, what.count, data, how, comm(), stream_), ends);
  }

  bool widens(const operation& what) const {
    return !more_.native_halves && sum_type(what.type) != what.type
           && (what.how == reduction::sum || what.how == reduction::mean);
  }

  // In f32, and rounded once.
  result<void> reduce_wide(const call& x, const limits& ends) {
    TROUPE_TRY(reserve(x.in.count * sizeof(float)));
    auto* wide = static_cast<float*>(scratch_);
    cuda::cast(stream_, {element::f32, wide, x.in.count}, x.in);
    auto scatters = x.what.kind == operation_kind::reduce_scatter;
    auto* sums = scatters ? wide + rank() * x.what.count : wide;
    TROUPE_TRY(reduce_rows(x.what, element::f32, wide, sums, ends));
    if (x.what.kind != operation_kind::reduce || x.what.root == rank())
      cuda::cast(stream_, x.out, {element::f32, sums, x.what.count});
    return cuda::check(cudaGetLastError(), "round a row");
  }

  void free_scratch() {
    if (!scratch_)
      return;
    cudaSetDevice(more_.device);
    cudaStreamSynchronize(stream_);
    cudaFree(std::exchange(scratch_, nullptr));
    scratch_bytes_ = 0;
  }

  result<void> reserve(size_t bytes) {
    if (bytes <= scratch_bytes_)
      return {};
    free_scratch();
    TROUPE_TRY(cuda::check(cudaMalloc(&scratch_, bytes), "make room for sums in f32"));
    scratch_bytes_ = bytes;
    return {};
  }

  // Between the root, which has `parts` of them, and each other rank.
  result<void> exchange(const call& x, const limits& ends, uint32_t parts, uint32_t root,
                        bool gathers) {
    auto part = x.what.count * size_of(x.what.type);
    if (parts > 0)
      TROUPE_TRY(copy_own(gathers ? x.out.data + rank() * part : x.out.data,
                          gathers ? x.in.data : x.in.data + rank() * part, part));
    return together(ends, [&] {
      for (uint32_t r = 0; r < parts; ++r)
        if (r != root)
          note(gathers ? give_or_take(nullptr, x.out.data + r * part, part, r)
                       : give_or_take(x.in.data + r * part, nullptr, part, r));
      if (parts == 0)
        note(gathers ? give_or_take(x.in.data, nullptr, part, root)
                     : give_or_take(nullptr, x.out.data, part, root));
    });
  }

  result<void> swap_all(const call& x, const limits& ends) {
    auto part = x.what.count / size() * size_of(x.what.type);
    TROUPE_TRY(copy_own(x.out.data + rank() * part, x.in.data + rank() * part, part));
    return together(ends, [&] {
      for (uint32_t r = 0; r < size(); ++r) {
        if (r == rank())
          continue;
        note(give_or_take(x.in.data + r * part, nullptr, part, r));
        note(give_or_take(nullptr, x.out.data + r * part, part, r));
      }
    });
  }

  result<void> copy_own(std::byte* to, const std::byte* from, size_t bytes) {
    if (to == from || bytes == 0)
      return {};
    return cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_),
                       "copy a row");
  }

  ncclResult_t give_or_take(const std::byte* out, std::byte* in, size_t bytes, uint32_t other) {
    return out ? ncclSend(out, bytes, ncclInt8, peer(other), comm(), stream_)
               : ncclRecv(in, bytes, ncclInt8, peer(other), comm(), stream_);
  }

  // What `calls` notes goes at one time.
  template <class F>
  result<void> together(const limits& ends, const F& calls) {
    noted_ = ncclGroupStart();
    calls();
    auto code = ncclGroupEnd();
    return took(noted_ == ncclSuccess || noted_ == ncclInProgress ? code : noted_, ends);
  }
  void note(ncclResult_t code) {
    if (noted_ == ncclSuccess || noted_ == ncclInProgress)
      noted_ = code;
  }

  group& over_;
  nccl_options more_;
  std::shared_ptr<nccl::communicator> link_;
  cudaStream_t stream_;
  std::atomic<bool> ended_ = false;
  void* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
  ncclResult_t noted_ = ncclSuccess;
  std::unique_ptr<memory> allocated_;
};

result<void> check(const group_options& options, const group& over, const nccl_options& more) {
  TROUPE_TRY(check(options));
  if (options.rank != over.rank() || options.size != over.size())
    return {errc::invalid, "a group over NCCL has the ranks of the group that it is joined over."};
  for (auto each : more.gone)
    if (!more.parent || each >= more.parent->size())
      return {errc::invalid, "rank " + std::to_string(each)
                               + " is gone from no earlier group: give the group it was in."};
  if (more.parent && more.gone.empty())
    return {errc::invalid, "no rank of the earlier group is gone: go on with that one."};
  if (more.parent && more.parent->size() - more.gone.size() != options.size)
    return {errc::invalid, "the earlier group less those that are gone has "
                             + std::to_string(more.parent->size() - more.gone.size())
                             + " ranks, and not " + std::to_string(options.size) + "."};
  return {};
}

} // namespace

result<std::unique_ptr<group>> join_nccl(const group_options& options, group& over,
                                         const nccl_options& more) {
  TROUPE_TRY(check(options, over, more));
  auto* parent = dynamic_cast<nccl_group*>(more.parent);
  if (more.parent && !parent)
    return {errc::invalid, "the earlier group is none over NCCL: pass one of join_nccl()."};
  auto link
    = nccl::join(options, over, more, parent ? parent->link() : nullptr, now() + options.deadline);
  if (!link)
    return link.error();
  auto kept = more;
  kept.parent = nullptr;
  return std::unique_ptr<group>(
    std::make_unique<nccl_group>(options, over, kept, std::move(*link)));
}

} // namespace troupe::collective
