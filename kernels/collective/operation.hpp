// What the backends share: the description of one call, which the ranks compare before they use
// each other's bytes, and the rule that a group which failed once fails at once ever after.
#pragma once

#include "kernels/collective/collective.hpp"

#include <atomic>
#include <optional>

namespace troupe::collective {

enum class operation_kind : uint32_t { allreduce = 1, broadcast = 2, barrier = 3 };

// Travels between processes as it lies in memory.
struct operation {
  operation_kind kind = operation_kind::barrier;
  reduction how = reduction::sum;
  uint32_t root = 0;
  uint32_t sequence = 0; // how many operations this rank has called before
  uint64_t count = 0;    // elements

  friend bool operator==(const operation&, const operation&) = default;
};

static_assert(sizeof(operation) == 24 && sizeof(reduction) == 4);

result<void> check(const group_options& options);

time_point now();

// The error for ranks that do not call the same operation.
error mismatch(const operation& mine, const operation& theirs, uint32_t rank);

class common_group : public group {
public:
  explicit common_group(const group_options& options) : options_(options) {}

  uint32_t rank() const final { return options_.rank; }
  uint32_t size() const final { return options_.size; }
  result<void> allreduce(std::span<float> data, reduction how) final;
  result<void> broadcast(std::span<float> data, uint32_t root) final;
  result<void> barrier() final;
  void abort() final;

protected:
  // Runs one operation that has been checked; ends by `until`.
  virtual result<void> execute(const operation& op, std::span<float> data, time_point until) = 0;

  // Tells the other ranks. Any thread; more than once.
  virtual void end(errc why) = 0;

  const group_options& options() const { return options_; }

private:
  result<void> perform(operation op, std::span<float> data);

  const group_options options_;
  uint32_t sequence_ = 0;
  std::optional<error> failure_;
  std::atomic<bool> aborted_ = false;
};

// The group of one rank: nothing to exchange.
std::unique_ptr<group> make_single(const group_options& options);

} // namespace troupe::collective
