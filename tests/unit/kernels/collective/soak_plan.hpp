// What happens in one round of the soak test: drawn from a seed before it begins.
#pragma once

#include "tests/unit/kernels/collective/gang.hpp"

#include <string>
#include <vector>

namespace troupe::collective::test {

// What is done to members of a generation while they work.
enum class fault {
  none,
  kill,   // one
  kill_2, // two at a time
  freeze, // one, which is killed at the end of the round
  thaw,   // one is frozen, and goes on when the others have failed
  pause,  // one is frozen for less than the deadline, goes on, and is killed
  cut     // the connections of one, or one of them, are shut down
};

struct generation {
  backend kind = backend::shm;
  std::vector<uint32_t> members{}; // numbers of processes, in the order of their ranks
  duration deadline{};
  uint64_t seed = 0; // of its operations

  fault what = fault::none; // the last generation has none, and ends after so many operations
  size_t operations = 0;
  std::vector<uint32_t> victims{}; // numbers of processes
  bool reaped = false;             // who was killed, at once; else at the end of the round
  bool while_joining = false;
  size_t reports = 0; // of its members, before it is struck
  duration delay{};   // and then
  uint32_t cut = 0;   // 0: all connections of the victim; else one of them

  bool has(uint32_t process) const;
  bool strikes(uint32_t process) const;
  // Whether this code may end an operation, or the joining, of a member that lives.
  bool allows(errc code) const;
};

struct round_plan {
  std::vector<generation> generations; // one after the other; the last one ends well
  uint32_t processes = 0;
  bool same_addresses = false; // a process listens at one address in all generations
};

// 2 to 6 ranks, and 2 or 3 generations.
round_plan draw_round(uint64_t seed, uint64_t round);

std::string describe(const round_plan& plan);

} // namespace troupe::collective::test
