// Samples that training reads by their index.
//
// A sample has one value for each field of the dataset, and a field has one shape for all samples.
// Values come as floats, whatever the file holds: class ids are exact below 2^24.
//
// Threads: any number may read at once, each with scratch memory of its own. The files must not
// change while a dataset is open: one that was cut short gives an error, one that was rewritten may
// give other values.
#pragma once

#include "actors/training/input/elements.hpp"
#include "runtime/base/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::training {

struct field {
  std::string name;
  element_type type = element_type::f32; // as it is stored
  std::vector<size_t> shape;             // of one sample, the last index fastest; empty: one value

  // Elements of one sample.
  size_t values() const;
};

class dataset {
public:
  static constexpr uint64_t samples_max = uint32_t(-1);

  virtual ~dataset() = default;

  virtual size_t size() const = 0;
  virtual std::span<const field> fields() const = 0;

  // Sample `index`, below size(): `into` has one place for each field, of its values() or empty
  // where the field is not wanted. `scratch` is memory for the reader to use and to grow.
  // Errors: io; corrupt: the file fails a check, or holds something else than the fields say.
  virtual result<void> read(uint32_t index, std::span<const std::span<float>> into,
                            std::vector<std::byte>& scratch) const = 0;
};

// The place of the field of that name. Errors: not_found, with the names that there are.
result<size_t> find_field(const dataset& in, std::string_view name);

} // namespace troupe::training
