// Objects around others that stop for good after some changes, as if the process were killed then,
// or of which one put fails.
// Threads: as object_store.
#pragma once

#include "storage/bytes/object_store.hpp"

#include <atomic>

namespace troupe::storage {

class stopping_objects final : public object_store {
public:
  static constexpr int64_t never = int64_t{1} << 60;

  // `target` outlives this. `changes`: puts and removals that are done; every later call fails.
  explicit stopping_objects(object_store& target, int64_t changes = never)
    : target_(target), left_(changes) {}

  bool stopped() const { return left_ < 0; }

  // That many puts from now on are done, and the next one is not.
  void fail_one_put_after(int64_t puts) { until_failure_ = puts; }

  // Bytes that were asked for and given.
  uint64_t bytes_put() const { return put_; }
  uint64_t bytes_got() const { return got_; }

  result<void> put(std::string_view name, std::string_view bytes) override {
    if (left_-- <= 0)
      return dead();
    if (until_failure_-- == 0)
      return {errc::io, "the disk is full; free some room"};
    put_ += bytes.size();
    return target_.put(name, bytes);
  }

  result<std::string> get(std::string_view name, uint64_t offset, uint64_t count) const override {
    if (stopped())
      return dead();
    auto out = target_.get(name, offset, count);
    if (out)
      got_ += out->size();
    return out;
  }

  result<std::optional<uint64_t>> size(std::string_view name) const override {
    return stopped() ? dead() : target_.size(name);
  }

  result<void> list(std::string_view prefix, const visitor& visit) const override {
    return stopped() ? dead() : target_.list(prefix, visit);
  }

  result<void> remove(std::string_view name) override {
    return left_-- <= 0 ? dead() : target_.remove(name);
  }

private:
  static error dead() { return {errc::io, "the process was killed; start it again"}; }

  object_store& target_;
  std::atomic<int64_t> left_;
  std::atomic<int64_t> until_failure_{-1};
  std::atomic<uint64_t> put_{0};
  mutable std::atomic<uint64_t> got_{0};
};

} // namespace troupe::storage
