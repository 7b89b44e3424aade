#include "actors/training/input/dataset.hpp"

#include <functional>
#include <numeric>

namespace troupe::training {

size_t field::values() const {
  return std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
}

result<size_t> find_field(const dataset& in, std::string_view name) {
  std::string known;
  auto fields = in.fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name)
      return i;
    known += (i == 0 ? "" : ", ") + fields[i].name;
  }
  return {errc::not_found, "The dataset has no field " + printable(name) + ": it has " + known
                             + ", so ask for one of these."};
}

} // namespace troupe::training
