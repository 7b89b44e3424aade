#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

namespace troupe::cuda {
namespace {

class pool2d : public op {
public:
  pool2d(shared_session on, kernels::op_shapes shapes, const kernels::pool2d_options& options)
    : op(std::move(shapes)), on_(std::move(on)) {
    auto extent = [](size_t x) { return static_cast<int>(x); };
    of_ = {input_shape()[0] * input_shape()[1],
           extent(input_shape()[2]),
           extent(input_shape()[3]),
           extent(output_shape()[2]),
           extent(output_shape()[3]),
           extent(options.kernel),
           extent(options.stride)};
  }

protected:
  session& on() const { return *on_; }
  const pool_extents& of() const { return of_; }

private:
  shared_session on_;
  pool_extents of_{};
};

class max_pool2d final : public pool2d {
public:
  using pool2d::pool2d;

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    TROUPE_TRY(on().take());
    auto winners = winners_.reserve(output.size() * sizeof(int));
    TROUPE_TRY(winners);
    max_pool(on().stream(), of(), input.data(), output.data(), static_cast<int*>(*winners));
    return session::started();
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    TROUPE_TRY(on().take());
    auto winners = winners_.reserve(0);
    TROUPE_TRY(winners);
    if (!input_gradient.empty())
      max_pool_backward(on().stream(), of(), static_cast<const int*>(*winners),
                        output_gradient.data(), input_gradient.data());
    return session::started();
  }

  scratch winners_; // of the last forward
};

class avg_pool2d final : public pool2d {
public:
  using pool2d::pool2d;

private:
  result<void> run_forward(const pass&, view input, view, mutable_view output) override {
    TROUPE_TRY(on().take());
    avg_pool(on().stream(), of(), input.data(), output.data());
    return session::started();
  }

  result<void> run_backward(view, view, view output_gradient, mutable_view input_gradient,
                            mutable_view) override {
    TROUPE_TRY(on().take());
    if (!input_gradient.empty())
      avg_pool_backward(on().stream(), of(), output_gradient.data(), input_gradient.data());
    return session::started();
  }
};

} // namespace

made_op make_max_pool2d(shared_session on, kernels::op_shapes shapes,
                        const kernels::pool2d_options& options) {
  return std::make_unique<max_pool2d>(std::move(on), std::move(shapes), options);
}

made_op make_avg_pool2d(shared_session on, kernels::op_shapes shapes,
                        const kernels::pool2d_options& options) {
  return std::make_unique<avg_pool2d>(std::move(on), std::move(shapes), options);
}

} // namespace troupe::cuda
