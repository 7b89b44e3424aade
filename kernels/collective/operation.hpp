// What the backends share: the description of one call, which the ranks compare before they use
// each other's bytes, and the rule that a group which failed once fails at once ever after.
#pragma once

#include "kernels/collective/collective.hpp"

#include <atomic>
#include <cstring>
#include <functional>
#include <optional>

namespace troupe::collective {

enum class operation_kind : uint32_t {
  allreduce = 1,
  reduce_scatter,
  allgather,
  broadcast,
  reduce,
  gather,
  scatter,
  all_to_all,
  barrier,
  allocate,
  transfer // from one rank to another
};

// Travels between processes as it lies in memory.
struct operation {
  operation_kind kind = operation_kind::barrier;
  reduction how = reduction::sum;
  element type = element::f32;
  uint32_t root = 0;
  uint64_t sequence = 0; // how many operations this rank has called before
  uint64_t count = 0;    // elements: of the smaller row, where the two differ
  // Where the rows lie in the memory that allocate() gave: its number and the offset; 0: elsewhere.
  uint64_t in_at = 0;
  uint64_t out_at = 0;
};

static_assert(sizeof(operation) == 48 && sizeof(reduction) == 4 && sizeof(element) == 4);

// Whether two ranks called the same; where their rows lie is their own affair.
bool same_call(const operation& a, const operation& b);

struct call {
  operation what;
  input in;
  output out;
};

// Nothing, where there are no bytes or they are there already.
inline void copy_bytes(std::byte* to, const std::byte* from, size_t bytes) {
  if (bytes > 0 && to != from)
    memcpy(to, from, bytes);
}

result<void> check(const group_options& options);
result<void> check(const group_options& options, const std::vector<std::string>& members);

time_point now();

// The error for ranks that do not call the same operation.
error mismatch(const operation& mine, const operation& theirs, uint32_t rank);

class common_group : public group {
public:
  explicit common_group(const group_options& options) : options_(options) {}

  uint32_t rank() const final { return options_.rank; }
  uint32_t size() const final { return options_.size; }
  result<void> allreduce(input in, output out, reduction how) final;
  result<void> reduce_scatter(input in, output out, reduction how) final;
  result<void> allgather(input in, output out) final;
  result<void> broadcast(output data, uint32_t root) final;
  result<void> reduce(input in, output out, reduction how, uint32_t root) final;
  result<void> gather(input in, output out, uint32_t root) final;
  result<void> scatter(input in, output out, uint32_t root) final;
  result<void> all_to_all(input in, output out) final;
  result<void> barrier() final;
  result<void> send(input data, uint32_t to) final;
  result<void> receive(output data, uint32_t from) final;
  result<std::unique_ptr<memory>> allocate(size_t bytes) final;
  result<void> look() final;
  void abort() final;

  // Operations whose rows have been checked, for a group of groups.
  result<void> perform(operation what, input in, output out, time_point until);
  result<void> transfer_to(const call& x, uint32_t to, time_point until);
  result<void> transfer_from(const call& x, uint32_t from, time_point until);

protected:
  // Runs one operation that has been checked, and in which there are others; ends by `until`.
  virtual result<void> execute(const call& x, time_point until) = 0;
  virtual result<void> transmit(const call& x, uint32_t to, time_point until) = 0;
  virtual result<void> take(const call& x, uint32_t from, time_point until) = 0;

  // Runs one operation in a group of one rank.
  virtual result<void> alone(const call& x, time_point until);

  // Whether the others are there, as far as is known at once.
  virtual result<void> look_at_others() = 0;

  // Refuses (invalid) rows in memory that the backend does not reach.
  virtual result<void> check_memory(const input&) const { return {}; }

  // What the last operation has allocated; none: memory of this process does as well.
  virtual std::unique_ptr<memory> take_allocated() { return {}; }

  // An allreduce or a reduce in the type of the sum, so that only its end is rounded: `work` makes
  // the row the reduced one, by a reduction that is no mean. Ranks other than a reduce's root give
  // it a row in memory of the group, whose contents are not used then.
  using row_work = std::function<result<void>(const output& row, reduction how)>;
  result<void> reduce_as_sum(const call& x, const row_work& work);

  // Tells the other ranks. Any thread; more than once.
  virtual void end(errc why) = 0;

  const group_options& options() const { return options_; }

private:
  // Runs `work`, unless the group has failed; a failure of it is the group's.
  template <class F>
  result<void> guarded(const F& work, time_point until);

  result<void> perform(operation what, input in, output out) {
    TROUPE_TRY(check_memory(in));
    TROUPE_TRY(check_memory(out));
    return perform(what, in, out, now() + options_.deadline);
  }
  result<void> check_peer(uint32_t peer, const char* what) const;

  const group_options options_;
  uint64_t sequence_ = 0;
  std::optional<error> failure_;
  std::atomic<bool> aborted_ = false;
  std::vector<std::byte> wide_; // rows of sums that do not lie in `out`
};

template <class F>
result<void> common_group::guarded(const F& work, time_point until) {
  if (failure_)
    return *failure_;
  result<void> done;
  if (!aborted_)
    done = work(until);
  // An abort that comes while the operation completes is this rank's own wish: it wins.
  if (aborted_)
    done = error{errc::aborted, "the group was aborted by this rank: make a new generation."};
  if (!done) {
    failure_ = done.error();
    end(failure_->code);
  }
  return done;
}

// The group of one rank: nothing to exchange.
std::unique_ptr<common_group> make_single(const group_options& options);

} // namespace troupe::collective
