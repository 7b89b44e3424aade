#include "tests/unit/kernels/collective/soak_plan.hpp"

#include "runtime/base/random.hpp"

#include <algorithm>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t small_ranks_max = 6;

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
    = {"none", "kill", "freeze", "kill and freeze", "thaw", "pause", "cut"};
  return names[static_cast<size_t>(what)];
}

// Up to three, where others are left.
void draw_victims(generation& x, random_source& chance) {
  auto count = x.what == fault::kill_first ? 2 : 1;
  if (x.what != fault::pause && x.what != fault::cut)
    count += chance.chance(0.4) + chance.chance(0.1);
  auto ranks = x.members.size();
  x.victims = {x.members[chance.below(ranks)]};
  while (x.victims.size() < std::min(static_cast<size_t>(count), ranks - 1)) {
    auto other = x.members[chance.below(ranks)];
    if (!contains(x.victims, other))
      x.victims.push_back(other);
  }
}

void draw_fault(generation& x, bool is_first, random_source& chance) {
  // Frozen ranks cost a deadline each time.
  constexpr fault drawn[]
    = {fault::kill,  fault::kill, fault::kill, fault::kill,   fault::kill, fault::kill_first,
       fault::pause, fault::cut,  fault::cut,  fault::freeze, fault::thaw, fault::thaw};
  auto ranks = x.members.size();
  do {
    x.what = drawn[chance.below(std::size(drawn))];
  } while ((x.what == fault::kill_first && ranks < 3)
           || (x.what == fault::cut && x.kind == backend::shm));
  draw_victims(x, chance);
  x.reaped = chance.chance(0.5);
  // What is cut while it joins connects once more, and nothing has happened.
  x.while_joining = x.what != fault::cut && x.what != fault::pause && chance.chance(0.2);
  x.reports = x.while_joining ? chance.below(ranks) : ranks + chance.below(chance.below(400) + 1);
  x.delay = std::chrono::microseconds(chance.below(x.while_joining ? 20'000 : 3000));
  x.cut = chance.chance(0.5) ? 0 : 1 + static_cast<uint32_t>(chance.below(10));
  // Members of a later generation come when each has failed in the one before: not all at a time.
  if (x.while_joining || x.freezes())
    x.deadline = is_first && ranks <= small_ranks_max ? 1500ms : 3s;
}

// The members of the next generation: those that live, in another order now and then, those that
// have been thawed in this one, and new ones.
std::vector<uint32_t> draw_members(const round_plan& plan, uint32_t ranks_max, uint32_t& processes,
                                   random_source& chance) {
  auto& now = plan.generations.back();
  std::vector<uint32_t> out;
  for (auto each : now.members) {
    if (now.what == fault::cut || !now.strikes(each))
      out.push_back(each);
  }
  auto* before = plan.generations.size() > 1 ? &now - 1 : nullptr;
  if (before && before->what == fault::thaw && chance.chance(0.8)) {
    auto back = std::min(before->victims.size(), ranks_max - out.size());
    out.insert(out.end(), before->victims.begin(),
               before->victims.begin() + static_cast<ptrdiff_t>(back));
  }
  // Often as many as before: only the generation tells the two groups apart.
  auto size = chance.chance(0.5) ? now.members.size() : out.size() + chance.below(3);
  while (out.size() < std::min<size_t>(size, ranks_max))
    out.push_back(processes++);
  if (chance.chance(0.5))
    std::rotate(out.begin(), out.begin() + static_cast<ptrdiff_t>(chance.below(out.size())),
                out.end());
  return out;
}

// Those that are thawed go on while this generation joins or works.
size_t draw_awaits(const generation& x, random_source& chance) {
  auto ranks = x.members.size();
  auto most = x.what == fault::none ? ranks * x.operations : x.reports;
  return chance.chance(0.5) ? 0 : chance.below(most + 1);
}

} // namespace

bool generation::has(uint32_t process) const {
  return contains(members, process);
}

bool generation::strikes(uint32_t process) const {
  return contains(victims, process);
}

bool generation::freezes() const {
  return what == fault::freeze || what == fault::kill_first || what == fault::thaw;
}

bool generation::allows(errc code) const {
  if (code == errc::aborted)
    return true;
  if (code == errc::deadline)
    return while_joining || freezes();
  // A connection that ends in the middle of the proofs reads as a refusal.
  return code == errc::refused && while_joining;
}

round_plan draw_round(uint64_t seed, uint64_t round) {
  random_source chance(seed * 1'000'003 + round);
  round_plan out;
  auto is_large = round % 4 == 0;
  auto ranks_max = is_large ? soak_ranks_max : small_ranks_max;
  auto ranks_min = is_large ? small_ranks_max + 1 : 2;
  out.processes = ranks_min + static_cast<uint32_t>(chance.below(ranks_max - ranks_min + 1));
  out.hosts = 1 + static_cast<uint32_t>(chance.below(4));
  out.same_addresses = chance.chance(0.5);
  std::vector<uint32_t> members;
  for (uint32_t p = 0; p < out.processes; ++p)
    members.push_back(p);
  auto strikes = 1 + chance.below(2);
  auto first_kind = chance.below(3);
  for (;;) {
    generation x;
    // Large groups are on each backend once: those that are frozen keep their memory.
    x.kind
      = static_cast<backend>((is_large ? first_kind + out.generations.size() : chance.next()) % 3);
    x.members = members;
    x.deadline = 10s;
    x.seed = chance.next();
    auto last = out.generations.size() == strikes || members.size() == 1;
    if (last)
      x.operations = 5 + chance.below(40);
    else
      draw_fault(x, out.generations.empty(), chance);
    x.awaits = draw_awaits(x, chance);
    out.generations.push_back(x);
    if (last)
      return out;
    if (x.what == fault::thaw && chance.chance(0.5))
      strikes = 2; // who is thawed in the second generation may come back in the third
    members = draw_members(out, ranks_max, out.processes, chance);
  }
}

std::string describe(const round_plan& plan) {
  auto out = "  on " + std::to_string(plan.hosts) + " hosts"
             + (plan.same_addresses ? ", at the same addresses:\n" : ":\n");
  auto thawed = false;
  for (auto& each : plan.generations) {
    out += "  " + name_of(each.kind) + ", processes " + list_of(each.members);
    if (thawed)
      out += ", beside thawed ones after " + std::to_string(each.awaits) + " reports";
    thawed = each.what == fault::thaw;
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
