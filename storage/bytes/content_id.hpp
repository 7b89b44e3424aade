// The SHA-256 of bytes as their name: of chunks, packs, trees. Threads: a value.
#pragma once

#include "runtime/base/result.hpp"
#include "storage/hash.hpp"

#include <cstring>
#include <string>
#include <string_view>

namespace troupe::storage {

struct content_id {
  static constexpr size_t bytes = 32;

  sha256_digest digest{};

  // `raw` has 32 bytes.
  static content_id from_raw(std::string_view raw);

  // Errors: errc::invalid, unless it is 64 lowercase hexadecimal digits.
  static result<content_id> parse(std::string_view digits);

  std::string_view raw() const noexcept {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

  // 64 lowercase hexadecimal digits.
  std::string digits() const;

  bool operator==(const content_id&) const = default;
  bool operator<(const content_id& other) const { return digest < other.digest; }
};

using chunk_id = content_id;
using pack_id = content_id;
using tree_id = content_id;

// It is a hash already.
struct content_id_hash {
  size_t operator()(const content_id& x) const noexcept {
    size_t out = 0;
    std::memcpy(&out, x.digest.data(), sizeof out);
    return out;
  }
};

} // namespace troupe::storage
