// Looks at everything that the metadata store holds: whether each record can be read, whether what
// it refers to is there, and whether the indexes say what the nodes say. It changes nothing.
// Threads: one; on a snapshot, so others may write meanwhile.
// Errors: those of the store, where even its keys cannot be read.
#pragma once

#include "storage/store.hpp"

#include <cstdint>
#include <string>

namespace troupe::storage {

// What was looked at.
struct metadata_audit {
  uint64_t types = 0;
  uint64_t nodes = 0;
  uint64_t versions = 0; // earlier ones
  uint64_t events = 0;
  uint64_t links = 0;
  uint64_t changes = 0;
  uint64_t indexes = 0;
  uint64_t findings = 0; // 0: all is well
};

// Gets one sentence for each thing that is broken: what it is and what is lost by it.
using finding_visitor = std::function<void(const std::string& what)>;

result<metadata_audit> audit_metadata(const store& in, const finding_visitor& found);

} // namespace troupe::storage
