#include "actors/training/image_network.hpp"

namespace troupe::training {

result<network> make_image_network(const kernels::backend& on, const image_network_options& options,
                                   uint64_t seed) {
  network out(on.where());
  kernels::shape images{options.batch, 1, options.rows, options.columns};
  auto conv = [&](const kernels::shape& from, size_t channels) {
    return on.conv2d(from,
                     {.channels = channels, .kernel = 3, .stride = 1, .padding = 1, .relu = true});
  };
  out.add(conv(images, options.channels_first));
  out.add(on.max_pool2d(out.last(), {2, 2}));
  out.add(conv(out.last(), options.channels_second));
  out.add(on.max_pool2d(out.last(), {2, 2}));
  out.add(on.dense(out.last(), {.features = options.hidden, .relu = true}));
  out.add(on.dense(out.last(), {.features = options.classes}));
  TROUPE_TRY(out.finish(on.softmax_cross_entropy(out.last()), seed));
  return out;
}

sample_set images_with_labels(const dataset& data) {
  return {.from = &data, .inputs = "image", .targets = "label", .map = scale(1 / 127.5F, -1)};
}

result<std::array<size_t, 2>> image_extents(const dataset& data) {
  auto place = find_field(data, "image");
  if (!place)
    return place.error();
  const auto& shape = data.fields()[*place].shape;
  if (shape.size() != 2)
    return {errc::invalid, "The field image has " + std::to_string(shape.size())
                             + " dimensions: images have rows and columns."};
  return std::array{shape[0], shape[1]};
}

} // namespace troupe::training
