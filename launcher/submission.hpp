// Where a job that is submitted runs: on a cluster, or on one inside this process; and how its
// resources get there.
#pragma once

#include "actors/cluster/client.hpp"
#include "launcher/commands.hpp"

namespace troupe::launcher {

struct submission {
  job_spec_msg spec;
  std::vector<std::string> notes; // for people, told once, by who submits it
  bool embedded = false;          // the cluster that runs it ends with this command
};

// A job, or the jobs of an array, whose numbers are in a row.
struct followed {
  uint64_t first = 0;
  uint32_t array = 0;    // the size of the array; 0: it is one job
  bool embedded = false; // as in submission
};

// Each returns the exit code of the command.
int submit_to(client& cluster, const shared_options& shared, const submit_options& options,
              submission what);
int submit_embedded(const shared_options& shared, const submit_options& options, submission what);
int submit_with_resources(const shared_options& shared, const submit_options& options,
                          submission what);

// Brings each resource to the master, unless it has the content already, and writes the hashes into
// the job. Blocks for as long as that takes.
result<void> ship(client& cluster, const shared_options& shared, job_spec_msg& spec);

// Shows the jobs until each has ended. The exit code is that of the first, by number, that did not
// succeed.
int follow(client& cluster, const shared_options& shared, const followed& what);

} // namespace troupe::launcher
