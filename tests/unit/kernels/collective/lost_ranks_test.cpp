// Groups of up to 16 ranks that lose some of them, in each operation and at any moment of their
// work. Each rank is a process.
#include "runtime/base/random.hpp"
#include "tests/support/gpu.hpp"
#include "tests/unit/kernels/collective/gang.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

struct rows {
  rows(uint32_t ranks, size_t elements) : part(elements), whole(ranks * elements) {}

  std::vector<double> part;
  std::vector<double> whole;
  std::vector<double> other = whole;
};

// All ranks make it together.
struct operation {
  const char* name;
  result<void> (*run)(group&, rows&, uint32_t root);
  bool has_root = false;
};

// The root with each other rank in turn.
result<void> send_to_root(group& g, rows& x, uint32_t root) {
  if (g.rank() != root)
    return g.send(x.whole, root);
  for (uint32_t r = 0; r < g.size(); ++r)
    if (r != root)
      TROUPE_TRY(g.receive(x.whole, r));
  return {};
}

result<void> receive_from_root(group& g, rows& x, uint32_t root) {
  if (g.rank() != root)
    return g.receive(x.whole, root);
  for (uint32_t r = 0; r < g.size(); ++r)
    if (r != root)
      TROUPE_TRY(g.send(x.whole, r));
  return {};
}

result<void> allocate(group& g, rows&, uint32_t) {
  auto made = g.allocate(10'000);
  return made ? result<void>{} : made.error();
}

constexpr operation operations[] = {
  {"allreduce", [](group& g, rows& x, uint32_t) { return g.allreduce(x.whole, reduction::max); }},
  {"reduce_scatter",
   [](group& g, rows& x, uint32_t) { return g.reduce_scatter(x.whole, x.part, reduction::mean); }},
  {"allgather", [](group& g, rows& x, uint32_t) { return g.allgather(x.part, x.whole); }},
  {"broadcast", [](group& g, rows& x, uint32_t root) { return g.broadcast(x.whole, root); }, true},
  {"reduce",
   [](group& g, rows& x, uint32_t root) {
     return g.reduce(x.whole, x.other, reduction::mean, root);
   },
   true},
  {"gather", [](group& g, rows& x, uint32_t root) { return g.gather(x.part, x.whole, root); },
   true},
  {"scatter", [](group& g, rows& x, uint32_t root) { return g.scatter(x.whole, x.part, root); },
   true},
  {"all_to_all", [](group& g, rows& x, uint32_t) { return g.all_to_all(x.whole, x.other); }},
  {"barrier", [](group& g, rows&, uint32_t) { return g.barrier(); }},
  {"send", send_to_root, true},
  {"receive", receive_from_root, true},
  {"allocate", allocate}};

enum class loss { leave, die, abort, freeze };

constexpr const char* name_of(loss how) {
  constexpr const char* names[] = {"leave", "die", "abort", "freeze"};
  return names[static_cast<size_t>(how)];
}

bool contains(const std::vector<uint32_t>& all, uint32_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// What a rank says: that it is as far as wanted, or that it has got an error.
constexpr char ready = 'r';
constexpr char failed = 'f';

bool say(int progress, char what) {
  return write(progress, &what, 1) == 1;
}

// The test says when, by SIGUSR1, which is blocked.
void await_turn() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  int number = 0;
  sigwait(&wanted, &number);
}

void block_turn() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
}

int code_of(const result<void>& done) {
  return static_cast<int>(done.error().code);
}

// What happens to whom in which operation.
struct happening {
  loss how = loss::leave;
  std::vector<uint32_t> victims{};
  operation what{};
  uint32_t root = 0;
};

// A rank of a group in which all call the operation, but the victims. The exit code is the error's:
// who has it says so and stays in the group, so that no other one fails by its leaving.
int meet_loss(group& g, int progress, const happening& x) {
  block_turn();
  rows data(g.size(), 6000);
  // After the barrier no other rank joins any more.
  auto done = x.what.run(g, data, x.root);
  if (done)
    done = g.barrier();
  auto is_victim = contains(x.victims, g.rank());
  auto met = static_cast<bool>(done);
  if (met && is_victim) {
    if (!say(progress, ready) || x.how == loss::leave)
      return 0;
    if (x.how == loss::abort)
      g.abort();
    await_turn();
  }
  while (done) // a rank may have its result before it learns of the loss
    done = x.what.run(g, data, x.root);
  if (say(progress, failed) && met && !is_victim)
    await_turn();
  return code_of(done);
}

// Each operation in turn, until there is an error, which is the exit code.
int work(group& g, int progress) {
  block_turn();
  rows few(g.size(), 10);
  rows many(g.size(), 6000);
  for (uint32_t turn = 0;; ++turn) {
    auto& each = operations[turn % std::size(operations)];
    auto done = each.run(g, turn % 5 == 0 ? many : few, turn % g.size());
    if (!done)
      return code_of(done);
    if (!say(progress, ready))
      return 99;
  }
}

// A gang that has said so often that it is ready. On a busy machine ranks may not even join within
// a short deadline; they begin anew with a longer one.
std::unique_ptr<process_gang> start(const gang_shape& shape, duration deadline, size_t times,
                                    const process_gang::body_type& body) {
  for (;; deadline *= 2) {
    auto made = std::make_unique<process_gang>(shape, deadline, body);
    if (made->await_progress(times, ready))
      return made;
    if (deadline > 20s)
      return nullptr;
  }
}

// Of those that a frozen rank keeps waiting. NCCL takes seconds to begin.
duration short_deadline(const gang_shape& shape) {
  return shape.kind == backend::nccl ? 10s : 200ms;
}

void strike(process_gang& gang, loss how, const std::vector<uint32_t>& victims) {
  for (auto r : victims) {
    if (how == loss::die)
      gang.signal(r, SIGKILL);
    if (how == loss::freeze)
      gang.signal(r, SIGSTOP);
  }
}

// Each rank that is no victim ends with an error, and so does who goes on after it was frozen.
void expect_errors(process_gang& gang, uint32_t ranks, loss how,
                   const std::vector<uint32_t>& victims) {
  constexpr auto aborted = static_cast<int>(errc::aborted);
  constexpr auto deadline = static_cast<int>(errc::deadline);
  auto late = 0;
  for (uint32_t r = 0; r < ranks; ++r) {
    if (contains(victims, r))
      continue;
    gang.signal(r, SIGUSR1);
    auto code = gang.await_exit(r);
    ASSERT_NE(code, -2) << "rank " << r << " hangs";
    EXPECT_TRUE(code == aborted || (how == loss::freeze && code == deadline))
      << "rank " << r << " ends with " << code;
    late += code == deadline;
  }
  // One rank's clock runs out first; the others may learn it from that one.
  EXPECT_EQ(late > 0, how == loss::freeze) << late << " ranks end by their own deadline";
  for (auto r : victims) {
    if (how != loss::freeze)
      continue;
    gang.signal(r, SIGUSR1);
    gang.signal(r, SIGCONT);
    auto code = gang.await_exit(r);
    ASSERT_NE(code, -2) << "frozen rank " << r << " hangs";
    EXPECT_TRUE(code == aborted || code == deadline)
      << "frozen rank " << r << " ends with " << code;
  }
}

// -- each operation, in large groups ----------------------------------------------------------

std::vector<gang_shape> largest() {
  std::vector<gang_shape> out{
    {backend::shm, 16}, {backend::tcp, 16}, {backend::hierarchical, 16, 4, true}};
  if (troupe::test::count_gpus() >= 4)
    out.push_back({backend::nccl, 4});
  return out;
}

class EachOperation : public testing::TestWithParam<std::tuple<gang_shape, size_t>> {
protected:
  // So many ranks are lost: which, and whether the root is one of them, depends on the operation.
  void lose(loss how, uint32_t count) {
    auto victims = draw(count);
    auto root_is_lost = (number() + static_cast<uint32_t>(how) + count) % 2 == 0;
    lose(how, victims, root_is_lost ? victims[0] : other_than(victims));
  }

  void freeze() {
    auto victims = draw(1);
    lose(loss::freeze, victims, other_than(victims));
    if (operations[number()].has_root)
      lose(loss::freeze, victims, victims[0]);
  }

private:
  uint32_t ranks() const { return std::get<0>(GetParam()).ranks; }
  uint32_t number() const { return static_cast<uint32_t>(std::get<1>(GetParam())); }

  // Of one host or of two.
  std::vector<uint32_t> draw(uint32_t count) const {
    std::vector<uint32_t> out;
    for (uint32_t i = 0; i < count; ++i)
      out.push_back((number() * 5 + i * (number() % 2 == 0 ? 1 : 7)) % ranks());
    return out;
  }
  uint32_t other_than(const std::vector<uint32_t>& victims) const {
    return (victims.back() + 1) % ranks();
  }

  void lose(loss how, const std::vector<uint32_t>& victims, uint32_t root) {
    auto& shape = std::get<0>(GetParam());
    happening x{how, victims, operations[number()], root};
    auto gang
      = start(shape, how == loss::freeze ? short_deadline(shape) : duration(30s), victims.size(),
              [&](group& g, int progress) { return meet_loss(g, progress, x); });
    ASSERT_TRUE(gang) << "the gang does not begin";
    strike(*gang, how, victims);
    EXPECT_TRUE(gang->await_progress(ranks() - victims.size(), failed)) << "not all others end";
    expect_errors(*gang, shape.ranks, how, victims);
  }
};

std::string name_of(const std::tuple<gang_shape, size_t>& each) {
  return test::name_of(std::get<0>(each)) + "_" + operations[std::get<1>(each)].name;
}

INSTANTIATE_TEST_SUITE_P(All, EachOperation,
                         testing::Combine(testing::ValuesIn(largest()),
                                          testing::Range(size_t{0}, std::size(operations))),
                         [](auto& each) { return name_of(each.param); });

TEST_P(EachOperation, FailsWhenARankLeaves) {
  lose(loss::leave, 1);
}

TEST_P(EachOperation, FailsWhenARankDies) {
  lose(loss::die, 1);
}

TEST_P(EachOperation, FailsWhenTwoRanksDie) {
  lose(loss::die, 2);
}

TEST_P(EachOperation, FailsWhenARankAborts) {
  lose(loss::abort, 1);
}

TEST_P(EachOperation, FailsByTheDeadlineWhenARankFreezes) {
  freeze();
}

// -- at any moment, in groups of each size -----------------------------------------------------

class Work : public testing::TestWithParam<gang_shape> {
protected:
  void lose(loss how, const std::vector<uint32_t>& victims) {
    auto& shape = GetParam();
    for (auto rank : victims)
      ASSERT_LT(rank, shape.ranks);
    random_source chance(shape.ranks * 100 + victims[0]);
    auto times = shape.ranks * (1 + chance.below(40)) + chance.below(shape.ranks);
    SCOPED_TRACE(std::to_string(times) + " results, then " + name_of(how));
    auto gang
      = start(shape, how == loss::freeze ? short_deadline(shape) : duration(30s), times, work);
    ASSERT_TRUE(gang) << "the gang does not begin";
    strike(*gang, how, victims);
    expect_errors(*gang, shape.ranks, how, victims);
  }

  uint32_t last() const { return GetParam().ranks - 1; }
};

INSTANTIATE_TEST_SUITE_P(All, Work, testing::ValuesIn(sampled_shapes()),
                         [](auto& each) { return name_of(each.param); });

TEST_P(Work, EndsWhenARankIsKilled) {
  for (auto victim : {0u, last()})
    lose(loss::die, {victim});
}

TEST_P(Work, EndsWhenTwoRanksAreKilled) {
  if (last() > 1)
    lose(loss::die, {1, last()});
}

TEST_P(Work, EndsByTheDeadlineWhenARankFreezes) {
  lose(loss::freeze, {GetParam().ranks / 2});
}

TEST_P(Work, EndsByTheDeadlineWhenTwoRanksFreeze) {
  if (last() > 1)
    lose(loss::freeze, {0, last()});
}

// As a rank sees it that is cut off from all others.
TEST_P(Work, EndsByTheDeadlineWhenAllOthersFreeze) {
  std::vector<uint32_t> others;
  for (uint32_t r = 0; r < last(); ++r)
    others.push_back(r);
  lose(loss::freeze, others);
}

} // namespace
} // namespace troupe::collective::test
