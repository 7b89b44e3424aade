#include "storage/bytes/content_id.hpp"

#include "storage/record.hpp"

namespace troupe::storage {

namespace {

int value_of(char digit) {
  if (digit >= '0' && digit <= '9')
    return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

} // namespace

content_id content_id::from_raw(std::string_view raw) {
  TROUPE_ASSERT(raw.size() == bytes);
  content_id out;
  std::memcpy(out.digest.data(), raw.data(), bytes);
  return out;
}

result<content_id> content_id::parse(std::string_view digits) {
  content_id out;
  bool good = digits.size() == 2 * bytes;
  for (size_t i = 0; good && i < bytes; ++i) {
    auto high = value_of(digits[2 * i]), low = value_of(digits[2 * i + 1]);
    good = high >= 0 && low >= 0;
    out.digest[i] = static_cast<uint8_t>((high << 4) | (low & 15));
  }
  if (good)
    return out;
  auto text = std::string{"no content is named '"}.append(printable(digits));
  return {errc::invalid, text + "'; give the 64 digits (0-9, a-f) of a SHA-256"};
}

std::string content_id::digits() const {
  return hex(raw());
}

} // namespace troupe::storage
