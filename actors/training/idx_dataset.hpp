// Labelled images in the IDX format of MNIST and its successors, compressed with gzip or not.
//
// Guarantees: what is returned is complete and consistent: as many labels as images, each below
// `classes`. Limits: 1 GiB of pixels. Memory grows with what the file really holds, not with what
// its header claims. Source: the format's description in LeCun, Cortes, Burges, "The MNIST database
// of handwritten digits".
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe::training {

struct idx_dataset {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<uint8_t> pixels; // image after image, row after row; 0 is the background
  std::vector<uint8_t> labels;

  size_t size() const { return labels.size(); }
  std::span<const uint8_t> image(size_t index) const {
    return std::span(pixels).subspan(index * rows * columns, rows * columns);
  }
};

// Errors: not_found; io; corrupt: not IDX, cut short, longer than it says, a bad gzip checksum, or
// labels that do not fit the images.
result<idx_dataset> read_idx_dataset(const std::string& images, const std::string& labels,
                                     size_t classes);

} // namespace troupe::training
