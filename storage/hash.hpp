// SHA-256: what names data for ever. Checks against accidents use XXH3, see record.hpp.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::storage {

using sha256_digest = std::array<uint8_t, 32>;

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

  // Of all that was added: once, either of them, and nothing is added after it.
  std::string digits();
  sha256_digest digest();

private:
  struct state;
  std::unique_ptr<state> state_;
};

// The same of many small pieces: what it prepares is used again. One thread.
class sha256_hasher {
public:
  sha256_hasher();
  ~sha256_hasher();

  sha256_hasher(sha256_hasher&& other) noexcept;
  sha256_hasher& operator=(sha256_hasher&& other) noexcept;

  sha256_digest of(std::string_view bytes);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::storage
