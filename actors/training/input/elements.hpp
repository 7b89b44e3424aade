// Numbers as files hold them, made the floats that training works with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe::training {

enum class element_type : uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

// Bytes of one element.
size_t size_of(element_type type);

std::string_view name_of(element_type type);

// Each element as the nearest float: integers up to 2^24 are exact. `from` holds as many elements
// as `to`, at any address.
void to_floats(element_type type, bool big_endian, std::span<const std::byte> from,
               std::span<float> to);

} // namespace troupe::training
