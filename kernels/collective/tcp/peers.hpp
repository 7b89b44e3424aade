// Some of the ranks that a link reaches, as a group numbers them.
//
// Threads: as the link.
#pragma once

#include "kernels/collective/tcp/link.hpp"

namespace troupe::collective::tcp {

inline constexpr size_t piece_bytes = 256u << 10; // goes at a time: stays in the second cache

using bytes = std::span<std::byte>;
using const_bytes = std::span<const std::byte>;

class peers {
public:
  // `among` names the link's ranks in the order of the group; this rank is number `rank` of them.
  peers(std::shared_ptr<mesh_link> link, std::vector<uint32_t> among, uint32_t rank)
    : link_(std::move(link)), among_(std::move(among)), rank_(rank) {}

  uint32_t rank() const { return rank_; }
  uint32_t size() const { return static_cast<uint32_t>(among_.size()); }

  // Around the ring.
  uint32_t after(uint32_t steps) const { return (rank_ + steps) % size(); }
  uint32_t before(uint32_t steps) const { return (rank_ + size() - steps) % size(); }

  void begin(const operation& op) { link_->begin(op); }
  result<void> look() { return link_->look(); }
  void end() { link_->end(); }

  result<void> exchange(uint32_t to, const_bytes out, uint32_t from, bytes in, time_point until) {
    return link_->exchange(among_[to], out, among_[from], in, until);
  }
  result<void> send(uint32_t to, const_bytes out, time_point until) {
    return exchange(to, out, to, {}, until);
  }
  result<void> receive(uint32_t from, bytes in, time_point until) {
    return exchange(from, {}, from, in, until);
  }

private:
  std::shared_ptr<mesh_link> link_;
  std::vector<uint32_t> among_;
  uint32_t rank_;
};

} // namespace troupe::collective::tcp
