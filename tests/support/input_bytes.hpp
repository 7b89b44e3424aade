// Pieces of the files that hold samples, for tests that write such files.
#pragma once

#include "actors/training/input/crc32c.hpp"
#include "runtime/base/assert.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace troupe::training {

template <class T>
std::string low_first(T x) {
  std::string bytes(sizeof x, '\0');
  std::memcpy(bytes.data(), &x, sizeof x);
  return bytes;
}

template <class T>
std::string high_first(T x) {
  auto bytes = low_first(x);
  return {bytes.rbegin(), bytes.rend()};
}

template <class T>
std::string low_first(const std::vector<T>& values) {
  std::string bytes;
  for (auto each : values)
    bytes += low_first(each);
  return bytes;
}

// window_bits as zlib's deflateInit2: 31 for gzip, -15 for a member of a zip file.
inline std::string deflated(const std::string& content, int window_bits) {
  z_stream stream{};
  TROUPE_ASSERT(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, content.size()), '\0');
  auto source = content;
  stream.next_in = reinterpret_cast<Bytef*>(source.data());
  stream.avail_in = static_cast<unsigned>(source.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  TROUPE_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string gzipped(const std::string& content) {
  return deflated(content, 31);
}

// `code` is the element type's.
inline std::string idx_file(uint8_t code, const std::vector<uint32_t>& extents,
                            const std::string& elements) {
  std::string file{'\0', '\0', static_cast<char>(code), static_cast<char>(extents.size())};
  for (auto each : extents)
    file += high_first(each);
  return file + elements;
}

inline std::string npy_file(const std::string& dictionary, const std::string& elements,
                            char version = 1) {
  auto header = dictionary + "\n";
  std::string file = std::string("\x93NUMPY") + version + '\0';
  file += version == 1 ? low_first(static_cast<uint16_t>(header.size()))
                       : low_first(static_cast<uint32_t>(header.size()));
  return file + header + elements;
}

inline std::string npy_header(const std::string& type, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

struct zip_content {
  std::string name;
  std::string content;
  bool packed = false;
  bool in_extra = false; // sizes and offset are in the ZIP64 extra field
};

inline std::string zip_entry(const zip_content& from, uint32_t crc, size_t packed, uint64_t at) {
  auto narrow = [&](uint64_t x) {
    return low_first(from.in_extra ? uint32_t(-1) : static_cast<uint32_t>(x));
  };
  std::string extra;
  if (from.in_extra)
    extra = low_first<uint16_t>(0x7777) + low_first<uint16_t>(1) + "x" + low_first<uint16_t>(1)
            + low_first<uint16_t>(24) + low_first(uint64_t{from.content.size()})
            + low_first(uint64_t{packed}) + low_first(at);
  return low_first<uint32_t>(0x02014b50) + low_first<uint16_t>(45) + low_first<uint16_t>(45)
         + low_first<uint16_t>(0) + low_first<uint16_t>(from.packed ? 8 : 0)
         + low_first<uint32_t>(0) + low_first(crc) + narrow(packed) + narrow(from.content.size())
         + low_first(static_cast<uint16_t>(from.name.size()))
         + low_first(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') + narrow(at)
         + from.name + extra;
}

// `end64`: the place of the directory is in the ZIP64 record.
inline std::string zip_file(const std::vector<zip_content>& members, bool end64 = false) {
  std::string file;
  std::string directory;
  for (const auto& each : members) {
    auto data = each.packed ? deflated(each.content, -15) : each.content;
    auto crc = static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(each.content.data()), each.content.size()));
    directory += zip_entry(each, crc, data.size(), file.size());
    // The sizes in the local header are not those that count; here they are left out.
    file += low_first<uint32_t>(0x04034b50) + std::string(22, '\0')
            + low_first(static_cast<uint16_t>(each.name.size())) + low_first<uint16_t>(3)
            + each.name + "abc" + data;
  }
  auto count = static_cast<uint16_t>(members.size());
  uint64_t size = directory.size();
  uint64_t at = file.size();
  file += directory;
  if (end64)
    file += low_first<uint32_t>(0x06064b50) + low_first<uint64_t>(44) + std::string(12, '\0')
            + low_first(uint64_t{count}) + low_first(uint64_t{count}) + low_first(size)
            + low_first(at) + low_first<uint32_t>(0x07064b50) + low_first<uint32_t>(0)
            + low_first(at + size) + low_first<uint32_t>(1);
  return file + low_first<uint32_t>(0x06054b50) + low_first<uint32_t>(0)
         + low_first(end64 ? uint16_t(-1) : count) + low_first(end64 ? uint16_t(-1) : count)
         + low_first(end64 ? uint32_t(-1) : static_cast<uint32_t>(size))
         + low_first(end64 ? uint32_t(-1) : static_cast<uint32_t>(at)) + low_first<uint16_t>(4)
         + "note";
}

inline std::string checksum(const std::string& data) {
  return low_first(masked_crc32c(std::as_bytes(std::span(data))));
}

inline std::string tfrecord(const std::string& data) {
  auto length = low_first(uint64_t{data.size()});
  return length + checksum(length) + data + checksum(data);
}

inline std::string varint(uint64_t x) {
  std::string bytes;
  for (; x >= 0x80; x >>= 7)
    bytes += static_cast<char>(x | 0x80);
  return bytes + static_cast<char>(x);
}

// A field of a protocol buffer that holds bytes.
inline std::string proto(uint64_t number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}

// An entry of a tf.train.Example; `list` is a Feature: bytes, floats, or int64s.
inline std::string feature(const std::string& name, const std::string& list) {
  return proto(1, proto(1, name) + proto(2, list));
}

inline std::string bytes_feature(const std::string& bytes) {
  return proto(1, proto(1, bytes));
}

inline std::string floats_feature(const std::vector<float>& values) {
  return proto(2, proto(1, low_first(values)));
}

inline std::string ints_feature(const std::vector<int64_t>& values) {
  std::string packed;
  for (auto each : values)
    packed += varint(static_cast<uint64_t>(each));
  return proto(3, proto(1, packed));
}

inline std::string example(const std::string& features) {
  return proto(1, features);
}

} // namespace troupe::training
