#include "kernels/batch_norm.hpp"

#include "kernels/cpu/cpu.hpp"

namespace troupe::kernels::cpu {

namespace {

class batch_norm final : public batch_norm_op {
public:
  using batch_norm_op::batch_norm_op;

private:
  // Calls visit(index) for each element of a channel.
  template <class Visit>
  void each(size_t channel, Visit visit) const {
    for (size_t n = 0; n < input_shape()[0]; ++n)
      for (size_t i = 0; i < plane(); ++i)
        visit((n * channels() + channel) * plane() + i);
  }

  void measure(view input) override {
    for (size_t c = 0; c < channels(); ++c) {
      double sum = 0;
      each(c, [&](size_t i) { sum += input[i]; });
      auto mean = sum / static_cast<double>(count());
      double squares = 0;
      each(c, [&](size_t i) { squares += (input[i] - mean) * (input[i] - mean); });
      set_batch(c, static_cast<float>(mean),
                static_cast<float>(squares / static_cast<double>(count())));
    }
  }

  void apply(view input, view parameters, mutable_view output) override {
    for (size_t c = 0; c < channels(); ++c)
      each(c, [&](size_t i) {
        output[i]
          = (input[i] - mean(c)) * inverse(c) * parameters[c] + parameters[offset_of(1) + c];
      });
  }

  void differentiate(bool training, view input, view parameters, view output_gradient,
                     mutable_view input_gradient, mutable_view parameter_gradient) override {
    for (size_t c = 0; c < channels(); ++c) {
      auto normal = [&](size_t i) { return (double{input[i]} - mean(c)) * inverse(c); };
      double sum = 0;
      double product = 0;
      each(c, [&](size_t i) {
        sum += output_gradient[i];
        product += output_gradient[i] * normal(i);
      });
      parameter_gradient[c] = static_cast<float>(product);
      parameter_gradient[offset_of(1) + c] = static_cast<float>(sum);
      if (input_gradient.empty())
        continue;
      // A moved element moves mean and variance of its channel too, where they are the batch's.
      auto whole = static_cast<double>(count());
      auto scale = double{parameters[c]} * inverse(c);
      each(c, [&](size_t i) {
        auto others = training ? (sum + normal(i) * product) / whole : 0.0;
        input_gradient[i] = static_cast<float>(scale * (output_gradient[i] - others));
      });
    }
  }
};

} // namespace

std::unique_ptr<op> make_batch_norm(op_shapes shapes, const batch_norm_options& options) {
  return std::make_unique<batch_norm>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
