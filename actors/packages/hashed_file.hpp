// A bulk sink for content that is known by its SHA-256: it is at its path when it has arrived whole
// and has that hash, and never otherwise. What arrived of it before a failure is kept beside it, at
// PATH.part, for the next try of any process (runtime/bulk_content.hpp).
// Errors of commit(): errc::corrupt if the content has another hash.
// Threads: one uses it at a time.
#pragma once

#include "runtime/bulk_content.hpp"

#include <functional>

namespace troupe {

// `arrived`: called on the thread of the transfer when the content is at its path.
std::shared_ptr<bulk_sink> bulk_to_hashed_file(
  std::string path, std::string hash, std::function<void()> arrived = [] {});

} // namespace troupe
