// What an event of the master's log says about what was made from what, as changes of the metadata
// store:
//
//   job             a context, which the others are in
//   attempt, task   executions
//   file, package   artifacts that an attempt reads, or a task whose files are traced
//   output,         artifacts that it wrote, or one of its tasks did, each with the SHA-256 of
//   checkpoint      its bytes
//   log, metrics    artifacts of a task
//
// Each has an external id that its facts give: the same event changes nothing a second time. An
// output is an artifact of its attempt, an input the newest artifact of that uri and hash: nothing
// is ever made of itself.
// Threads: plain functions. They read files, and block while they do.
#pragma once

#include "actors/cluster/journal_records.hpp"
#include "storage/metadata/change_set.hpp"
#include "storage/metadata/view.hpp"

#include <vector>

namespace troupe {

// The types of all nodes that facts_of() puts.
storage::change_set lineage_types();

// What the event changes. `known` is the store with the events before it.
storage::change_set facts_of(const cluster_event_msg& event, const storage::metadata_view& known,
                             const std::string& jobs_directory);

// The external ids.
std::string job_in_lineage(uint64_t job);
std::string attempt_in_lineage(uint64_t job, uint32_t attempt);

// The lines of a text, without empty ones.
std::vector<std::string> lines_of(std::string_view all);

} // namespace troupe
