// Datasets in memory, for tests of what reads them.
#pragma once

#include "actors/training/input/array.hpp"

namespace troupe::training {

inline array memory_array(const std::string& name, std::vector<uint64_t> extents,
                          const std::vector<uint8_t>& values) {
  auto bytes = std::as_bytes(std::span(values));
  auto made
    = make_array(name, {element_type::u8, false, std::move(extents)},
                 file_bytes::of_memory("memory", {bytes.begin(), bytes.end()}), 0, values.size());
  TROUPE_ASSERT(made);
  return *std::move(made);
}

// Fields "image" and "label".
inline std::unique_ptr<dataset> labelled_images(size_t rows, size_t columns,
                                                const std::vector<uint8_t>& pixels,
                                                const std::vector<uint8_t>& labels) {
  auto made = join({memory_array("image", {labels.size(), rows, columns}, pixels),
                    memory_array("label", {labels.size()}, labels)});
  TROUPE_ASSERT(made);
  return *std::move(made);
}

} // namespace troupe::training
