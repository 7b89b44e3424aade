#include "storage/bytes/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace troupe::storage {

result<void> in_parallel(size_t count, size_t span, unsigned threads,
                         const std::function<result<void>(size_t begin, size_t end)>& work) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  result<void> outcome;
  auto run = [&] {
    while (!failed) {
      auto begin = next.fetch_add(span);
      if (begin >= count)
        return;
      auto done = work(begin, std::min(begin + span, count));
      if (done)
        continue;
      std::lock_guard lock{mutex};
      if (outcome)
        outcome = done;
      failed = true;
    }
  };
  auto spans = (count + span - 1) / span;
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min<size_t>(threads, spans); ++i)
    others.emplace_back(run);
  run();
  for (auto& each : others)
    each.join();
  return outcome;
}

} // namespace troupe::storage
