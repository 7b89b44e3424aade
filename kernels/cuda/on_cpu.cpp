#include "kernels/cuda/session.hpp"

namespace troupe::cuda {
namespace {

class cpu_op final : public op {
public:
  cpu_op(shared_session on, std::unique_ptr<op> reference)
    : op({reference->input_shape(), reference->output_shape(), reference->parameters()}),
      on_(std::move(on)), reference_(std::move(reference)) {}

  mutable_view statistics() override { return reference_->statistics(); }

private:
  using array = std::vector<float>;

  result<void> move(void* to, const void* from, size_t bytes) {
    TROUPE_TRY(check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, on_->stream()), "copy"));
    return check(cudaStreamSynchronize(on_->stream()), "copy");
  }

  result<void> fetch(view from, array& to) {
    to.resize(from.size());
    return from.empty() ? result<void>{} : move(to.data(), from.data(), from.size_bytes());
  }
  result<void> store(const array& from, mutable_view to) {
    return to.empty() ? result<void>{} : move(to.data(), from.data(), to.size_bytes());
  }

  result<void> run_forward(const pass& in, view input, view weights, mutable_view output) override {
    TROUPE_TRY(on_->take());
    TROUPE_TRY(fetch(input, input_));
    TROUPE_TRY(fetch(weights, weights_));
    array result(output.size());
    TROUPE_TRY(reference_->forward(in, input_, weights_, result));
    return store(result, output);
  }

  result<void> run_backward(view input, view weights, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    TROUPE_TRY(on_->take());
    TROUPE_TRY(fetch(input, input_));
    TROUPE_TRY(fetch(weights, weights_));
    array slope;
    TROUPE_TRY(fetch(output_gradient, slope));
    array to_input(input_gradient.size());
    array to_parameters(parameter_gradient.size());
    TROUPE_TRY(reference_->backward(input_, weights_, slope, to_input, to_parameters));
    TROUPE_TRY(store(to_input, input_gradient));
    return store(to_parameters, parameter_gradient);
  }

  shared_session on_;
  std::unique_ptr<op> reference_;
  array input_;
  array weights_;
};

} // namespace

std::unique_ptr<op> on_cpu(shared_session on, std::unique_ptr<op> reference) {
  return std::make_unique<cpu_op>(std::move(on), std::move(reference));
}

} // namespace troupe::cuda
