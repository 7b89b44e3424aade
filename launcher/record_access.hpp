// How the commands of the record reach it, and find what they are told of.
// Threads: plain functions. They block.
#pragma once

#include "actors/cluster/client.hpp"
#include "actors/cluster/lineage_facts.hpp"
#include "actors/lineage/artifact_client.hpp"
#include "launcher/commands.hpp"
#include "storage/metadata/filter.hpp"

namespace troupe::launcher {

inline constexpr auto answer_time = std::chrono::seconds(30);

// Connects, and does `work` with the client and its record: the exit status of the command.
template <class Work>
int with_record(const shared_options& shared, duration deadline, const Work& work) {
  auto cluster = client::connect(shared.directory, std::chrono::seconds(2), deadline);
  if (!cluster)
    return complain(cluster.error());
  artifact_client records((*cluster)->link());
  result<int> done = work(**cluster, records);
  return done ? *done : complain(done.error());
}

// The newest node that the filter matches; 0: there is none.
inline result<uint64_t> newest_of(artifact_client& records, storage::node_kind kind,
                                  const std::string& filter, uint64_t when) {
  storage::list_request wanted;
  wanted.kind = kind;
  wanted.filter = filter;
  wanted.descending = true;
  wanted.page_size = 1;
  auto found = records.list(wanted, when);
  if (!found)
    return found.error();
  return found->nodes.empty() ? 0 : found->nodes[0].id;
}

// The context of a job.
inline result<uint64_t> context_of_job(artifact_client& records, uint64_t job, uint64_t when) {
  auto filter = "external_id = " + storage::filter_text(job_in_lineage(job));
  auto found = newest_of(records, storage::node_kind::context, filter, when);
  if (found && *found == 0)
    return {errc::not_found, "nothing is recorded of job " + std::to_string(job)
                               + "; see the jobs with: troupe jobs"};
  return found;
}

} // namespace troupe::launcher
