#include "storage/record.hpp"

#include <bit>
#include <cstring>

#define XXH_STATIC_LINKING_ONLY // for the size of its state
#include <xxhash.h>

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

namespace troupe::storage {

namespace {

constexpr char record_version = 1;
constexpr size_t head_size = 1 + sizeof(uint64_t);

// The lengths of key and payload need no part in it: the key is known when a value is read.
uint64_t checksum_of(std::string_view key, char version, std::string_view payload) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, key.data(), key.size());
  XXH3_64bits_update(&state, &version, 1);
  XXH3_64bits_update(&state, payload.data(), payload.size());
  return XXH3_64bits_digest(&state);
}

} // namespace

std::string seal(std::string_view key, std::string_view payload) {
  auto checksum = checksum_of(key, record_version, payload);
  std::string out(head_size, '\0');
  out[0] = record_version;
  std::memcpy(out.data() + 1, &checksum, sizeof checksum);
  out.append(payload);
  return out;
}

result<std::string_view> unseal(std::string_view key, std::string_view value) {
  auto name = [&] { return "the stored record " + hex(key.substr(0, 16)); };
  if (value.size() < head_size)
    return {errc::corrupt, name() + " is cut short; restore the store from a copy"};
  uint64_t checksum = 0;
  std::memcpy(&checksum, value.data() + 1, sizeof checksum);
  auto payload = value.substr(head_size);
  if (checksum != checksum_of(key, value[0], payload))
    return {errc::corrupt, name() + " fails its checksum; restore the store from a copy"};
  if (value[0] != record_version)
    return {errc::invalid, name() + " has version " + std::to_string(value[0])
                             + ", which this program does not know; use a newer one"};
  return payload;
}

std::string big_endian(uint64_t number) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    out[i] = static_cast<char>(number >> (56 - 8 * i) & 0xff);
  return out;
}

uint64_t from_big_endian(std::string_view eight_bytes) {
  TROUPE_ASSERT(eight_bytes.size() == 8);
  uint64_t out = 0;
  for (char c : eight_bytes)
    out = out << 8 | static_cast<unsigned char>(c);
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

bool is_hex(std::string_view x, size_t digits) {
  return x.size() == digits && x.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void field_writer::number(uint64_t x) {
  char raw[sizeof x];
  std::memcpy(raw, &x, sizeof x);
  out_.append(raw, sizeof x);
}

void field_writer::count(uint32_t x) {
  char raw[sizeof x];
  std::memcpy(raw, &x, sizeof x);
  out_.append(raw, sizeof x);
}

void field_writer::text(std::string_view x) {
  TROUPE_ASSERT(x.size() <= UINT32_MAX);
  count(static_cast<uint32_t>(x.size()));
  out_.append(x);
}

void field_writer::map(const std::map<std::string, std::string>& x) {
  count(static_cast<uint32_t>(x.size()));
  for (const auto& [key, value] : x) {
    text(key);
    text(value);
  }
}

std::string_view field_reader::bytes(size_t n) {
  if (!good_ || n > left_.size()) {
    good_ = false;
    return {};
  }
  auto out = left_.substr(0, n);
  left_.remove_prefix(n);
  return out;
}

uint64_t field_reader::number() {
  uint64_t x = 0;
  auto raw = bytes(sizeof x);
  if (good_)
    std::memcpy(&x, raw.data(), sizeof x);
  return x;
}

uint32_t field_reader::count() {
  uint32_t x = 0;
  auto raw = bytes(sizeof x);
  if (good_)
    std::memcpy(&x, raw.data(), sizeof x);
  return x;
}

std::string_view field_reader::text() {
  return bytes(count());
}

std::map<std::string, std::string> field_reader::map() {
  std::map<std::string, std::string> out;
  auto n = count();
  for (uint32_t i = 0; i < n && good_; ++i) {
    auto key = text();
    auto value = text();
    if (good_)
      out.insert_or_assign(std::string(key), std::string(value));
  }
  return out;
}

} // namespace troupe::storage
