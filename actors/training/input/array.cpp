#include "actors/training/input/array.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

class array_dataset : public dataset {
public:
  explicit array_dataset(std::vector<array> arrays) : arrays_(std::move(arrays)) {
    for (const auto& each : arrays_)
      fields_.push_back(each.kind);
  }

  size_t size() const override { return arrays_.front().samples; }
  std::span<const field> fields() const override { return fields_; }

  result<void> read(uint32_t index, std::span<const std::span<float>> into,
                    std::vector<std::byte>& scratch) const override {
    TROUPE_ASSERT(index < size() && into.size() == arrays_.size());
    for (size_t i = 0; i < arrays_.size(); ++i) {
      if (into[i].empty())
        continue;
      const auto& from = arrays_[i];
      auto count = into[i].size() * size_of(from.kind.type);
      auto bytes = from.bytes->view(from.offset + index * uint64_t{count}, count, scratch);
      if (!bytes)
        return bytes.error();
      to_floats(from.kind.type, from.big_endian, *bytes, into[i]);
    }
    return {};
  }

private:
  std::vector<array> arrays_;
  std::vector<field> fields_;
};

} // namespace

result<array> make_array(std::string name, const array_header& header,
                         std::shared_ptr<const file_bytes> bytes, uint64_t offset, uint64_t end) {
  const auto& path = bytes->path();
  TROUPE_ASSERT(offset <= end);
  if (header.extents.empty())
    return {errc::invalid, path
                             + " holds a single value, without a dimension of samples: store "
                               "an array with one entry for each sample."};
  if (header.extents[0] > dataset::samples_max)
    return {errc::invalid, path + " claims " + std::to_string(header.extents[0]) + " samples, and "
                             + std::to_string(dataset::samples_max) + " can be read: split it."};
  if (std::count(header.extents.begin(), header.extents.end(), uint64_t{0}) > 0)
    return damaged(path, "is empty, an extent of it is 0");
  // Elements for which there are bytes: the product cannot overflow while it stays below.
  auto room = (end - offset) / size_of(header.type);
  uint64_t total = 1;
  for (auto extent : header.extents) {
    if (extent > room / total)
      return damaged(path, "ends too early for the extents in its header");
    total *= extent;
  }
  if (total * size_of(header.type) != end - offset)
    return damaged(path, "is longer than its header says");
  array made{{std::move(name), header.type, {}}, header.extents[0], header.big_endian, {}, offset};
  made.kind.shape.assign(header.extents.begin() + 1, header.extents.end());
  made.bytes = std::move(bytes);
  return made;
}

result<std::unique_ptr<dataset>> join(std::vector<array> arrays) {
  if (arrays.empty())
    return {errc::invalid, "A dataset needs at least one array: name one."};
  const auto& first = arrays.front();
  for (size_t i = 1; i < arrays.size(); ++i) {
    const auto& each = arrays[i];
    if (each.samples != first.samples)
      return damaged(each.bytes->path(),
                     "has " + std::to_string(each.samples) + " samples in " + each.kind.name
                       + " for the " + std::to_string(first.samples) + " of " + first.kind.name);
    for (size_t j = 0; j < i; ++j)
      if (arrays[j].kind.name == each.kind.name)
        return {errc::invalid, "Two arrays have the name " + each.kind.name
                                 + ": give each field a name of its own."};
  }
  return std::unique_ptr<dataset>(std::make_unique<array_dataset>(std::move(arrays)));
}

} // namespace troupe::training
