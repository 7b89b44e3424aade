// A directory of a test's own.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace troupe::testing {

// A directory that is gone after the test.
class scratch_directory {
public:
  scratch_directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "troupe-test-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~scratch_directory() { std::filesystem::remove_all(path); }

  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  std::filesystem::path path;
};

} // namespace troupe::testing
