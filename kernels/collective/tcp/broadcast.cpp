#include "kernels/collective/tcp/plan.hpp"

#include <algorithm>
#include <bit>

namespace troupe::collective::tcp {

// Whose distance from the root has its lowest bit at 2^k gets the row from the rank 2^k before it,
// and gives it to those 2^(k-1), ..., 2, 1 after it: first to where most ranks wait for it.
result<void> broadcast_by_tree(peers& with, const output& row, uint32_t root, time_point until) {
  auto ranks = with.size();
  bytes data(row.data, row.bytes());
  auto place = (with.rank() + ranks - root) % ranks;
  auto distance = place == 0 ? std::bit_ceil(ranks) : place & -place;
  if (place != 0)
    TROUPE_TRY(with.receive(with.before(distance), data, until));
  for (distance /= 2; distance > 0; distance /= 2)
    if (place + distance < ranks)
      TROUPE_TRY(with.send(with.after(distance), data, until));
  return {};
}

// Each rank passes a piece on while it receives the one after it.
result<void> broadcast_by_ring(peers& with, const output& row, uint32_t root, time_point until) {
  bytes data(row.data, row.bytes());
  auto receives = with.rank() != root;
  auto passes_on = with.after(1) != root;
  const_bytes ready;
  for (size_t at = 0; at < data.size(); at += piece_bytes) {
    auto piece = data.subspan(at, std::min(piece_bytes, data.size() - at));
    if (!receives)
      ready = piece;
    TROUPE_TRY(with.exchange(with.after(1), passes_on ? ready : const_bytes{}, with.before(1),
                             receives ? piece : bytes{}, until));
    if (receives)
      ready = piece;
  }
  if (receives && passes_on)
    return with.send(with.after(1), ready, until);
  return {};
}

} // namespace troupe::collective::tcp
