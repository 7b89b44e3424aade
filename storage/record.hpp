// How values are written: a sealed record (version, checksum, payload), and the fields of a
// payload. The grammar is in formats.md.
// Threads: plain functions and values.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace troupe::storage {

// The value that holds `payload` under `key`.
std::string seal(std::string_view key, std::string_view payload);

// The payload of a value, a view into it. Errors: errc::corrupt (a bit flipped, or the value
// belongs under another key), errc::invalid (a newer version of Troupe wrote it).
result<std::string_view> unseal(std::string_view key, std::string_view value);

// 8 bytes whose order is the order of the numbers.
std::string big_endian(uint64_t number);
uint64_t from_big_endian(std::string_view eight_bytes);

// Printable, for error texts and keys.
std::string hex(std::string_view bytes);

// Whether it is so many lowercase hexadecimal digits.
bool is_hex(std::string_view x, size_t digits);

// Appends fields.
class field_writer {
public:
  void number(uint64_t x);
  void count(uint32_t x);
  void text(std::string_view x);
  void map(const std::map<std::string, std::string>& x);

  std::string take() { return std::move(out_); }

private:
  std::string out_;
};

// Reads fields of untrusted bytes. After the first one that does not fit, every read gives an
// empty value and `whole()` is false.
class field_reader {
public:
  explicit field_reader(std::string_view bytes) : left_(bytes) {}

  uint64_t number();
  uint32_t count();
  std::string_view text();
  std::map<std::string, std::string> map();

  // The bytes that were not read.
  std::string_view rest() const noexcept { return left_; }

  bool good() const noexcept { return good_; }
  bool whole() const noexcept { return good_ && left_.empty(); }

private:
  std::string_view bytes(size_t n);

  std::string_view left_;
  bool good_ = true;
};

} // namespace troupe::storage
