// Arrays in files, one sample for each index of the first dimension.
#pragma once

#include "actors/training/input/dataset.hpp"
#include "actors/training/input/file_bytes.hpp"

namespace troupe::training {

struct array {
  field kind; // of one sample
  uint64_t samples = 0;
  bool big_endian = false;
  std::shared_ptr<const file_bytes> bytes;
  uint64_t offset = 0; // of the first element in `bytes`
};

// What the header of an array says of the bytes behind it.
struct array_header {
  element_type type = element_type::u8;
  bool big_endian = false;
  std::vector<uint64_t> extents;
};

// The array `name` whose elements are the bytes from `offset` up to `end`. Errors: invalid: it has
// no dimension, or too many samples; corrupt: an extent is 0, or the elements do not fill the bytes
// to the last.
result<array> make_array(std::string name, const array_header& header,
                         std::shared_ptr<const file_bytes> bytes, uint64_t offset, uint64_t end);

// The arrays as the fields of one dataset. Errors: corrupt: they differ in the number of samples;
// invalid: none is given, or two have one name.
result<std::unique_ptr<dataset>> join(std::vector<array> arrays);

} // namespace troupe::training
