#include "actors/training/input/npy_header.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace troupe::training {

namespace {

constexpr size_t dimensions_max = 64; // as NumPy 2

struct stored_type {
  std::string_view code;
  element_type type;
};

constexpr std::array<stored_type, 11> stored_types{{
  {"b1", element_type::u8},
  {"u1", element_type::u8},
  {"i1", element_type::i8},
  {"u2", element_type::u16},
  {"i2", element_type::i16},
  {"u4", element_type::u32},
  {"i4", element_type::i32},
  {"u8", element_type::u64},
  {"i8", element_type::i64},
  {"f4", element_type::f32},
  {"f8", element_type::f64},
}};

// Takes tokens off the front of a text; each of them gives nothing where it does not stand.
class literal {
public:
  explicit literal(std::string_view text) : rest_(text) {}

  bool mark(char wanted) {
    skip_spaces();
    if (rest_.empty() || rest_.front() != wanted)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<std::string_view> quoted() {
    skip_spaces();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"'))
      return {};
    auto end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos)
      return {};
    auto text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::optional<bool> boolean() {
    skip_spaces();
    for (auto [word, value] : {std::pair{"True", true}, std::pair{"False", false}})
      if (rest_.starts_with(word)) {
        rest_.remove_prefix(std::string_view(word).size());
        return value;
      }
    return {};
  }

  std::optional<uint64_t> number() {
    skip_spaces();
    uint64_t value = 0;
    auto [end, failed] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (failed != std::errc{})
      return {};
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    mark('L'); // Python 2 wrote long integers so
    return value;
  }

  std::optional<std::vector<uint64_t>> tuple() {
    if (!mark('('))
      return {};
    std::vector<uint64_t> values;
    while (!mark(')')) {
      auto value = number();
      if (!value || values.size() == dimensions_max)
        return {};
      values.push_back(*value);
      if (!mark(',')) {
        if (!mark(')'))
          return {};
        break;
      }
    }
    return values;
  }

  bool ended() {
    skip_spaces();
    return rest_.empty();
  }

private:
  void skip_spaces() {
    auto first = rest_.find_first_not_of(" \t\n");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  std::string_view rest_;
};

struct dictionary {
  std::optional<std::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<uint64_t>> shape;
  bool structured = false;
};

// False: this is no entry of the header.
bool read_entry(literal& text, dictionary& into) {
  auto key = text.quoted();
  if (!key || !text.mark(':'))
    return false;
  if (*key == "descr") {
    into.structured = text.mark('[');
    return into.structured || (into.descr = text.quoted()).has_value();
  }
  if (*key == "fortran_order")
    return (into.fortran_order = text.boolean()).has_value();
  return *key == "shape" && (into.shape = text.tuple()).has_value();
}

std::optional<dictionary> read_dictionary(std::string_view from) {
  literal text(from);
  dictionary read;
  if (!text.mark('{'))
    return {};
  while (!text.mark('}')) {
    if (!read_entry(text, read))
      return {};
    if (read.structured)
      return read; // it is refused: what follows does not matter
    if (!text.mark(',')) {
      if (!text.mark('}'))
        return {};
      break;
    }
  }
  if (!text.ended() || !read.descr || !read.fortran_order || !read.shape)
    return {};
  return read;
}

error unread_type(const std::string& path, std::string_view type) {
  return {errc::invalid, path + " has elements of the type " + printable(type)
                           + ", which is not read: store it with .astype(\"float32\")."};
}

} // namespace

result<array_header> parse_npy_header(const std::string& path, std::string_view text) {
  auto read = read_dictionary(text);
  if (!read)
    return damaged(path, "has no header of NumPy's");
  if (read->structured)
    return unread_type(path, "structured");
  auto descr = *read->descr;
  // '<' and '|' (no matter) are the order of this machine, as is '='.
  if (descr.empty() || std::string_view("<>|=").find(descr.front()) == std::string_view::npos)
    return unread_type(path, descr);
  array_header header;
  header.big_endian = descr.front() == '>';
  bool known = false;
  for (const auto& each : stored_types)
    if (descr.substr(1) == each.code) {
      header.type = each.type;
      known = true;
    }
  if (!known)
    return unread_type(path, descr);
  if (*read->fortran_order && read->shape->size() > 1)
    return {errc::invalid, path
                             + " is stored in Fortran order, where a sample lies scattered: store "
                               "numpy.ascontiguousarray of it."};
  header.extents = *std::move(read->shape);
  return header;
}

} // namespace troupe::training
