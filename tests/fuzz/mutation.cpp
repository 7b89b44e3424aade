#include "tests/fuzz/mutation.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>

namespace troupe::testing {

namespace {

constexpr size_t size_max = 3 << 20;

size_t below(random_source& random, size_t bound) {
  return static_cast<size_t>(random.below(bound));
}

template <class T>
T read(const byte_vector& bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void write(byte_vector& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
void overwrite(byte_vector& bytes, random_source& random) {
  if (bytes.size() < sizeof(T))
    return;
  auto at = below(random, bytes.size() - sizeof(T) + 1);
  if (random.chance(0.7))
    at -= at % sizeof(T);
  auto value = random.chance(0.3) ? bytes.size() - below(random, std::min<size_t>(bytes.size(), 16))
                                  : hostile_number(random);
  write(bytes, at, static_cast<T>(value));
}

// A span of the bytes, up to 64 long unless there is luck.
std::span<uint8_t> some_span(byte_vector& bytes, random_source& random) {
  auto begin = below(random, bytes.size());
  auto longest = bytes.size() - begin;
  if (random.chance(0.9))
    longest = std::min<size_t>(longest, 64);
  return std::span{bytes}.subspan(begin, 1 + below(random, longest));
}

void mutate_once(byte_vector& bytes, std::span<const uint8_t> other, random_source& random) {
  if (bytes.empty())
    bytes.push_back(static_cast<uint8_t>(random.next()));
  auto at
    = [&] { return bytes.begin() + static_cast<std::ptrdiff_t>(below(random, bytes.size())); };
  switch (random.below(10)) {
  case 0: // bits
    for (auto n = 1 + random.below(8); n > 0; --n)
      *at() ^= static_cast<uint8_t>(1u << random.below(8));
    break;
  case 1:
    *at() = static_cast<uint8_t>(hostile_number(random));
    break;
  case 2:
    overwrite<uint16_t>(bytes, random);
    break;
  case 3:
    overwrite<uint32_t>(bytes, random);
    break;
  case 4:
    overwrite<uint64_t>(bytes, random);
    break;
  case 5: // cut off
    bytes.resize(below(random, bytes.size()) + 1);
    break;
  case 6: // longer
    for (auto n = random.below(64); n > 0; --n)
      bytes.push_back(static_cast<uint8_t>(random.next()));
    break;
  case 7: { // the beginning of one and the end of the other
    if (other.empty())
      break;
    bytes.resize(below(random, bytes.size()) / 4 * 4);
    auto from = below(random, other.size()) / 4 * 4;
    bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
    break;
  }
  case 8: { // a span twice: over others, or between them
    auto span = some_span(bytes, random);
    byte_vector copy{span.begin(), span.end()};
    auto where = below(random, bytes.size() - copy.size() + 1);
    if (random.chance(0.5))
      std::copy(copy.begin(), copy.end(), bytes.begin() + static_cast<std::ptrdiff_t>(where));
    else
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(where), copy.begin(), copy.end());
    break;
  }
  default: { // a span of zeros, or gone
    auto span = some_span(bytes, random);
    if (random.chance(0.5)) {
      std::fill(span.begin(), span.end(), uint8_t{0});
      break;
    }
    auto begin = bytes.begin() + (span.data() - bytes.data());
    bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(span.size()));
  }
  }
  if (bytes.size() > size_max)
    bytes.resize(size_max);
}

// What the offset at `at` points to; 0 when that is outside.
size_t target_of(const byte_vector& bytes, size_t at) {
  auto offset = read<uint32_t>(bytes, at);
  return offset != 0 && offset < bytes.size() - at ? at + offset : 0;
}

// A place that may hold an offset; 0 when none was found.
size_t some_offset(const byte_vector& bytes, random_source& random) {
  for (int i = 0; i < 64 && bytes.size() >= 8; ++i) {
    auto at = below(random, bytes.size() / 4) * 4;
    if (at + 4 <= bytes.size() && target_of(bytes, at) != 0)
      return at;
  }
  return 0;
}

// The vtable of what may be a table; 0 when none was found.
size_t some_vtable(const byte_vector& bytes, random_source& random) {
  for (int i = 0; i < 64 && bytes.size() >= 8; ++i) {
    auto at = below(random, bytes.size() / 4) * 4;
    if (at + 4 > bytes.size())
      continue;
    auto vtable = static_cast<int64_t>(at) - read<int32_t>(bytes, at);
    if (vtable < 0 || vtable % 2 != 0 || vtable + 4 > static_cast<int64_t>(bytes.size()))
      continue;
    auto size = read<uint16_t>(bytes, static_cast<size_t>(vtable));
    if (size >= 4 && size <= 64 && size % 2 == 0
        && static_cast<size_t>(vtable) + size <= bytes.size())
      return static_cast<size_t>(vtable);
  }
  return 0;
}

void mutate_vtable(byte_vector& bytes, random_source& random) {
  auto vtable = some_vtable(bytes, random);
  if (vtable == 0)
    return;
  auto entries = read<uint16_t>(bytes, vtable) / 2u;
  auto at = vtable + 2 * below(random, entries);
  auto from = vtable + 2 * below(random, entries);
  switch (random.below(3)) {
  case 0: // a field where another is
    write(bytes, at, read<uint16_t>(bytes, from));
    break;
  case 1:
    write(bytes, at, static_cast<uint16_t>(random.below(80)));
    break;
  default: // the field is gone
    write(bytes, at, uint16_t{0});
  }
}

void mutate_offset(byte_vector& bytes, random_source& random) {
  auto at = some_offset(bytes, random);
  auto other = some_offset(bytes, random);
  if (at == 0 || other == 0)
    return;
  if (auto target = target_of(bytes, other); random.chance(0.7) && target > at)
    write(bytes, at, static_cast<uint32_t>(target - at)); // what is used already
  else
    write(bytes, at, static_cast<uint32_t>(read<uint32_t>(bytes, at) + 4 * random.below(16) - 32));
}

} // namespace

std::string hostile_text(random_source& random, size_t longest) {
  static constexpr std::array<std::string_view, 16> words{
    "worker", "..", "/",    "\0", "\xff\xfe",     "\n", "=",      "a b",
    "${X}",   "\"", "%s%n", "{",  "\xed\xa0\x80", "-1", "node-1", "."};
  std::string out;
  auto wanted = random.chance(0.02) ? below(random, longest + 1)
                                    : below(random, std::min<size_t>(longest, 24) + 1);
  while (out.size() < wanted) {
    auto word = words[below(random, words.size())];
    if (word.empty())
      word = std::string_view{"\0", 1};
    out += word;
    if (wanted > 1000)
      out.append(wanted - out.size(), out.back());
  }
  return out;
}

uint64_t hostile_number(random_source& random) {
  static constexpr std::array<uint64_t, 12> edges{0,
                                                  1,
                                                  0x7f,
                                                  0x80,
                                                  0xff,
                                                  0x7fff,
                                                  0xffff,
                                                  0x7fffffff,
                                                  0x80000000,
                                                  0xffffffff,
                                                  uint64_t{1} << 63,
                                                  ~uint64_t{0}};
  switch (random.below(4)) {
  case 0:
    return random.below(64);
  case 1:
    return random.next();
  default:
    return edges[below(random, edges.size())];
  }
}

void mutate(byte_vector& bytes, std::span<const uint8_t> other, random_source& random) {
  for (auto n = 1 + random.below(4); n > 0; --n)
    mutate_once(bytes, other, random);
}

void mutate_flatbuffer(byte_vector& bytes, std::span<const uint8_t> other, random_source& random) {
  for (auto n = 1 + random.below(4); n > 0; --n)
    switch (random.below(3)) {
    case 0:
      mutate_vtable(bytes, random);
      break;
    case 1:
      mutate_offset(bytes, random);
      break;
    default:
      mutate_once(bytes, other, random);
    }
}

} // namespace troupe::testing
