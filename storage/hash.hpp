// SHA-256: what names data for ever. Checks against accidents use XXH3, see record.hpp.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>

namespace troupe::storage {

// 64 lowercase hexadecimal digits.
std::string sha256(std::string_view bytes);

// The same of a file's content, read in pieces. It blocks: not for a scheduler thread.
// Errors: errc::not_found, errc::io.
result<std::string> sha256_file(const std::string& path);

} // namespace troupe::storage
