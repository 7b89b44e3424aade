// How the nodes of the lineage are named and found.
// Threads: plain functions.
#pragma once

#include "storage/metadata/change_set.hpp"
#include "storage/metadata/view.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

// An external id.
std::string id_of(std::string_view kind, std::string_view key);

std::string job_key(uint64_t job);
std::string attempt_key(uint64_t job, uint32_t attempt);

// A file that was read, by its place and its bytes.
std::string id_of_input(const storage::node& x);

// What an attempt wrote, by its bytes: the same whoever tells of it.
std::string output_id(uint64_t job, uint32_t attempt, const storage::node& x);

// A node that stays as it is where it is there.
storage::node_put put_of(storage::node_kind kind, std::string_view type, std::string external_id);

// A name that the store takes, of any bytes.
std::string name_of_file(const std::string& path);
std::string uri_of_file(const std::string& path);

// The newest artifact of that uri and hash, which may be another job's output; 0: there is none.
uint64_t newest_of(const storage::metadata_view& known, const storage::node& x);

// The newest one of that uri that an attempt wrote; 0: there is none.
uint64_t written_by(const storage::metadata_view& known, uint64_t job, uint32_t attempt,
                    const std::string& uri);

} // namespace troupe
