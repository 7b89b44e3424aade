// Results that need not be made again.
// Threads: plain functions; `find_reusable` as the view.
#pragma once

#include "storage/metadata/view.hpp"

namespace troupe::storage {

// What an execution depends on: whoever says the same gets the same result.
struct execution_facts {
  std::string code;                                         // its version, or a hash of it
  std::map<std::string, std::string, std::less<>> config{}; // name, value
  std::map<std::string, std::vector<std::string>> inputs{}; // name; hashes in their order
};

// SHA-256 of the facts, 64 lowercase hexadecimal digits; grammar: formats.md ("Fingerprints").
std::string fingerprint_of(const execution_facts& x);

// A result that can be used again: the newest execution with that fingerprint that is COMPLETE or
// CACHED and whose outputs are all LIVE. Empty where there is none.
struct reusable {
  uint64_t execution = 0;
  std::vector<event> outputs; // with their paths
};

// Errors: those of the view.
result<std::optional<reusable>> find_reusable(const metadata_view& in,
                                              std::string_view fingerprint);

} // namespace troupe::storage
