// Which algorithm reduces a row soonest, by what messages cost in this group.
//
// Source: Thakur, Rabenseifner, Gropp, 2005, sections 4.4 and 4.5: the costs of the three.
#pragma once

#include "kernels/collective/tcp/peers.hpp"

namespace troupe::collective::tcp {

struct costs {
  double latency_s = 0; // of an exchange of few bytes with one rank
  double byte_s = 0;    // of each byte more, in both directions at one time
};

// Measured around the ring; all ranks call it together. Some milliseconds.
result<costs> measure(peers& with, time_point until);

enum class way {
  doubling, // few messages, each of the whole row
  halving,  // twice as many, of halves, quarters, ...
  ring      // one to a neighbour for each rank, of equal parts, twice
};

way choose(const costs& known, size_t length, uint32_t ranks); // bytes

// Makes the rows of all ranks the reduced one: of types that are their own sum, and no mean. Every
// rank gets the same bits. `scratch` grows, and is kept from call to call.
result<void> reduce_by(way chosen, peers& with, const output& row, reduction how,
                       std::vector<std::byte>& scratch, time_point until);

} // namespace troupe::collective::tcp
