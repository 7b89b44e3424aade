// The seam to bytes that are kept whole: immutable objects by name, in a directory, in S3, in
// another cluster.
//
// Guarantees: an object that list, size or get shows is whole: what is half written is invisible,
// also after a crash. A put that returned is durable. An object never changes: who puts a name
// again puts the same bytes, and is answered as done.
// Threads: every function may be called from any thread, several at a time.
// Limits: a name is 1 to 256 bytes of a-z, 0-9, '.', '_', '-' and '/', in parts that are neither
// empty nor "." nor ".."; an object has at most 256 MiB.
// Errors: errc::invalid (a name or a size outside the limits; nothing was done), errc::not_found,
// errc::io (the disk, or what the other end said), errc::unavailable (no answer: try again),
// errc::refused (not allowed: the credentials or permissions).
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::storage {

inline constexpr size_t object_name_max = 256;        // bytes
inline constexpr size_t object_size_max = 256u << 20; // bytes

// errc::invalid, saying which rule it breaks.
result<void> check_object_name(std::string_view name);

class object_store {
public:
  // Gets a name and a size in bytes; returns whether the listing goes on.
  using visitor = std::function<bool(std::string_view name, uint64_t bytes)>;

  static constexpr uint64_t to_the_end = std::numeric_limits<uint64_t>::max();

  virtual ~object_store() = default;

  virtual result<void> put(std::string_view name, std::string_view bytes) = 0;

  // The bytes from `offset`, `count` of them or as many as there are.
  virtual result<std::string> get(std::string_view name, uint64_t offset = 0,
                                  uint64_t count = to_the_end) const = 0;

  // Empty where there is no such object.
  virtual result<std::optional<uint64_t>> size(std::string_view name) const = 0;

  // The objects whose names begin with `prefix`, in the order of their names.
  virtual result<void> list(std::string_view prefix, const visitor& visit) const = 0;

  // The same without sizes, in any order: where a size costs a question of its own, cheaper.
  using name_visitor = std::function<void(std::string_view name)>;
  virtual result<void> list_names(std::string_view prefix, const name_visitor& visit) const {
    return list(prefix, [&](std::string_view name, uint64_t) {
      visit(name);
      return true;
    });
  }

  // Done also where there is no such object.
  virtual result<void> remove(std::string_view name) = 0;
};

} // namespace troupe::storage
