// Whether a document is what a schema of OpenAPI 3.1 says: as much of JSON Schema as ours uses.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace troupe::e2e {

// What is wrong, one sentence each, with the place in the document; empty: nothing. `root` holds
// what is referred to. An object has exactly the fields that the schema names.
std::vector<std::string> violations(const nlohmann::json& root, const nlohmann::json& schema,
                                    const nlohmann::json& document, const std::string& where = "$");

} // namespace troupe::e2e
