#include "tests/fuzz/random_frame.hpp"

#include <optional>

namespace troupe::testing {

namespace {

using namespace flatbuffers;

class maker {
public:
  maker(random_source& random, frame_options options, std::optional<uint8_t> member)
    : random_(random), options_(options), member_(member) {}

  byte_vector make(const TypeTable& type) {
    builder_.Finish(Offset<void>(table(type)));
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

private:
  static const TypeTable* refers_to(const TypeTable& type, TypeCode code) {
    return code.sequence_ref >= 0 ? type.type_refs[code.sequence_ref]() : nullptr;
  }

  // Fields that are offsets are made first: tables cannot be made inside of one another.
  uoffset_t table(const TypeTable& type) {
    std::vector<uoffset_t> parts(type.num_elems);
    uint8_t member = 0;
    for (size_t i = 0; i < type.num_elems; ++i) {
      auto code = type.type_codes[i];
      if (code.base_type == ET_UTYPE)
        member = union_member(*refers_to(type, code));
      else
        parts[i] = part(type, code, member);
    }
    auto start = builder_.StartTable();
    for (size_t i = 0; i < type.num_elems; ++i) {
      auto field = FieldIndexToOffset(static_cast<voffset_t>(i));
      auto code = type.type_codes[i];
      if (code.base_type == ET_UTYPE)
        builder_.AddElement<uint8_t>(field, member, 0);
      else if (parts[i] != 0)
        builder_.AddOffset(field, Offset<void>(parts[i]));
      else if (code.base_type != ET_STRING && code.base_type != ET_SEQUENCE && !code.is_repeating)
        number(field, static_cast<ElementaryType>(code.base_type));
    }
    return builder_.EndTable(start);
  }

  uint8_t union_member(const TypeTable& type) {
    return member_ ? *member_ : static_cast<uint8_t>(1 + random_.below(type.num_elems - 1));
  }

  // 0: the field is no offset, or is left out.
  uoffset_t part(const TypeTable& type, TypeCode code, uint8_t member) {
    auto* below = refers_to(type, code);
    if (code.is_repeating)
      return vector(code, below);
    if (code.base_type == ET_STRING)
      return random_.chance(0.2) ? 0 : text();
    if (code.base_type != ET_SEQUENCE)
      return 0;
    if (below->st == ST_UNION)
      return table(*below->type_refs[below->type_codes[member].sequence_ref]());
    return options_.whole || random_.chance(0.9) ? table(*below) : 0;
  }

  uoffset_t text() { return builder_.CreateString(hostile_text(random_, options_.longest)).o; }

  uoffset_t vector(TypeCode code, const TypeTable* below) {
    if (code.base_type == ET_UCHAR) {
      auto bytes = hostile_text(random_, options_.longest);
      return builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()).o;
    }
    if (code.base_type == ET_UINT)
      return numbers<uint32_t>();
    if (code.base_type == ET_ULONG)
      return numbers<uint64_t>();
    auto element
      = [&] { return Offset<void>(code.base_type == ET_STRING ? text() : table(*below)); };
    if (options_.shared)
      return builder_.CreateVector(std::vector(1 + random_.below(5000), element())).o;
    std::vector<Offset<void>> parts(random_.below(random_.chance(0.02) ? 200 : 4));
    for (auto& each : parts)
      each = element();
    return builder_.CreateVector(parts).o;
  }

  template <class T>
  uoffset_t numbers() {
    std::vector<T> all(random_.below(4));
    for (auto& each : all)
      each = static_cast<T>(hostile_number(random_));
    return builder_.CreateVector(all).o;
  }

  void number(voffset_t field, ElementaryType type) {
    auto value = hostile_number(random_);
    switch (InlineSize(type, nullptr)) {
    case 1:
      return builder_.AddElement(field, static_cast<uint8_t>(value & (type == ET_BOOL ? 1 : 255)),
                                 uint8_t{0});
    case 2:
      return builder_.AddElement(field, static_cast<uint16_t>(value), uint16_t{0});
    case 4:
      return builder_.AddElement(field, static_cast<uint32_t>(value), uint32_t{0});
    default:
      return builder_.AddElement(field, value, uint64_t{0});
    }
  }

  FlatBufferBuilder builder_;
  random_source& random_;
  frame_options options_;
  std::optional<uint8_t> member_;
};

} // namespace

byte_vector random_frame(payload kind, random_source& random, frame_options options) {
  return maker{random, options, static_cast<uint8_t>(kind)}.make(*envelopeTypeTable());
}

byte_vector random_table(const TypeTable& type, random_source& random, frame_options options) {
  return maker{random, options, std::nullopt}.make(type);
}

} // namespace troupe::testing
