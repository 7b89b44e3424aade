#include "runtime/frame_parts.hpp"

#include "runtime/base/limits.hpp"

#include <cstring>

namespace troupe {

namespace {

using flatbuffers::ElementaryType;
using flatbuffers::TypeCode;
using flatbuffers::TypeTable;

constexpr size_t harmless_size = 256; // most frames; they need not pay for this

class counter {
public:
  explicit counter(std::span<const std::byte> frame) : frame_(frame), left_(frame.size()) {}

  bool root(const TypeTable& type) {
    size_t at = 0;
    return follow(at) && table(at, type, limits::frame_depth_max);
  }

private:
  template <class T>
  bool read(size_t at, T& value) const {
    if (at > frame_.size() || frame_.size() - at < sizeof value)
      return false;
    std::memcpy(&value, frame_.data() + at, sizeof value);
    return true;
  }

  bool take(size_t bytes) {
    if (bytes > left_)
      return false;
    left_ -= bytes;
    return true;
  }

  // From an offset to what it leads to.
  bool follow(size_t& at) const {
    uint32_t offset = 0;
    if (!read(at, offset))
      return false;
    at += offset;
    return true;
  }

  bool text(size_t at) {
    uint32_t length = 0;
    return read(at, length) && take(sizeof length + size_t{length});
  }

  bool table(size_t at, const TypeTable& type, uint32_t depth) {
    int32_t back = 0;
    uint16_t size = 0;
    if (depth == 0 || !read(at, back) || !take(sizeof back))
      return false;
    auto vtable = static_cast<size_t>(static_cast<int64_t>(at) - back);
    if (!read(vtable, size))
      return false;
    uint8_t member = 0; // of the union that comes next
    for (size_t i = 0; i < type.num_elems; ++i) {
      auto entry = flatbuffers::FieldIndexToOffset(static_cast<uint16_t>(i));
      uint16_t field = 0;
      if (entry >= size)
        return true;
      if (!read(vtable + entry, field))
        return false;
      if (field == 0)
        continue;
      auto code = type.type_codes[i];
      if (code.base_type == flatbuffers::ET_UTYPE ? !read(at + field, member)
                                                  : !part(at + field, type, code, member, depth))
        return false;
    }
    return true;
  }

  // What a field leads to, if it leads anywhere.
  bool part(size_t at, const TypeTable& type, TypeCode code, uint8_t member, uint32_t depth) {
    auto kind = static_cast<ElementaryType>(code.base_type);
    auto* below = code.sequence_ref >= 0 ? type.type_refs[code.sequence_ref]() : nullptr;
    if (code.is_repeating)
      return follow(at) && elements(at, kind, below, depth);
    if (kind == flatbuffers::ET_STRING)
      return follow(at) && text(at);
    if (kind != flatbuffers::ET_SEQUENCE)
      return true;
    if (below->st == flatbuffers::ST_UNION) {
      if (member == 0 || member >= below->num_elems)
        return true; // none, or one that this version does not know and never looks into
      below = below->type_refs[below->type_codes[member].sequence_ref]();
    }
    return follow(at) && table(at, *below, depth - 1);
  }

  bool elements(size_t at, ElementaryType kind, const TypeTable* below, uint32_t depth) {
    uint32_t count = 0;
    auto width = flatbuffers::InlineSize(kind, below);
    if (!read(at, count) || !take(sizeof count + count * width))
      return false;
    auto is_text = kind == flatbuffers::ET_STRING;
    if (!is_text && kind != flatbuffers::ET_SEQUENCE)
      return true;
    at += sizeof count;
    for (uint32_t i = 0; i < count; ++i, at += width) {
      auto element = at;
      if (!follow(element) || !(is_text ? text(element) : table(element, *below, depth - 1)))
        return false;
    }
    return true;
  }

  std::span<const std::byte> frame_;
  size_t left_; // bytes that parts may still have
};

} // namespace

bool parts_lie_apart(std::span<const std::byte> frame, const flatbuffers::TypeTable& root) {
  return frame.size() <= harmless_size || counter{frame}.root(root);
}

} // namespace troupe
