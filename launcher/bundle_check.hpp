// Whether the bytes of bundles are there: each chunk that a bundle names has to lie in a pack that
// is there, and, where they are read, has to be what its name says.
//
// It changes nothing; others may write and sweep meanwhile. A bundle of which only the record was
// fetched has no bytes here, and nothing is lost by that.
// Memory: about 200 bytes for each chunk of the store. What bundles share is looked at once.
// Errors: those of object_store that are no damage, such as errc::refused and errc::unavailable.
// Threads: a plain function. It blocks: not for a scheduler thread.
#pragma once

#include "storage/bytes/object_store.hpp"

#include <functional>
#include <string>
#include <vector>

namespace troupe::launcher {

struct bundle_to_check {
  std::string uuid;
  std::string name;
  std::string context;
  std::string tree; // in hexadecimal digits; empty: it has no files
};

// A bundle of which something is lost.
struct lost_bytes {
  bundle_to_check of;
  std::vector<std::string> files; // those of which a chunk is lost
  uint64_t files_all = 0;         // that it has; 0: its list of files is lost, and all with it
  uint64_t chunks = 0;            // how many different ones are lost
  std::string why;                // of the first
};

struct bytes_checked {
  uint64_t bundles = 0;   // that were looked at
  uint64_t elsewhere = 0; // others, whose bytes are not here
  uint64_t chunks = 0;    // different ones that they name
  uint64_t bytes_read = 0;
  std::vector<std::string> objects; // a sentence for each index object that cannot be read
  std::vector<lost_bytes> lost;
};

struct bytes_check_options {
  bool read = false; // every chunk, not only the lists of files
  std::function<void(const bytes_checked& so_far)> report = [](const bytes_checked&) {};
};

result<bytes_checked> check_bytes(storage::object_store& objects,
                                  const std::vector<bundle_to_check>& bundles,
                                  const bytes_check_options& options);

// One sentence, which names some of the files.
std::string sentence_of(const lost_bytes& x);

} // namespace troupe::launcher
