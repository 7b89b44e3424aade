// A small convolutional network for images with labels:
// conv - relu - pool - conv - relu - pool - dense - relu - dense - softmax.
#pragma once

#include "actors/training/trainer.hpp"

#include <array>

namespace troupe::training {

struct image_network_options {
  size_t batch = 64;
  size_t rows = 28;
  size_t columns = 28;
  size_t channels_first = 16;
  size_t channels_second = 32;
  size_t hidden = 64;
  size_t classes = 10;
};

// Errors: invalid, for extents that are too small for the network.
result<network> make_image_network(const kernels::backend& on, const image_network_options& options,
                                   uint64_t seed);

// The fields "image", of pixels from 0 to 255, and "label". The data outlives it.
sample_set images_with_labels(const dataset& data);

// Rows and columns of the field "image". Errors: not_found: no such field; invalid: no images.
result<std::array<size_t, 2>> image_extents(const dataset& data);

} // namespace troupe::training
