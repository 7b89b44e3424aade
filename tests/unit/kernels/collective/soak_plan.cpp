#include "tests/unit/kernels/collective/soak_plan.hpp"

#include "runtime/base/random.hpp"

#include <algorithm>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

bool contains(const std::vector<uint32_t>& all, uint32_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string list_of(const std::vector<uint32_t>& numbers) {
  std::string out;
  for (auto each : numbers)
    out.append(out.empty() ? "" : ",").append(std::to_string(each));
  return out;
}

const char* name_of(fault what) {
  static constexpr const char* names[]
    = {"none", "kill", "kill 2", "freeze", "thaw", "pause", "cut"};
  return names[static_cast<size_t>(what)];
}

void draw_fault(generation& x, bool is_first, random_source& chance) {
  // A frozen rank costs a deadline each time.
  constexpr fault drawn[]
    = {fault::kill,  fault::kill, fault::kill, fault::kill_2, fault::kill_2, fault::pause,
       fault::pause, fault::cut,  fault::cut,  fault::freeze, fault::thaw};
  auto ranks = x.members.size();
  do {
    x.what = drawn[chance.below(std::size(drawn))];
  } while ((x.what == fault::kill_2 && ranks < 3)
           || (x.what == fault::cut && x.kind == backend::shm));
  x.victims = {x.members[chance.below(ranks)]};
  while (x.what == fault::kill_2 && x.victims.size() < 2) {
    auto other = x.members[chance.below(ranks)];
    if (!contains(x.victims, other))
      x.victims.push_back(other);
  }
  x.reaped = chance.chance(0.5);
  // What is cut while it joins connects once more, and nothing has happened.
  x.while_joining = x.what != fault::cut && x.what != fault::pause && chance.chance(0.2);
  x.reports = x.while_joining ? chance.below(ranks) : ranks + chance.below(chance.below(400) + 1);
  x.delay = std::chrono::microseconds(chance.below(x.while_joining ? 20'000 : 3000));
  x.cut = chance.chance(0.5) ? 0 : 1 + static_cast<uint32_t>(chance.below(10));
  // Members of a later generation come when each has failed in the one before: not all at a time.
  if (x.while_joining || x.what == fault::freeze || x.what == fault::thaw)
    x.deadline = is_first ? 1500ms : 3s;
}

// The members of the next generation: those that live, in another order now and then, and new ones.
std::vector<uint32_t> draw_members(const generation& before, uint32_t& processes,
                                   random_source& chance) {
  std::vector<uint32_t> out;
  for (auto each : before.members) {
    if (before.what == fault::cut || !contains(before.victims, each))
      out.push_back(each);
  }
  auto room = std::min<uint64_t>(6 - out.size(), 2);
  for (auto more = chance.chance(0.5) ? chance.below(room + 1) : 0; more > 0; --more)
    out.push_back(processes++);
  if (chance.chance(0.5))
    std::rotate(out.begin(), out.begin() + static_cast<ptrdiff_t>(chance.below(out.size())),
                out.end());
  return out;
}

} // namespace

bool generation::has(uint32_t process) const {
  return contains(members, process);
}

bool generation::strikes(uint32_t process) const {
  return contains(victims, process);
}

bool generation::allows(errc code) const {
  if (code == errc::aborted)
    return true;
  if (code == errc::deadline)
    return while_joining || what == fault::freeze || what == fault::thaw;
  // A connection that ends in the middle of the proofs reads as a refusal.
  return code == errc::refused && while_joining;
}

round_plan draw_round(uint64_t seed, uint64_t round) {
  random_source chance(seed * 1'000'003 + round);
  round_plan out;
  out.processes = 2 + static_cast<uint32_t>(chance.below(5));
  out.same_addresses = chance.chance(0.5);
  std::vector<uint32_t> members;
  for (uint32_t p = 0; p < out.processes; ++p)
    members.push_back(p);
  auto strikes = 1 + chance.below(2);
  for (;;) {
    generation x;
    x.kind = static_cast<backend>(chance.below(3));
    x.members = members;
    x.deadline = 10s;
    x.seed = chance.next();
    auto last = out.generations.size() == strikes || members.size() == 1;
    if (last)
      x.operations = 5 + chance.below(40);
    else
      draw_fault(x, out.generations.empty(), chance);
    out.generations.push_back(x);
    if (last)
      return out;
    members = draw_members(x, out.processes, chance);
  }
}

std::string describe(const round_plan& plan) {
  std::string out = plan.same_addresses ? "  at the same addresses:\n" : "";
  for (auto& each : plan.generations) {
    out += "  " + name_of(each.kind) + ", processes " + list_of(each.members);
    if (each.what == fault::none)
      out += ", " + std::to_string(each.operations) + " operations";
    else
      out += std::string(": ") + name_of(each.what) + " " + list_of(each.victims) + " after "
             + std::to_string(each.reports) + " reports"
             + (each.while_joining ? ", while they join" : "");
    out += "\n";
  }
  return out;
}

} // namespace troupe::collective::test
