#include "actors/training/input/elements.hpp"

#include "runtime/base/assert.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace troupe::training {

namespace {

static_assert(std::endian::native == std::endian::little);

template <class T, bool Reversed>
void convert(const std::byte* from, std::span<float> to) {
  for (auto& x : to) {
    T element;
    if constexpr (Reversed) {
      std::array<std::byte, sizeof(T)> bytes;
      std::reverse_copy(from, from + sizeof(T), bytes.begin());
      std::memcpy(&element, bytes.data(), sizeof(T));
    } else {
      std::memcpy(&element, from, sizeof(T));
    }
    x = static_cast<float>(element);
    from += sizeof(T);
  }
}

template <class T>
void convert(bool big_endian, const std::byte* from, std::span<float> to) {
  if (big_endian && sizeof(T) > 1)
    convert<T, true>(from, to);
  else
    convert<T, false>(from, to);
}

struct description {
  size_t size;
  std::string_view name;
  void (*convert)(bool, const std::byte*, std::span<float>);
};

// In the order of element_type.
constexpr std::array<description, 10> descriptions{{
  {1, "u8", convert<uint8_t>},
  {1, "i8", convert<int8_t>},
  {2, "u16", convert<uint16_t>},
  {2, "i16", convert<int16_t>},
  {4, "u32", convert<uint32_t>},
  {4, "i32", convert<int32_t>},
  {8, "u64", convert<uint64_t>},
  {8, "i64", convert<int64_t>},
  {4, "f32", convert<float>},
  {8, "f64", convert<double>},
}};

const description& of(element_type type) {
  return descriptions.at(static_cast<size_t>(type));
}

} // namespace

size_t size_of(element_type type) {
  return of(type).size;
}

std::string_view name_of(element_type type) {
  return of(type).name;
}

void to_floats(element_type type, bool big_endian, std::span<const std::byte> from,
               std::span<float> to) {
  TROUPE_ASSERT(from.size() == to.size() * size_of(type));
  of(type).convert(big_endian, from.data(), to);
}

} // namespace troupe::training
