#include "actors/training/input/npy.hpp"

#include "actors/training/input/little_endian.hpp"
#include "actors/training/input/npy_header.hpp"
#include "actors/training/input/zip.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t versioned_size = 8; // magic, major and minor version
constexpr uint32_t header_max = 1 << 20;
constexpr std::string_view suffix = ".npy";

result<array> read_range(std::string name, byte_range range) {
  const auto& path = range.bytes->path();
  auto too_short = [&] { return damaged(path, "ends too early"); };
  std::vector<std::byte> scratch;
  auto at = range.offset;
  if (range.end - at < versioned_size)
    return too_short();
  auto start = range.bytes->view(at, versioned_size, scratch);
  if (!start)
    return start.error();
  auto version = std::to_integer<unsigned>((*start)[magic.size()]);
  if (std::memcmp(start->data(), magic.data(), magic.size()) != 0 || version < 1 || version > 3)
    return damaged(path, "has no header of NumPy's");
  at += versioned_size;
  size_t length_size = version == 1 ? sizeof(uint16_t) : sizeof(uint32_t);
  if (range.end - at < length_size)
    return too_short();
  auto stored = range.bytes->view(at, length_size, scratch);
  if (!stored)
    return stored.error();
  auto length = version == 1 ? little_endian<uint16_t>(*stored) : little_endian<uint32_t>(*stored);
  at += length_size;
  if (length > header_max || range.end - at < length)
    return too_short();
  auto text = range.bytes->view(at, length, scratch);
  if (!text)
    return text.error();
  auto header = parse_npy_header(path, {reinterpret_cast<const char*>(text->data()), length});
  if (!header)
    return header.error();
  return make_array(std::move(name), *header, range.bytes, at + length, range.end);
}

// The array that a member of an archive holds; empty: it is none.
std::string_view array_name(const zip_member& member) {
  std::string_view name = member.name;
  if (!name.ends_with(suffix))
    return {};
  name.remove_suffix(suffix.size());
  return name;
}

} // namespace

result<array> read_npy(const named_file& from) {
  auto bytes = file_bytes::open(from.path);
  if (!bytes)
    return bytes.error();
  auto end = (*bytes)->size();
  return read_range(from.name, {*std::move(bytes), 0, end});
}

result<std::unique_ptr<dataset>> open_npy(std::span<const named_file> files) {
  std::vector<array> arrays;
  for (const auto& each : files) {
    auto read = read_npy(each);
    if (!read)
      return read.error();
    arrays.push_back(*std::move(read));
  }
  return join(std::move(arrays));
}

result<std::unique_ptr<dataset>> open_npz(const std::string& path,
                                          std::span<const std::string> names, uint64_t memory_max) {
  auto archive = file_bytes::open(path);
  if (!archive)
    return archive.error();
  auto members = read_zip_directory(**archive);
  if (!members)
    return members.error();
  std::vector<std::string> wanted(names.begin(), names.end());
  if (wanted.empty())
    for (const auto& each : *members)
      if (auto name = array_name(each); !name.empty())
        wanted.emplace_back(name);
  std::vector<array> arrays;
  for (auto& name : wanted) {
    auto found = std::find_if(members->begin(), members->end(),
                              [&](const auto& each) { return array_name(each) == name; });
    if (name.empty() || found == members->end())
      return {errc::not_found,
              path + " holds no array " + printable(name) + ": name one that it has."};
    auto range = open_zip_member(*archive, *found, memory_max);
    if (!range)
      return range.error();
    if (range->bytes != *archive)
      memory_max -= range->end;
    auto read = read_range(std::move(name), *std::move(range));
    if (!read)
      return read.error();
    arrays.push_back(*std::move(read));
  }
  return join(std::move(arrays));
}

} // namespace troupe::training
