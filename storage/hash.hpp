// SHA-256: what names data for ever. Checks against accidents use XXH3, see record.hpp.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace troupe::storage {

// 64 lowercase hexadecimal digits.
std::string sha256(std::string_view bytes);

// 32 raw bytes: HMAC-SHA-256, RFC 2104.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// 32 lowercase hexadecimal digits. It keeps off no attacker: for comparing with what S3 calls an
// ETag.
std::string md5(std::string_view bytes);

// The SHA-256 of a file's content, read in pieces. It blocks: not for a scheduler thread.
// Errors: errc::not_found, errc::io.
result<std::string> sha256_file(const std::string& path);

// The same of what comes piece by piece. One thread.
class sha256_stream {
public:
  sha256_stream();
  ~sha256_stream();

  sha256_stream(sha256_stream&& other) noexcept;
  sha256_stream& operator=(sha256_stream&& other) noexcept;

  void add(std::string_view bytes);

  // Of all that was added: once, and nothing is added after it.
  std::string digits();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::storage
