// What a node needs on a machine where nothing is installed: the binaries of a node, the command,
// and the shared libraries that they load, but for those of the C library, which every machine has.
// A program finds the libraries in ../lib beside it (its RPATH), so nothing leaks into the tasks'
// environment.
#pragma once

#include "runtime/base/result.hpp"

#include <string>

namespace troupe::launcher {

struct bundle {
  std::string hash;    // of the content
  std::string archive; // bin/ and lib/, tar and gzip
};

// `program`: a binary of this build. It blocks for seconds.
result<bundle> make_bundle(const std::string& program);

} // namespace troupe::launcher
