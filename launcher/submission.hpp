// Where a job that is submitted runs: on a cluster, or on one inside this process; and how its
// resources get there.
#pragma once

#include "actors/cluster/client.hpp"
#include "launcher/commands.hpp"

namespace troupe::launcher {

struct submission {
  job_spec_msg spec;
  std::vector<std::string> notes; // for people, told once, by who submits it
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

// Shows a job until its end; the exit code says how it ended.
int follow(client& cluster, const shared_options& shared, uint64_t job);

} // namespace troupe::launcher
