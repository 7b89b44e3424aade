#include "actors/packages/package_plan.hpp"

#include <algorithm>

namespace troupe {

void package_plan::found(const std::string& hash, uint64_t bytes) {
  auto& x = packages_[hash];
  x.now = stage::here;
  x.bytes = bytes;
  x.used = ++uses_;
}

bool package_plan::has(const std::string& hash) const {
  auto found = packages_.find(hash);
  return found != packages_.end() && found->second.now == stage::here;
}

void package_plan::want(const std::string& hash, uint64_t size, time_point now) {
  auto [found, fresh] = packages_.try_emplace(hash);
  auto& x = found->second;
  x.used = ++uses_;
  if (!fresh)
    return;
  x.bytes = size;
  x.moved = now;
  x.try_at = now;
}

// Whether the failure is one that may be gone at the next try.
bool package_plan::passes(const package& x, const fetch_outcome& outcome, time_point now) const {
  switch (outcome.failed.code) {
  case errc::corrupt:
    return !x.damaged;
  case errc::unavailable:
  case errc::node_lost:
  case errc::deadline:
  case errc::queue_full:
  case errc::refused: // a master that is new does not know the ticket
  case errc::already_exists:
    return now - x.moved < options_.patience;
  default:
    return false;
  }
}

std::optional<error> package_plan::ended(const fetch_outcome& outcome, time_point now) {
  auto found = packages_.find(outcome.hash);
  if (found == packages_.end() || found->second.now == stage::here)
    return {};
  auto& x = found->second;
  if (outcome.failed.code == errc::ok) {
    x.now = stage::here;
    x.bytes = outcome.bytes;
    return {};
  }
  if (outcome.bytes > x.kept)
    x.moved = now;
  x.kept = std::max(x.kept, outcome.bytes);
  auto again = x.now == stage::cancelled || passes(x, outcome, now);
  if (!again) {
    packages_.erase(found);
    return outcome.failed;
  }
  x.damaged = x.damaged || outcome.failed.code == errc::corrupt;
  x.try_at = x.now == stage::cancelled ? now : now + options_.pause;
  x.now = stage::wanted;
  return {};
}

std::vector<fetch_due> package_plan::due(const std::set<std::string>& wanted, time_point now) {
  std::vector<fetch_due> out;
  auto busy = static_cast<size_t>(std::count_if(packages_.begin(), packages_.end(), [](auto& each) {
    return each.second.now == stage::fetching || each.second.now == stage::cancelled;
  }));
  for (auto& [hash, x] : packages_) {
    if (x.now != stage::wanted || !wanted.contains(hash) || now < x.try_at)
      continue;
    if (busy == options_.fetches_max)
      break;
    ++busy;
    x.now = stage::fetching;
    out.push_back({hash, x.bytes});
  }
  return out;
}

std::vector<std::string> package_plan::idle(const std::set<std::string>& wanted) {
  std::vector<std::string> out;
  for (auto& [hash, x] : packages_) {
    if (x.now != stage::fetching || wanted.contains(hash))
      continue;
    x.now = stage::cancelled;
    out.push_back(hash);
  }
  std::erase_if(packages_, [&](auto& each) {
    return each.second.now == stage::wanted && !wanted.contains(each.first);
  });
  return out;
}

std::vector<std::string> package_plan::surplus(const std::set<std::string>& wanted) {
  uint64_t all = 0;
  std::map<uint64_t, std::string> unused; // the least recently used first
  for (auto& [hash, x] : packages_) {
    if (x.now != stage::here)
      continue;
    all += x.bytes;
    if (!wanted.contains(hash))
      unused[x.used] = hash;
  }
  std::vector<std::string> out;
  for (auto& [used, hash] : unused) {
    if (all <= options_.bytes_max)
      break;
    all -= packages_[hash].bytes;
    packages_.erase(hash);
    out.push_back(hash);
  }
  return out;
}

} // namespace troupe
