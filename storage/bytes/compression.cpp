#include "storage/bytes/compression.hpp"

#include <zstd.h>

namespace troupe::storage {

struct compressor::state {
  struct free_context {
    void operator()(ZSTD_CCtx* x) const { ZSTD_freeCCtx(x); }
  };

  std::unique_ptr<ZSTD_CCtx, free_context> context{ZSTD_createCCtx()};
  std::string out;
  int level = 1;
};

compressor::compressor(int level) : state_(std::make_unique<state>()) {
  TROUPE_ASSERT(state_->context);
  state_->level = level;
}

compressor::~compressor() = default;

std::string_view compressor::shorter(std::string_view bytes) {
  if (bytes.size() < 2)
    return bytes;
  auto& out = state_->out;
  if (out.size() < bytes.size() - 1)
    out.resize(bytes.size() - 1);
  auto size = ZSTD_compressCCtx(state_->context.get(), out.data(), bytes.size() - 1, bytes.data(),
                                bytes.size(), state_->level);
  if (ZSTD_isError(size)) // it does not fit
    return bytes;
  return {out.data(), size};
}

struct decompressor::state {
  struct free_context {
    void operator()(ZSTD_DCtx* x) const { ZSTD_freeDCtx(x); }
  };

  std::unique_ptr<ZSTD_DCtx, free_context> context{ZSTD_createDCtx()};
  std::string out;
};

decompressor::decompressor() : state_(std::make_unique<state>()) {
  TROUPE_ASSERT(state_->context);
}

decompressor::~decompressor() = default;

result<std::string_view> decompressor::content(std::string_view frame, size_t size) {
  auto& out = state_->out;
  if (out.size() < size)
    out.resize(size);
  auto got
    = ZSTD_decompressDCtx(state_->context.get(), out.data(), size, frame.data(), frame.size());
  if (ZSTD_isError(got) || got != size)
    return {errc::corrupt, "it cannot be decompressed; restore it from a copy"};
  return std::string_view{out.data(), size};
}

} // namespace troupe::storage
