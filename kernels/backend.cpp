#include "kernels/rounded.hpp"
#include "kernels/shapes.hpp"

namespace troupe::kernels {

result<std::unique_ptr<op>> backend::conv2d(const shape& input,
                                            const conv2d_options& options) const {
  auto shapes = conv2d_shapes(input, options);
  TROUPE_TRY(shapes);
  return rounded(make_conv2d(*std::move(shapes), options), precision_);
}

result<std::unique_ptr<op>> backend::max_pool2d(const shape& input,
                                                const pool2d_options& options) const {
  auto shapes = pool2d_shapes(input, options);
  TROUPE_TRY(shapes);
  return make_max_pool2d(*std::move(shapes), options);
}

result<std::unique_ptr<op>> backend::avg_pool2d(const shape& input,
                                                const pool2d_options& options) const {
  auto shapes = pool2d_shapes(input, options);
  TROUPE_TRY(shapes);
  return make_avg_pool2d(*std::move(shapes), options);
}

result<std::unique_ptr<op>> backend::dense(const shape& input, const dense_options& options) const {
  auto shapes = dense_shapes(input, options);
  TROUPE_TRY(shapes);
  return rounded(make_dense(*std::move(shapes), options), precision_);
}

result<std::unique_ptr<op>> backend::activate(const shape& input, activation how) const {
  auto shapes = activation_shapes(input);
  TROUPE_TRY(shapes);
  return make_activation(*std::move(shapes), how);
}

result<std::unique_ptr<op>> backend::batch_norm(const shape& input,
                                                const batch_norm_options& options) const {
  auto shapes = batch_norm_shapes(input, options);
  TROUPE_TRY(shapes);
  return make_batch_norm(*std::move(shapes), options);
}

result<std::unique_ptr<op>> backend::layer_norm(const shape& input,
                                                const layer_norm_options& options) const {
  auto shapes = layer_norm_shapes(input, options);
  TROUPE_TRY(shapes);
  return make_layer_norm(*std::move(shapes), options);
}

result<std::unique_ptr<op>> backend::dropout(const shape& input, float rate) const {
  auto shapes = dropout_shapes(input, rate);
  TROUPE_TRY(shapes);
  return make_dropout(*std::move(shapes), rate);
}

result<std::unique_ptr<op>> backend::embedding(const shape& input,
                                               const embedding_options& options) const {
  auto shapes = embedding_shapes(input, options);
  TROUPE_TRY(shapes);
  return make_embedding(*std::move(shapes), options);
}

result<std::unique_ptr<op>> backend::lstm(const shape& input,
                                          const recurrent_options& options) const {
  auto shapes = recurrent_shapes(input, options, 4);
  TROUPE_TRY(shapes);
  return rounded(make_lstm(*std::move(shapes), options), precision_);
}

result<std::unique_ptr<op>> backend::gru(const shape& input,
                                         const recurrent_options& options) const {
  auto shapes = recurrent_shapes(input, options, 3);
  TROUPE_TRY(shapes);
  return rounded(make_gru(*std::move(shapes), options), precision_);
}

result<std::unique_ptr<loss>> backend::softmax_cross_entropy(const shape& outputs) const {
  auto shapes = label_shapes(outputs);
  TROUPE_TRY(shapes);
  return make_softmax_cross_entropy(*std::move(shapes));
}

result<std::unique_ptr<loss>> backend::mean_squared_error(const shape& outputs) const {
  auto shapes = element_shapes(outputs);
  TROUPE_TRY(shapes);
  return make_mean_squared_error(*std::move(shapes));
}

result<std::unique_ptr<loss>> backend::binary_cross_entropy(const shape& outputs) const {
  auto shapes = element_shapes(outputs);
  TROUPE_TRY(shapes);
  return make_binary_cross_entropy(*std::move(shapes));
}

} // namespace troupe::kernels
