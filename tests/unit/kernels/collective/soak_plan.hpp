// What happens in one round of the soak test: drawn from a seed before it begins.
#pragma once

#include "tests/unit/kernels/collective/gang.hpp"

#include <string>
#include <vector>

namespace troupe::collective::test {

inline constexpr uint32_t soak_ranks_max = 16;

// What is done to members of a generation while they work: to the victims at one time.
enum class fault {
  none,
  kill,
  freeze,     // they are killed at the end of the round
  kill_first, // the first victim; the others are frozen, and killed at the end of the round
  thaw,       // they are frozen, and go on when the others are at work in the next generation
  pause,      // one is frozen for less than the deadline, goes on, and is killed
  cut         // the connections of one, or one of them, are shut down
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
  size_t awaits = 0;  // so many reports of its members; then those go on that were to be thawed
  size_t reports = 0; // of its members, before it is struck
  duration delay{};   // and then
  uint32_t cut = 0;   // 0: all connections of the victim; else one of them

  bool has(uint32_t process) const;
  bool strikes(uint32_t process) const;
  bool freezes() const; // some of the victims, for longer than the deadline
  // Whether this code may end an operation, or the joining, of a member that lives.
  bool allows(errc code) const;
};

struct round_plan {
  std::vector<generation> generations; // one after the other; the last one ends well
  uint32_t processes = 0;
  uint32_t hosts = 1;          // on which they are in turn
  bool same_addresses = false; // a process listens at one address in all generations
};

// 2 to 6 ranks, or up to soak_ranks_max in each fourth round; 2 or 3 generations. At most 60 MiB of
// /dev/shm.
round_plan draw_round(uint64_t seed, uint64_t round);

std::string describe(const round_plan& plan);

} // namespace troupe::collective::test
