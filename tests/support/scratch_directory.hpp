// A directory that is gone after the test.
#pragma once

#include "runtime/base/assert.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace troupe {

class scratch_directory {
  static std::string make() {
    auto pattern = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    TROUPE_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }

public:
  scratch_directory() = default;
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  const std::string path = make();
};

} // namespace troupe
