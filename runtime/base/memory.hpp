// Memory that a group of ranks or a device gives, and may reach in a way of its own.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace troupe {

// Zeroed, and aligned to pages.
class memory {
public:
  virtual ~memory() = default;
  virtual std::span<std::byte> bytes() = 0;

  template <class T>
  std::span<T> row() {
    return {reinterpret_cast<T*>(bytes().data()), bytes().size() / sizeof(T)};
  }
};

// Of this process alone. Errors: none; the type is that of others which make memory.
result<std::unique_ptr<memory>> make_memory(size_t bytes);

} // namespace troupe
