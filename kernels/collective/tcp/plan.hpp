// Which algorithm reduces or spreads a row soonest, by what messages cost in this group, among
// those that give the same bits.
//
// Source: Thakur, Rabenseifner, Gropp, 2005, sections 4 and 5: the algorithms and their costs.
#pragma once

#include "kernels/collective/tcp/peers.hpp"

#include <optional>

namespace troupe::collective::tcp {

struct costs {
  double latency_s = 0; // of an exchange of few bytes with one rank
  double byte_s = 0;    // of each byte more, in both directions at one time
};

// Measured around the ring; all ranks call it together. Some milliseconds.
result<costs> measure(peers& with, time_point until);

// Doubling and halving combine each element in the same order and give the same bits; the ring has
// an order of its own.
enum class way {
  doubling, // few messages, each of the whole row; to a root: a binomial tree
  halving,  // twice as many, of halves, quarters, ...
  ring      // one to a neighbour for each rank, of equal parts, twice
};

// For an allreduce. Costs differ from run to run, so they choose between doubling and halving only:
// if the ranks are no power of two, rows of at least (ranks - 1 - floor(log2(ranks))) * 64 KiB go
// around the ring, and no others do.
way choose(const costs& known, size_t length, uint32_t ranks); // bytes

// For a reduce to a root: doubling or halving.
way choose_to_root(const costs& known, size_t length, uint32_t ranks);

// Whether a broadcast takes less time by the tree than by the ring.
bool tree_broadcasts(const costs& known, size_t length, uint32_t ranks);

// Makes the rows of all ranks the reduced one: of types that are their own sum, and no mean. Every
// rank gets the same bits. With a root only that rank's row is to be used; it gets the bits that
// all get without one. `scratch` grows, and is kept from call to call.
result<void> reduce_by(way chosen, peers& with, const output& row, reduction how,
                       std::optional<uint32_t> root, std::vector<std::byte>& scratch,
                       time_point until);

// Copy the root's row to every rank: down a binomial tree, or piece by piece around the ring.
result<void> broadcast_by_tree(peers& with, const output& row, uint32_t root, time_point until);
result<void> broadcast_by_ring(peers& with, const output& row, uint32_t root, time_point until);

} // namespace troupe::collective::tcp
