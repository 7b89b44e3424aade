#include "actors/training/input/idx.hpp"

#include <optional>

namespace troupe::training {

namespace {

constexpr size_t magic_size = 4;
constexpr size_t extent_size = 4;

std::optional<element_type> type_of(uint8_t code) {
  switch (code) {
  case 0x08:
    return element_type::u8;
  case 0x09:
    return element_type::i8;
  case 0x0b:
    return element_type::i16;
  case 0x0c:
    return element_type::i32;
  case 0x0d:
    return element_type::f32;
  case 0x0e:
    return element_type::f64;
  default:
    return {};
  }
}

uint8_t octet(std::byte x) {
  return std::to_integer<uint8_t>(x);
}

} // namespace

result<array> read_idx(const named_file& from, uint64_t memory_max) {
  auto opened = file_bytes::open_unpacked(from.path, memory_max);
  if (!opened)
    return opened.error();
  auto& bytes = *opened;
  std::vector<std::byte> scratch;
  auto magic = bytes->view(0, magic_size, scratch);
  if (!magic)
    return magic.error();
  auto type = type_of(octet((*magic)[2]));
  size_t dimensions = octet((*magic)[3]);
  if (octet((*magic)[0]) != 0 || octet((*magic)[1]) != 0 || !type)
    return damaged(from.path, "has no IDX header");
  auto stored = bytes->view(magic_size, extent_size * dimensions, scratch);
  if (!stored)
    return stored.error();
  array_header header{*type, true, {}};
  for (auto at = stored->begin(); at != stored->end(); at += extent_size)
    header.extents.push_back(uint64_t{octet(at[0])} << 24 | uint64_t{octet(at[1])} << 16
                             | uint64_t{octet(at[2])} << 8 | octet(at[3]));
  auto data = magic_size + extent_size * dimensions;
  auto end = bytes->size();
  return make_array(from.name, header, std::move(bytes), data, end);
}

result<std::unique_ptr<dataset>> open_idx(std::span<const named_file> files) {
  std::vector<array> arrays;
  for (const auto& each : files) {
    auto read = read_idx(each);
    if (!read)
      return read.error();
    arrays.push_back(*std::move(read));
  }
  return join(std::move(arrays));
}

} // namespace troupe::training
