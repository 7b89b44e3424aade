#include "actors/training/input/tf_example.hpp"

#include "actors/training/input/little_endian.hpp"

#include <array>
#include <optional>

namespace troupe::training {

namespace {

using bytes_view = std::span<const std::byte>;

// Of protocol buffers.
constexpr uint64_t wire_varint = 0;
constexpr uint64_t wire_fixed64 = 1;
constexpr uint64_t wire_bytes = 2;
constexpr uint64_t wire_fixed32 = 5;

// The numbers of what is in a Feature.
constexpr uint64_t bytes_list = 1;
constexpr uint64_t float_list = 2;
constexpr uint64_t int64_list = 3;

// One field of a message: its number, and what it holds.
struct entry {
  uint64_t number = 0;
  uint64_t wire = 0;
  uint64_t varint = 0;
  bytes_view bytes; // for all others
};

// Takes the fields off the front of a message.
class message {
public:
  explicit message(bytes_view bytes) : rest_(bytes) {}

  bool ended() const { return rest_.empty(); }

  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      auto each = std::to_integer<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (each & 0x7f) << shift;
      if (each < 0x80)
        return value;
    }
    return {};
  }

  // Nothing: it is no message.
  std::optional<entry> next() {
    auto key = varint();
    if (!key)
      return {};
    entry read{*key >> 3, *key & 7, 0, {}};
    std::optional<uint64_t> size;
    switch (read.wire) {
    case wire_varint: {
      auto value = varint();
      if (!value)
        return {};
      read.varint = *value;
      return read;
    }
    case wire_fixed64:
      size = sizeof(uint64_t);
      break;
    case wire_fixed32:
      size = sizeof(uint32_t);
      break;
    case wire_bytes:
      size = varint();
      break;
    default:
      break;
    }
    if (!size || *size > rest_.size())
      return {};
    read.bytes = rest_.first(*size);
    rest_ = rest_.subspan(*size);
    return read;
  }

private:
  bytes_view rest_;
};

// Calls `take` for each field of a message. False: it is no message, or `take` refused a field.
template <class Take>
bool each_entry(bytes_view bytes, Take take) {
  for (message rest{bytes}; !rest.ended();) {
    auto read = rest.next();
    if (!read || !take(*read))
      return false;
  }
  return true;
}

// The last field `number` that holds bytes.
std::optional<bytes_view> last_of(bytes_view bytes, uint64_t number, bool& whole) {
  std::optional<bytes_view> found;
  whole = each_entry(bytes, [&](const entry& each) {
    if (each.number == number && each.wire == wire_bytes)
      found = each.bytes;
    return true;
  });
  return found;
}

// Fills a row from its beginning.
class row {
public:
  explicit row(std::span<float> into) : rest_(into) {}

  bool full() const { return rest_.empty(); }

  bool add(float value) {
    if (rest_.empty())
      return false;
    rest_.front() = value;
    rest_ = rest_.subspan(1);
    return true;
  }

  bool add_all(element_type type, bytes_view bytes) {
    auto count = bytes.size() / size_of(type);
    if (bytes.size() % size_of(type) != 0 || count > rest_.size())
      return false;
    to_floats(type, false, bytes, rest_.first(count));
    rest_ = rest_.subspan(count);
    return true;
  }

private:
  std::span<float> rest_;
};

// The values of a list, packed or not. False: they do not fit, or it is no such list.
bool add_values(uint64_t list, const entry& from, element_type type, row& to) {
  if (from.number != 1)
    return true; // of a later version
  if (list == bytes_list)
    return from.wire == wire_bytes && to.add_all(type, from.bytes);
  if (list == float_list)
    return (from.wire == wire_bytes || from.wire == wire_fixed32)
           && to.add_all(element_type::f32, from.bytes);
  auto add = [&](uint64_t x) { return to.add(static_cast<float>(static_cast<int64_t>(x))); };
  if (from.wire == wire_varint)
    return add(from.varint);
  if (from.wire != wire_bytes)
    return false;
  for (message rest{from.bytes}; !rest.ended();) {
    auto value = rest.varint();
    if (!value || !add(*value))
      return false;
  }
  return true;
}

bool holds(uint64_t list, element_type type) {
  return list == bytes_list || (list == float_list && type == element_type::f32)
         || (list == int64_list && type == element_type::i64);
}

std::string shown(const field& wanted) {
  return std::to_string(wanted.values()) + " values of " + std::string(name_of(wanted.type));
}

result<void> read_feature(bytes_view feature, const field& wanted, std::span<float> into) {
  entry list; // one of: the last counts
  auto whole = each_entry(feature, [&](const entry& each) {
    if (each.wire == wire_bytes && each.number >= bytes_list && each.number <= int64_list)
      list = each;
    return true;
  });
  row filled{into};
  if (whole && !holds(list.number, wanted.type))
    return {errc::corrupt, "has in feature " + wanted.name + " no values of "
                             + std::string(name_of(wanted.type))
                             + ": ask for the type that it has."};
  if (!whole
      || !each_entry(
        list.bytes,
        [&](const entry& each) { return add_values(list.number, each, wanted.type, filled); })
      || !filled.full())
    return {errc::corrupt, "has in feature " + wanted.name + " other than " + shown(wanted)
                             + ": ask for the shape that it has."};
  return {};
}

// The features among `fields` that a map of them holds. False: it is no such map.
bool find_features(bytes_view features, std::span<const field> fields,
                   std::span<std::optional<bytes_view>> found) {
  return each_entry(features, [&](const entry& each) {
    if (each.number != 1 || each.wire != wire_bytes)
      return true;
    bool whole_key = false;
    bool whole_value = false;
    auto key = last_of(each.bytes, 1, whole_key).value_or(bytes_view{});
    auto value = last_of(each.bytes, 2, whole_value).value_or(bytes_view{});
    std::string_view name{reinterpret_cast<const char*>(key.data()), key.size()};
    for (size_t i = 0; i < fields.size(); ++i)
      if (fields[i].name == name)
        found[i] = value;
    return whole_key && whole_value;
  });
}

} // namespace

result<void> read_example(std::span<const std::byte> record, std::span<const field> fields,
                          std::span<const std::span<float>> into) {
  TROUPE_ASSERT(fields.size() <= features_max && into.size() == fields.size());
  std::array<std::optional<bytes_view>, features_max> found;
  auto whole = each_entry(record, [&](const entry& each) {
    return each.number != 1 || each.wire != wire_bytes || find_features(each.bytes, fields, found);
  });
  if (!whole)
    return {errc::corrupt, "is no tf.train.Example: write the records as such."};
  for (size_t i = 0; i < fields.size(); ++i) {
    if (into[i].empty())
      continue;
    if (!found[i])
      return {errc::corrupt,
              "has no feature " + fields[i].name + ": ask for one that every record has."};
    TROUPE_TRY(read_feature(*found[i], fields[i], into[i]));
  }
  return {};
}

} // namespace troupe::training
