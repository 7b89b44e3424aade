// Bundles as they are printed: for people, and as JSON. Times in JSON are nanoseconds since 1970.
// Threads: plain functions.
#pragma once

#include "storage/bundles/bundle_repository.hpp"
#include "storage/bytes/tree.hpp"

#include <nlohmann/json.hpp>

namespace troupe::launcher {

nlohmann::json json_of(const storage::kept_bundle& x);
std::string text_of(const nlohmann::json& x);

// A line for each.
void print(const std::vector<storage::kept_bundle>& all);
void print(const storage::bundle_repository::named_contexts& all);

// All that is known; `files` is null where its bytes are not here.
void print(const storage::kept_bundle& x, const storage::tree* files);

std::string size_text(uint64_t bytes);

// What kind of thing it holds: "value", "file", "directory", or the type that it was given.
std::string kind_of(const storage::bundle& x);

} // namespace troupe::launcher
