#include "storage/log_end.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

namespace troupe::storage {

namespace {

constexpr size_t block_size = 32 << 10; // bytes
constexpr size_t header_size = 7;       // bytes: CRC, length, type

constexpr auto crc_table = [] {
  std::array<uint32_t, 256> out{};
  for (uint32_t i = 0; i < out.size(); ++i) {
    auto x = i;
    for (int bit = 0; bit < 8; ++bit)
      x = (x >> 1) ^ ((x & 1) != 0 ? 0x82f63b78u : 0u);
    out[i] = x;
  }
  return out;
}();

uint32_t masked_crc32c(std::string_view bytes) {
  uint32_t x = ~0u;
  for (auto each : bytes)
    x = crc_table[(x ^ static_cast<unsigned char>(each)) & 0xff] ^ (x >> 8);
  x = ~x;
  return ((x >> 15) | (x << 17)) + 0xa282ead8u;
}

uint32_t little_endian(std::string_view bytes) {
  uint32_t out = 0;
  for (auto i = bytes.size(); i-- > 0;)
    out = out << 8 | static_cast<unsigned char>(bytes[i]);
  return out;
}

constexpr char first_type = 1;
constexpr char last_type = 4;

bool has_type(std::string_view record) {
  return record.size() >= header_size && record[6] >= first_type && record[6] <= last_type;
}

// Bytes of the record that begins here, if it has a type and ends within the block.
std::optional<size_t> extent(std::string_view block) {
  if (!has_type(block))
    return std::nullopt;
  auto bytes = header_size + little_endian(block.substr(4, 2));
  return bytes <= block.size() ? std::optional(bytes) : std::nullopt;
}

bool sum_matches(std::string_view record) {
  return masked_crc32c(record.substr(6)) == little_endian(record.substr(0, 4));
}

bool begins_whole(std::string_view block) {
  auto bytes = extent(block);
  return bytes && sum_matches(block.substr(0, *bytes));
}

// Whether the sum says that only the length, or only the type, of the record is wrong.
bool has_wrong_header(std::string_view rest) {
  auto bytes = header_size + little_endian(rest.substr(4, 2));
  for (auto size : {bytes, rest.size()})
    for (auto type = first_type; type <= last_type && size <= rest.size(); ++type) {
      std::string record(rest.substr(0, size));
      record[6] = type;
      if (sum_matches(record))
        return true;
    }
  return false;
}

// `rest` begins with a record that is not whole.
bool hides_a_record(std::string_view rest) {
  if (has_wrong_header(rest))
    return true;
  for (size_t i = 1; i < rest.size(); ++i)
    if (begins_whole(rest.substr(i)))
      return true;
  return false;
}

// Where the first record of the block is that does not fit.
std::optional<size_t> first_broken(std::string_view block) {
  size_t at = 0;
  while (block.size() - at >= header_size) {
    auto bytes = extent(block.substr(at));
    if (!bytes)
      return at;
    at += *bytes;
  }
  return std::nullopt;
}

} // namespace

result<void> check_log_end(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string buffer(block_size, '\0');
  std::optional<uint64_t> broken; // where in the file
  for (uint64_t start = 0; file; start += block_size) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    std::string_view block(buffer.data(), static_cast<size_t>(file.gcount()));
    auto damaged = broken && begins_whole(block);
    if (!broken)
      if (auto at = first_broken(block)) {
        broken = start + *at;
        damaged = hides_a_record(block.substr(*at));
      }
    if (damaged)
      return {errc::corrupt, path + " is damaged at byte " + std::to_string(*broken)
                               + ": records stand behind it; restore the directory from a copy, or "
                                 "start with a new one"};
  }
  if (!file.eof())
    return {errc::io, "cannot read " + path + ": " + std::strerror(errno)
                        + "; mend the disk or its permissions and start again"};
  return {};
}

} // namespace troupe::storage
