// A copy of what a cluster keeps, while it runs: of its directory `store` (the record, the jobs)
// and `objects` (the bytes of bundles), in a directory that has the same two.
//
// Guarantees: it is there whole and durable, or not at all; who is killed leaves TO~ and six
// letters. Every bundle that is in the copied store has its bytes in the copy.
// Errors: errc::already_exists, errc::io, errc::unavailable, and those of the store and of
// object_store.
// Threads: a plain function. It blocks: not for a scheduler thread.
#pragma once

#include "storage/rocksdb_store.hpp"

#include <string>

namespace troupe::launcher {

// `store`: the one in `directory`. On the same file system the two share the files that never
// change.
result<void> copy_cluster(const storage::rocksdb_store& store, const std::string& directory,
                          std::string to);

} // namespace troupe::launcher
