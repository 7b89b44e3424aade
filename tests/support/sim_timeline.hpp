// Virtual time of a simulation: what is to happen, in the order of its time, and the one seed.
// Threads: none; everything of a simulation runs on one.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/random.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <utility>

namespace troupe::testing {

class timeline {
public:
  explicit timeline(uint64_t seed) : random(seed) {}

  // Calls `what` at `when`, or at once when that is past; of equal times the first asked is first.
  void at(time_point when, std::function<void()> what) {
    todo_.emplace(std::pair{std::max(when, now), ++count_}, std::move(what));
  }

  void after(duration wait, std::function<void()> what) { at(now + wait, std::move(what)); }

  bool empty() const { return todo_.empty(); }
  time_point next() const { return todo_.begin()->first.first; }

  // Calls what is due; what that adds for now is called too.
  void run_due() {
    while (!todo_.empty() && next() <= now) {
      auto what = std::move(todo_.begin()->second);
      todo_.erase(todo_.begin());
      what();
    }
  }

  // Adds something that happened to the log's hash.
  void mix(uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9fb21c651e98df25u;
    hash_ ^= hash_ >> 32;
  }

  void mix(std::span<const std::byte> bytes) {
    for (auto each : bytes)
      hash_ = (hash_ ^ std::to_integer<uint64_t>(each)) * 0x100000001b3u;
    mix(bytes.size());
  }

  uint64_t hash() const { return hash_; }

  duration between(duration low, duration high) {
    return low
           + duration(
             static_cast<int64_t>(random.below(static_cast<uint64_t>((high - low).count()) + 1)));
  }

  time_point now{std::chrono::seconds(1000)};
  random_source random;

private:
  std::map<std::pair<time_point, uint64_t>, std::function<void()>> todo_;
  uint64_t count_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325u;
};

} // namespace troupe::testing
