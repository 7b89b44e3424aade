#include "kernels/cpu/cpu.hpp"
#include "kernels/shapes.hpp"

#include <algorithm>

namespace troupe::kernels::cpu {

namespace {

class embedding final : public op {
public:
  embedding(op_shapes shapes, const embedding_options& options)
    : op(std::move(shapes)), options_(options) {}

private:
  size_t row_of(float id) const { return static_cast<size_t>(id) * options_.extent; }

  result<void> run_forward(const pass&, view input, view weight, mutable_view output) override {
    TROUPE_TRY(check_ids("the token id", input, options_.words));
    for (size_t i = 0; i < input.size(); ++i) {
      auto row = weight.subspan(row_of(input[i]), options_.extent);
      std::copy(row.begin(), row.end(), output.subspan(i * options_.extent).begin());
    }
    return {};
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view parameter_gradient) override {
    std::fill(input_gradient.begin(), input_gradient.end(), 0.0F);
    std::fill(parameter_gradient.begin(), parameter_gradient.end(), 0.0F);
    for (size_t i = 0; i < input.size(); ++i) {
      auto row = parameter_gradient.subspan(row_of(input[i]), options_.extent);
      auto from = output_gradient.subspan(i * options_.extent, options_.extent);
      for (size_t k = 0; k < options_.extent; ++k)
        row[k] += from[k];
    }
    return {};
  }

  embedding_options options_;
};

} // namespace

std::unique_ptr<op> make_embedding(op_shapes shapes, const embedding_options& options) {
  return std::make_unique<embedding>(std::move(shapes), options);
}

} // namespace troupe::kernels::cpu
