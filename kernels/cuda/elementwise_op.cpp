#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

namespace troupe::cuda {
namespace {

class activation_op final : public op {
public:
  activation_op(shared_session on, kernels::op_shapes shapes, activation how)
    : op(std::move(shapes)), on_(std::move(on)), how_(how) {}

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    TROUPE_TRY(on_->take());
    activate(on_->stream(), how_, input.size(), input.data(), output.data());
    return session::started();
  }

  result<void> run_backward(view input, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    TROUPE_TRY(on_->take());
    activate_backward(on_->stream(), how_, input_gradient.size(), input.data(),
                      output_gradient.data(), input_gradient.data());
    return session::started();
  }

  shared_session on_;
  activation how_;
};

class dropout_op final : public op {
public:
  dropout_op(shared_session on, kernels::op_shapes shapes, float rate)
    : op(std::move(shapes)), on_(std::move(on)), rate_(rate) {}

private:
  // What is dropped is worked out again from the seed: it takes less time than reading it.
  result<void> run(view from, mutable_view to) {
    TROUPE_TRY(on_->take());
    dropout(on_->stream(), to.size(), last_.training ? rate_ : 0, last_.seed, from.data(),
            to.data());
    return session::started();
  }

  result<void> run_forward(const pass& in, view input, view, mutable_view output) override {
    last_ = in;
    return run(input, output);
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    return run(output_gradient, input_gradient);
  }

  shared_session on_;
  float rate_;
  pass last_;
};

} // namespace

made_op make_activation(shared_session on, kernels::op_shapes shapes, activation how) {
  return std::make_unique<activation_op>(std::move(on), std::move(shapes), how);
}

made_op make_dropout(shared_session on, kernels::op_shapes shapes, float rate) {
  return std::make_unique<dropout_op>(std::move(on), std::move(shapes), rate);
}

} // namespace troupe::cuda
