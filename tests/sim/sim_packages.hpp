// Packages in a simulated cluster: a master's desk that has every package, and the caches of the
// machines, with fetches that are slow, fail and are lost. No bytes: a package is its hash.
//
// Invariants
// - A package is fetched by one fetch at a time on a machine, and none that is there.
// - A task is launched where all its packages are; none is dropped that a living task uses.
// - The desk is never told to remove a package that a job of the log names.
#pragma once

#include "actors/packages/package_cache.hpp"
#include "actors/packages/package_desk.hpp"
#include "tests/sim/job_ledger.hpp"

namespace troupe::testing {

// One of the few packages that jobs of the simulation have.
std::unique_ptr<resource_msg> sim_resource(uint64_t number);

class sim_desk final : public package_desk {
public:
  sim_desk(sim_world& world, const job_ledger& seen) : world_(world), seen_(seen) {}

  result<packages_lacking_msg> lacking(const find_packages_msg&) override {
    return packages_lacking_msg{};
  }
  result<bulk_access_msg> push(const push_package_msg&) override;
  result<bulk_access_msg> fetch(const fetch_package_msg& asked) override;
  void sweep(const std::set<std::string>& named) override;

private:
  sim_world& world_;
  const job_ledger& seen_;
};

// The disk of one machine: it outlives the agents.
struct sim_package_disk {
  std::vector<std::string> whole;             // hashes, the least recently fetched first
  std::map<std::string, start_task_msg> kept; // orders that wait, by task_key

  bool has(const std::string& hash) const {
    return std::find(whole.begin(), whole.end(), hash) != whole.end();
  }
};

// The cache as one life of the agent uses it; with it end its fetches.
class sim_package_cache final : public package_cache {
public:
  using timer = std::function<void(duration, std::function<void()>)>;

  // `after`: of the machine. `healed`: from then on no fetch fails.
  sim_package_cache(sim_world& world, sim_package_disk& disk, timer after, const bool& healed,
                    std::function<bool(const std::string&)> in_use)
    : world_(world), disk_(disk), after_(std::move(after)), healed_(healed),
      in_use_(std::move(in_use)) {}

  std::vector<cached> found() override;
  bool remote() const override { return false; }
  void fetch(const std::string& hash, const bulk_access_msg& access,
             std::function<void(fetch_outcome)> ended) override;
  void cancel(const std::string& hash) override { cancelled_.insert(hash); }
  void drop(const std::string& hash) override;
  void stop() override {}

private:
  fetch_outcome outcome_of(const std::string& hash);

  sim_world& world_;
  sim_package_disk& disk_;
  timer after_;
  const bool& healed_;
  std::function<bool(const std::string&)> in_use_;
  std::set<std::string> running_;
  std::set<std::string> cancelled_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace troupe::testing
