#include "tests/sim/sim_packages.hpp"

#include <algorithm>

namespace troupe::testing {

using namespace std::chrono_literals;

namespace {

constexpr uint64_t package_bytes = 100;

} // namespace

std::unique_ptr<resource_msg> sim_resource(uint64_t number) {
  auto out = std::make_unique<resource_msg>();
  out->name = "package-";
  out->name.append(std::to_string(number));
  out->hash = std::string(63, '0').append(std::to_string(number % 10));
  out->size = package_bytes;
  return out;
}

// ---- the master's ----

result<bulk_access_msg> sim_desk::push(const push_package_msg&) {
  return {errc::invalid, "nothing is brought here"};
}

result<bulk_access_msg> sim_desk::fetch(const fetch_package_msg& asked) {
  bulk_access_msg out;
  out.endpoint = asked.hash;
  out.size = package_bytes;
  return out;
}

void sim_desk::sweep(const std::set<std::string>& named) {
  for (uint64_t id = 1; auto* job = seen_.find(id); ++id)
    for (auto& type : job->submitted.spec->tasks)
      for (auto& each : type->resources)
        if (!named.contains(each->hash))
          world_.violated("the package of job " + std::to_string(id) + " is swept away");
}

// ---- a machine's ----

std::vector<package_cache::cached> sim_package_cache::found() {
  std::vector<cached> out;
  for (auto& each : disk_.whole)
    out.push_back({each, package_bytes});
  return out;
}

void sim_package_cache::fetch(const std::string& hash, const bulk_access_msg&,
                              std::function<void(fetch_outcome)> ended) {
  if (!running_.insert(hash).second || disk_.has(hash))
    world_.violated("package " + hash + " is fetched twice on one machine");
  auto slow = !healed_ && world_.time.random.chance(0.1);
  after_(world_.time.between(1ms, slow ? 5s : 200ms),
         [this, hash, ended = std::move(ended), alive = std::weak_ptr<bool>{alive_}] {
           if (!alive.expired())
             ended(outcome_of(hash));
         });
}

fetch_outcome sim_package_cache::outcome_of(const std::string& hash) {
  running_.erase(hash);
  auto& random = world_.time.random;
  if (cancelled_.erase(hash) != 0 && random.chance(0.8))
    return {hash, 0, {errc::aborted, "it was cancelled"}};
  if (!healed_ && random.chance(0.2))
    return {hash, random.below(package_bytes), {errc::node_lost, "the connection ended"}};
  if (!healed_ && random.chance(0.05))
    return {hash, 0, {errc::corrupt, "it was damaged"}};
  if (!healed_ && random.chance(0.02))
    return {hash, 0, {errc::io, "the disk is full"}};
  disk_.whole.push_back(hash);
  return {hash, package_bytes, {}};
}

void sim_package_cache::drop(const std::string& hash) {
  if (in_use_(hash))
    world_.violated("package " + hash + " is dropped while a task uses it");
  if (std::erase(disk_.whole, hash) == 0)
    world_.violated("package " + hash + " is dropped and was not there");
}

} // namespace troupe::testing
