#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

namespace troupe::kernels::onednn {

namespace {

TROUPE_VECTORISED void relu(const float* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = in[i] > 0 ? in[i] : 0;
}

TROUPE_VECTORISED void relu_back(const float* in, const float* slope, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = in[i] > 0 ? slope[i] : 0;
}

TROUPE_VECTORISED void tanh(const float* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = vectorised::tanh(in[i]);
}

TROUPE_VECTORISED void tanh_back(const float* in, const float* slope, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto y = vectorised::tanh(in[i]);
    out[i] = (1 - y * y) * slope[i];
  }
}

TROUPE_VECTORISED void sigmoid(const float* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = vectorised::sigmoid(in[i]);
}

TROUPE_VECTORISED void sigmoid_back(const float* in, const float* slope, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto y = vectorised::sigmoid(in[i]);
    out[i] = y * (1 - y) * slope[i];
  }
}

TROUPE_VECTORISED void gelu(const float* in, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = in[i] * vectorised::normal(in[i]).below;
}

TROUPE_VECTORISED void gelu_back(const float* in, const float* slope, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto at = vectorised::normal(in[i]);
    out[i] = (at.below + in[i] * at.density) * slope[i];
  }
}

class activation_op final : public op {
public:
  activation_op(op_shapes shapes, activation how) : op(std::move(shapes)), how_(how) {}

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    switch (how_) {
    case activation::relu:
      relu(input.data(), output.data(), input.size());
      break;
    case activation::tanh:
      tanh(input.data(), output.data(), input.size());
      break;
    case activation::sigmoid:
      sigmoid(input.data(), output.data(), input.size());
      break;
    case activation::gelu:
      gelu(input.data(), output.data(), input.size());
      break;
    }
    return {};
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    auto* slope = output_gradient.data();
    auto* out = input_gradient.data();
    auto count = input_gradient.size();
    switch (how_) {
    case activation::relu:
      relu_back(input.data(), slope, out, count);
      break;
    case activation::tanh:
      tanh_back(input.data(), slope, out, count);
      break;
    case activation::sigmoid:
      sigmoid_back(input.data(), slope, out, count);
      break;
    case activation::gelu:
      gelu_back(input.data(), slope, out, count);
      break;
    }
    return {};
  }

  activation how_;
};

} // namespace

std::unique_ptr<op> make_activation(op_shapes shapes, activation how) {
  return std::make_unique<activation_op>(std::move(shapes), how);
}

} // namespace troupe::kernels::onednn
