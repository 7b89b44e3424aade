// A real Slurm on this machine, for tests: munged, slurmctld and slurmd in the foreground, without
// systemd, in a directory of its own. Its nodes n1, n2, ... declare their cpus and 1000 MiB each;
// nothing limits what runs there. A job that is killed gets its hard signal after two seconds, and
// one that is requeued may start again at once. Needs Debian's slurm-wlm and munge, and root.
// The daemons end with the object, and with the thread that made it.
#pragma once

#include "launcher/run_command.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe {

class slurm_cluster {
public:
  // Why there can be none here; empty where there can.
  static std::string missing();

  // `directory` is made; every user must be able to enter its parents.
  slurm_cluster(std::string directory, int nodes, int cpus);
  ~slurm_cluster();

  slurm_cluster(const slurm_cluster&) = delete;
  slurm_cluster& operator=(const slurm_cluster&) = delete;

  // Waits until the nodes are idle. Sets SLURM_CONF of this process, until the object ends.
  result<void> start();

  // What a command of Slurm prints, its errors with it.
  std::string ask(const std::vector<std::string>& words) const;

private:
  void write_configuration() const;
  result<void> start_munge();
  result<void> start_daemon(const std::string& name, std::vector<std::string> words);

  std::string directory_;
  int nodes_;
  int cpus_;
  std::vector<pid_t> daemons_;
};

} // namespace troupe
