// Random operations that the ranks of a group agree on by a seed; every result is checked.
#pragma once

#include "kernels/collective/collective.hpp"
#include "runtime/base/random.hpp"

#include <atomic>
#include <span>
#include <vector>

namespace troupe::collective::test {

// Threads: one, that of the group's operations.
class drill {
public:
  // `seed` is the same on every rank. `entered` has a number for each rank, 0 at first, in memory
  // that the ranks share: the operation that it is in.
  drill(group& ranks, uint64_t seed, std::span<std::atomic<uint64_t>> entered);

  // Makes the rows, for which the ranks may have to meet. Errors: the group's.
  result<void> prepare();

  // Makes the next operation. Errors: the group's; errc::corrupt for a wrong result.
  result<void> next();

  // A barrier, also checked. Errors: as next().
  result<void> meet();

private:
  enum class kind : uint32_t {
    allreduce,
    reduce_scatter,
    allgather,
    broadcast,
    all_to_all,
    reduce,
    gather,
    scatter,
    transfer,
    barrier,
    look,
    count_ // of the kinds
  };

  struct task {
    kind what = kind::barrier;
    element type = element::f32;
    reduction how = reduction::sum;
    uint32_t root = 0;
    size_t part = 0; // elements: of the shorter row
    bool in_place = false;
  };

  template <class T>
  class numbers;

  task draw();
  template <class T>
  result<void> run(const task& x);
  template <class T>
  result<void> reduce_rows(const task& x, const numbers<T>& known);
  template <class T>
  result<void> copy_row(const task& x, const numbers<T>& known);
  template <class T>
  result<void> move_parts(const task& x, const numbers<T>& known);
  result<void> wrong(const task& x) const;

  group& ranks_;
  random_source chance_;
  std::span<std::atomic<uint64_t>> entered_;
  uint64_t number_ = 0;
  std::unique_ptr<memory> first_;
  std::unique_ptr<memory> second_;
};

} // namespace troupe::collective::test
