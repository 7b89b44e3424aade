// A backend whose operators and losses are those of another one with something around them.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels {

class wrapped_backend : public backend {
public:
  // `inner` outlives what is made.
  wrapped_backend(const backend& inner, device& where)
    : backend(inner.products(), where), inner_(inner) {}

  std::string_view name() const override { return inner_.name(); }

protected:
  const backend& inner() const { return inner_; }

  virtual std::unique_ptr<op> wrap(std::unique_ptr<op> made) const = 0;
  virtual std::unique_ptr<loss> wrap(std::unique_ptr<loss> made) const = 0;

private:
  template <class T>
  result<std::unique_ptr<T>> wrapped(result<std::unique_ptr<T>> made) const {
    if (!made)
      return made;
    return wrap(*std::move(made));
  }

  made_op make_conv2d(op_shapes shapes, const conv2d_options& options) const final {
    return wrapped(inner_.conv2d(shapes.input, options));
  }
  made_op make_max_pool2d(op_shapes shapes, const pool2d_options& options) const final {
    return wrapped(inner_.max_pool2d(shapes.input, options));
  }
  made_op make_avg_pool2d(op_shapes shapes, const pool2d_options& options) const final {
    return wrapped(inner_.avg_pool2d(shapes.input, options));
  }
  made_op make_dense(op_shapes shapes, const dense_options& options) const final {
    return wrapped(inner_.dense(shapes.input, options));
  }
  made_op make_activation(op_shapes shapes, activation how) const final {
    return wrapped(inner_.activate(shapes.input, how));
  }
  made_op make_batch_norm(op_shapes shapes, const batch_norm_options& options) const final {
    return wrapped(inner_.batch_norm(shapes.input, options));
  }
  made_op make_layer_norm(op_shapes shapes, const layer_norm_options& options) const final {
    return wrapped(inner_.layer_norm(shapes.input, options));
  }
  made_op make_dropout(op_shapes shapes, float rate) const final {
    return wrapped(inner_.dropout(shapes.input, rate));
  }
  made_op make_embedding(op_shapes shapes, const embedding_options& options) const final {
    return wrapped(inner_.embedding(shapes.input, options));
  }
  made_op make_lstm(op_shapes shapes, const recurrent_options& options) const final {
    return wrapped(inner_.lstm(shapes.input, options));
  }
  made_op make_gru(op_shapes shapes, const recurrent_options& options) const final {
    return wrapped(inner_.gru(shapes.input, options));
  }
  made_loss make_softmax_cross_entropy(loss_shapes shapes) const final {
    return wrapped(inner_.softmax_cross_entropy(shapes.outputs));
  }
  made_loss make_mean_squared_error(loss_shapes shapes) const final {
    return wrapped(inner_.mean_squared_error(shapes.outputs));
  }
  made_loss make_binary_cross_entropy(loss_shapes shapes) const final {
    return wrapped(inner_.binary_cross_entropy(shapes.outputs));
  }

  const backend& inner_;
};

} // namespace troupe::kernels
