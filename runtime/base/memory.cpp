#include "runtime/base/memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace troupe {

namespace {

class plain_memory final : public memory {
public:
  explicit plain_memory(size_t bytes)
    : bytes_(bytes),
      data_(static_cast<std::byte*>(::operator new(std::max<size_t>(bytes, 1), page))) {
    memset(data_, 0, bytes);
  }
  ~plain_memory() override { ::operator delete(data_, page); }
  plain_memory(const plain_memory&) = delete;
  plain_memory& operator=(const plain_memory&) = delete;

  std::span<std::byte> bytes() override { return {data_, bytes_}; }

private:
  static constexpr std::align_val_t page{4096};
  size_t bytes_;
  std::byte* data_;
};

} // namespace

result<std::unique_ptr<memory>> make_memory(size_t bytes) {
  return std::unique_ptr<memory>(std::make_unique<plain_memory>(bytes));
}

} // namespace troupe
