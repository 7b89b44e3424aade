// zstd (RFC 8878) over chunks. Only compression.cpp sees the library.
// Threads: one each; what they prepare is used again.
#pragma once

#include "runtime/base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace troupe::storage {

class compressor {
public:
  // `level`: 1 (fast) to 19 (small).
  explicit compressor(int level);
  ~compressor();

  compressor(const compressor&) = delete;
  compressor& operator=(const compressor&) = delete;

  // A frame that is shorter than `bytes`, valid until the next call, or `bytes` where there is
  // none.
  std::string_view shorter(std::string_view bytes);

private:
  struct state;
  std::unique_ptr<state> state_;
};

class decompressor {
public:
  decompressor();
  ~decompressor();

  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;

  // The content of a frame, which has `size` bytes; valid until the next call. It allocates no
  // more than that. Errors: errc::corrupt.
  result<std::string_view> content(std::string_view frame, size_t size);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::storage
