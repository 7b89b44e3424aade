// A simulated cluster: the real master over a disk that outlives it, the real agents on machines,
// and clients that submit jobs, follow them and sometimes kill them.
#pragma once

#include "actors/cluster/lineage_projection.hpp"
#include "storage/event_log.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/sim/sim_machine.hpp"
#include "tests/support/sim_disk.hpp"

namespace troupe::testing {

// A job that a client wants, and what it knows about it.
struct wanted_job {
  job_spec_msg spec;
  uint64_t token = 0;
  duration submit_after{};
  std::optional<duration> kill_after; // since the submission
  bool twice = false;                 // it is submitted again after it was accepted
  wanted_job* needs = nullptr;        // if that one was accepted before
  need_rule need{};
  std::optional<duration> hold_after; // since the submission, as are the next two
  std::optional<duration> release_after;
  std::optional<duration> requeue_after;
  // what the client was told
  uint64_t id = 0;
  uint64_t seen = 0; // the last event
  bool final = false;
  job_state state = job_state::queued;
  uint32_t attempt = 0;
  // what the client does
  time_point submitted;
  bool asking = false;
  bool kill_confirmed = false;
};

struct cluster_options {
  master_options master;
  machine_options machine;
  size_t machines = 2;
  duration commit_max = std::chrono::milliseconds(5);
};

class job_cluster {
public:
  job_cluster(uint64_t seed, cluster_options (*draw)(random_source&));
  ~job_cluster();

  job_cluster(const job_cluster&) = delete;
  job_cluster& operator=(const job_cluster&) = delete;

  // Before start(): a client's job. One client for each name.
  wanted_job& want(const std::string& client, const std::string& command, uint32_t tasks,
                   uint32_t attempts);
  void start();

  // The master's process dies, and its supervisor starts it again.
  void restart_master(duration outage, bool told);

  bool all_final() const;

  // Waits until every job has ended and nothing is left of them.
  void demand_end(duration limit);

  // A gang that needs all there is runs: nothing was leaked.
  void demand_room();

  // The lineage has every job, as it ended.
  void demand_lineage();

  // What happened, as a hash, with the violations.
  uint64_t finish(std::vector<std::string>& violations);

  sim_world world;
  const cluster_options options;
  job_ledger seen;
  sim_disk disk;
  sim_desk desk;
  std::vector<std::unique_ptr<sim_machine>> machines;
  std::map<std::string, std::vector<std::unique_ptr<wanted_job>>> clients;

private:
  class wall_clock final : public clock {
  public:
    explicit wall_clock(const sim_world& world) : world_(world) {}
    time_point now() const override { return world_.time.now; }
    int64_t wall_ns() const override {
      return 1'700'000'000'000'000'000 + world_.time.now.time_since_epoch().count();
    }

  private:
    const sim_world& world_;
  };

  // One life of the master.
  struct master_life {
    master_life(const sim_node& node, sim_disk& disk, duration wait_max)
      : writer(node, disk, wait_max), at_once(disk) {}

    sim_committer writer;
    storage::commit_inline at_once;
    std::unique_ptr<storage::event_log> log;
    std::unique_ptr<storage::metadata> metadata;
    std::unique_ptr<job_archive> history;
    std::unique_ptr<lineage_projection> lineage;
  };

  void boot_master(sim_node& node);
  result<void> open_master(sim_node& node);
  void boot_client(sim_node& node);
  int64_t wall_of_a_machine(); // it may have jumped back

  wall_clock wall_{world};
  std::unique_ptr<master_life> master_;
};

} // namespace troupe::testing
