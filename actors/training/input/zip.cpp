#include "actors/training/input/zip.hpp"

#include "actors/training/input/inflate.hpp"
#include "actors/training/input/little_endian.hpp"

#include <algorithm>
#include <optional>

namespace troupe::training {

namespace {

using bytes_view = std::span<const std::byte>;

constexpr uint64_t members_max = 65536;
constexpr uint64_t directory_max = uint64_t{64} << 20;
constexpr size_t piece = size_t{1} << 20;

constexpr uint32_t local_signature = 0x04034b50;
constexpr uint32_t entry_signature = 0x02014b50;
constexpr uint32_t end_signature = 0x06054b50;
constexpr uint32_t locator64_signature = 0x07064b50;
constexpr uint32_t end64_signature = 0x06064b50;

constexpr size_t local_size = 30;
constexpr size_t entry_size = 46;
constexpr size_t end_size = 22;
constexpr size_t locator64_size = 20;
constexpr size_t end64_size = 56;
constexpr size_t comment_max = 65535;

constexpr uint16_t encrypted_flag = 1;
constexpr uint16_t stored = 0;
constexpr uint16_t deflated = 8;
constexpr uint16_t extra_zip64 = 1;
constexpr uint32_t in_extra = 0xffffffff; // the number is in the ZIP64 extra field

struct directory {
  uint64_t members = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

error no_zip(const file_bytes& archive) {
  return damaged(archive.path(), "is no whole zip file");
}

// Where the record at the end of the file says that the directory is.
result<directory> find_directory(const file_bytes& archive) {
  std::vector<std::byte> scratch;
  auto tail = std::min<uint64_t>(archive.size(), end_size + comment_max + locator64_size);
  auto viewed = archive.view(archive.size() - tail, tail, scratch);
  if (!viewed)
    return viewed.error();
  auto bytes = *viewed;
  std::optional<size_t> found;
  for (auto at = tail < end_size ? 0 : tail - end_size + 1; at > 0 && !found; --at)
    if (little_endian<uint32_t>(bytes, at - 1) == end_signature
        && at - 1 + end_size + little_endian<uint16_t>(bytes, at + 19) == tail)
      found = at - 1;
  if (!found)
    return no_zip(archive);
  directory read{little_endian<uint16_t>(bytes, *found + 10),
                 little_endian<uint32_t>(bytes, *found + 12),
                 little_endian<uint32_t>(bytes, *found + 16)};
  if (*found < locator64_size
      || little_endian<uint32_t>(bytes, *found - locator64_size) != locator64_signature)
    return read;
  auto where = little_endian<uint64_t>(bytes, *found - locator64_size + 8);
  auto end64 = archive.view(where, end64_size, scratch);
  if (!end64 || little_endian<uint32_t>(*end64) != end64_signature)
    return no_zip(archive);
  return directory{little_endian<uint64_t>(*end64, 32), little_endian<uint64_t>(*end64, 40),
                   little_endian<uint64_t>(*end64, 48)};
}

// Takes the numbers that did not fit from the ZIP64 extra field. False: they are not there.
bool complete(zip_member& member, bytes_view extra) {
  std::vector<uint64_t*> wanted;
  for (auto* number : {&member.size, &member.packed, &member.header})
    if (*number == in_extra)
      wanted.push_back(number);
  while (!wanted.empty() && extra.size() >= 4) {
    size_t size = little_endian<uint16_t>(extra, 2);
    if (size > extra.size() - 4)
      return false;
    if (little_endian<uint16_t>(extra) == extra_zip64) {
      if (size < wanted.size() * sizeof(uint64_t))
        return false;
      for (size_t i = 0; i < wanted.size(); ++i)
        *wanted[i] = little_endian<uint64_t>(extra, 4 + i * sizeof(uint64_t));
      return true;
    }
    extra = extra.subspan(4 + size);
  }
  return wanted.empty();
}

// Takes one entry off the front of the directory.
std::optional<zip_member> read_entry(bytes_view& bytes) {
  if (bytes.size() < entry_size || little_endian<uint32_t>(bytes) != entry_signature)
    return {};
  size_t name = little_endian<uint16_t>(bytes, 28);
  size_t extra = little_endian<uint16_t>(bytes, 30);
  size_t comment = little_endian<uint16_t>(bytes, 32);
  if (bytes.size() - entry_size < name + extra + comment)
    return {};
  zip_member read;
  read.flags = little_endian<uint16_t>(bytes, 8);
  read.method = little_endian<uint16_t>(bytes, 10);
  read.crc = little_endian<uint32_t>(bytes, 16);
  read.packed = little_endian<uint32_t>(bytes, 20);
  read.size = little_endian<uint32_t>(bytes, 24);
  read.header = little_endian<uint32_t>(bytes, 42);
  read.name.assign(reinterpret_cast<const char*>(bytes.data()) + entry_size, name);
  if (!complete(read, bytes.subspan(entry_size + name, extra)))
    return {};
  bytes = bytes.subspan(entry_size + name + extra + comment);
  return read;
}

// Hands the bytes of a range out in order, until `take` refuses them. The result: what it said
// last.
template <class Take>
result<bool> each_piece(const byte_range& range, Take take) {
  std::vector<std::byte> scratch;
  for (auto at = range.offset; at < range.end;) {
    auto size = std::min<uint64_t>(range.end - at, piece);
    auto bytes = range.bytes->view(at, size, scratch);
    if (!bytes)
      return bytes.error();
    if (!take(*bytes))
      return false;
    at += size;
  }
  return true;
}

result<byte_range> unpack(const byte_range& packed, const zip_member& member, uint64_t most) {
  auto name = packed.bytes->path() + ":" + member.name;
  inflater from;
  std::vector<std::byte> bytes;
  auto bound = std::min(most, member.size);
  auto fits = each_piece(packed, [&](bytes_view each) { return from.add(each, bound, bytes); });
  if (!fits)
    return fits.error();
  if (member.size > most)
    return too_large(name, most);
  if (!*fits || !from.ended() || bytes.size() != member.size)
    return damaged(name, "does not unpack to what the archive says");
  if (crc32_of(bytes, 0) != member.crc)
    return damaged(name, "has another checksum than the archive says");
  auto size = bytes.size();
  return byte_range{file_bytes::of_memory(name, std::move(bytes)), 0, size};
}

} // namespace

result<std::vector<zip_member>> read_zip_directory(const file_bytes& archive) {
  auto found = find_directory(archive);
  if (!found)
    return found.error();
  if (found->members > members_max || found->size > directory_max)
    return {errc::invalid, archive.path() + " claims more than " + std::to_string(members_max)
                             + " members: store fewer arrays in one archive."};
  std::vector<std::byte> scratch;
  auto bytes = archive.view(found->offset, found->size, scratch);
  if (!bytes)
    return bytes.error();
  std::vector<zip_member> members;
  auto rest = *bytes;
  for (uint64_t i = 0; i < found->members; ++i) {
    auto read = read_entry(rest);
    if (!read)
      return no_zip(archive);
    members.push_back(*std::move(read));
  }
  return members;
}

result<byte_range> open_zip_member(const std::shared_ptr<const file_bytes>& archive,
                                   const zip_member& member, uint64_t most) {
  auto name = archive->path() + ":" + member.name;
  if ((member.flags & encrypted_flag) != 0
      || (member.method != stored && member.method != deflated))
    return {errc::invalid, name
                             + " is encrypted or compressed in a way that is not read: store it "
                               "with numpy.savez or numpy.savez_compressed."};
  std::vector<std::byte> scratch;
  auto local = archive->view(member.header, local_size, scratch);
  if (!local)
    return local.error();
  if (little_endian<uint32_t>(*local) != local_signature)
    return no_zip(*archive);
  auto data = member.header + local_size + little_endian<uint16_t>(*local, 26)
              + little_endian<uint16_t>(*local, 28);
  if (data > archive->size() || member.packed > archive->size() - data)
    return damaged(name, "ends too early");
  byte_range packed{archive, data, data + member.packed};
  if (member.method == deflated)
    return unpack(packed, member, most);
  uint32_t crc = 0;
  auto read = each_piece(packed, [&](bytes_view each) {
    crc = crc32_of(each, crc);
    return true;
  });
  if (!read)
    return read.error();
  if (member.packed != member.size || crc != member.crc)
    return damaged(name, "has another size or checksum than the archive says");
  return packed;
}

} // namespace troupe::training
