#include "kernels/collective/nccl/link.hpp"
#include "kernels/cuda/status.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace troupe::collective::nccl {
namespace {

// What each rank tells the others of itself. Travels as numbers, for `over` knows no bytes.
struct member {
  std::array<int32_t, 4> device{}; // its identity, the same in no other machine
  int32_t works = 0;
  int32_t can_shrink = 0;
};
constexpr size_t member_numbers = sizeof(member) / sizeof(int32_t);
using member_row = std::array<int32_t, member_numbers>;

struct identity {
  int32_t works = 0;
  ncclUniqueId id{};
};
using identity_row = std::array<int32_t, sizeof(identity) / sizeof(int32_t)>;

result<member> describe(communicator& link, const communicator* parent) {
  member mine;
  TROUPE_TRY(link.open());
  cudaDeviceProp facts{};
  TROUPE_TRY(cuda::check(cudaGetDeviceProperties(&facts, link.device()), "describe itself"));
  static_assert(sizeof(facts.uuid) == sizeof(mine.device));
  memcpy(mine.device.data(), &facts.uuid, sizeof(facts.uuid));
  mine.works = 1;
  mine.can_shrink = parent && parent->can_shrink();
  return mine;
}

// Fails on all ranks, when it fails on one.
result<bool> compare_members(const result<member>& mine, group& over) {
  auto row = std::bit_cast<member_row>(mine ? *mine : member{});
  std::vector<int32_t> all(over.size() * member_numbers);
  TROUPE_TRY(over.allgather(row, all));
  if (!mine)
    return mine.error();
  auto shrinks = true;
  std::vector<member> members;
  for (uint32_t r = 0; r < over.size(); ++r) {
    std::copy_n(all.begin() + r * member_numbers, member_numbers, row.begin());
    auto theirs = std::bit_cast<member>(row);
    if (!theirs.works)
      return {errc::unavailable,
              "rank " + std::to_string(r) + " cannot use its device: its own error says why."};
    for (uint32_t other = 0; other < r; ++other)
      if (members[other].device == theirs.device)
        return {errc::invalid, "ranks " + std::to_string(other) + " and " + std::to_string(r)
                                 + " have the same GPU, which NCCL refuses: give each its own, or "
                                   "use a group of the CPU."};
    members.push_back(theirs);
    shrinks = shrinks && theirs.can_shrink;
  }
  return shrinks;
}

result<ncclUniqueId> spread_identity(group& over) {
  identity made;
  if (over.rank() == 0)
    made.works = ncclGetUniqueId(&made.id) == ncclSuccess;
  auto row = std::bit_cast<identity_row>(made);
  TROUPE_TRY(over.broadcast(row, 0));
  made = std::bit_cast<identity>(row);
  if (!made.works)
    return {errc::internal, "NCCL cannot open a port on the machine of rank 0: check its network, "
                            "and NCCL_SOCKET_IFNAME."};
  return made.id;
}

} // namespace

result<std::shared_ptr<communicator>> join(const group_options& options, group& over,
                                           const nccl_options& more, communicator* parent,
                                           time_point until) {
  auto link = std::make_shared<communicator>(more.device, more.may_shrink);
  auto shrinks = compare_members(describe(*link, parent), over);
  if (!shrinks)
    return shrinks.error();
  limits ends{until, &over, nullptr};
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 9)
  if (*shrinks) {
    std::vector<int> gone(more.gone.begin(), more.gone.end());
    auto begin = [&](ncclComm_t* made, ncclConfig_t* config) {
      return ncclCommShrink(parent->get(), gone.data(), static_cast<int>(gone.size()), made, config,
                            NCCL_SHRINK_DEFAULT);
    };
    TROUPE_TRY(link->make(begin, parent, ends));
    return link;
  }
#endif
  auto id = spread_identity(over);
  if (!id)
    return id.error();
  auto begin = [&](ncclComm_t* made, ncclConfig_t* config) {
    return ncclCommInitRankConfig(made, static_cast<int>(options.size), *id,
                                  static_cast<int>(options.rank), config);
  };
  TROUPE_TRY(link->make(begin, nullptr, ends));
  return link;
}

} // namespace troupe::collective::nccl
