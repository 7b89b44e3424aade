#include "tests/parity/staged_backend.hpp"

#include "tests/support/wrapped_backend.hpp"

#include <vector>

namespace troupe::kernels {
namespace {

struct gpu {
  std::unique_ptr<cuda::plugin> plugin;
  std::unique_ptr<cuda::device> device;
  std::unique_ptr<backend> operators;
};
using shared_gpu = std::shared_ptr<gpu>;

// An array's copy on the device. Its failures end the test.
class staged {
public:
  staged(gpu& on, view from) : staged(on, from.size()) {
    TROUPE_ASSERT(on_.device->put(there_->bytes().data(), from.data(), from.size_bytes()));
  }
  staged(gpu& on, size_t size) : on_(on) {
    auto made = on_.device->allocate(size * sizeof(float));
    TROUPE_ASSERT(made);
    there_ = std::move(*made);
  }

  mutable_view row() { return there_->row<float>(); }
  void fetch(mutable_view to) {
    TROUPE_ASSERT(on_.device->get(to.data(), there_->bytes().data(), to.size_bytes()));
  }

private:
  gpu& on_;
  std::unique_ptr<memory> there_;
};

class staged_op final : public op {
public:
  staged_op(shared_gpu on, std::unique_ptr<op> made)
    : op({made->input_shape(), made->output_shape(), made->parameters()}), on_(std::move(on)),
      made_(std::move(made)) {}

  mutable_view statistics() override { return made_->statistics(); }

private:
  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override {
    staged x(*on_, input), p(*on_, parameters), y(*on_, view(output));
    auto done = made_->forward(in, x.row(), p.row(), y.row());
    y.fetch(output);
    return done;
  }

  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    staged x(*on_, input), p(*on_, parameters), slope(*on_, output_gradient);
    staged to_input(*on_, view(input_gradient)), to_parameters(*on_, view(parameter_gradient));
    auto done = made_->backward(x.row(), p.row(), slope.row(), to_input.row(), to_parameters.row());
    to_input.fetch(input_gradient);
    to_parameters.fetch(parameter_gradient);
    return done;
  }

  shared_gpu on_;
  std::unique_ptr<op> made_;
};

class staged_loss final : public loss {
public:
  staged_loss(shared_gpu on, std::unique_ptr<loss> made)
    : loss({made->output_shape(), made->target_shape()}), on_(std::move(on)),
      made_(std::move(made)) {}

private:
  // The device's loss gets whole arrays, as it does in use.
  result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient) override {
    staged y(*on_, elements(output_shape())), t(*on_, elements(target_shape())),
      to(*on_, elements(output_shape()));
    auto put = [&](staged& there, view from) {
      TROUPE_ASSERT(on_->device->put(there.row().data(), from.data(), from.size_bytes()));
    };
    put(y, outputs);
    put(t, targets);
    auto valid = outputs.size() / row();
    auto done = made_->run(y.row(), t.row(), valid, scale, to.row());
    to.fetch(gradient);
    return done;
  }

  shared_gpu on_;
  std::unique_ptr<loss> made_;
};

class staged_backend final : public wrapped_backend {
public:
  explicit staged_backend(shared_gpu on)
    : wrapped_backend(*on->operators, processor()), on_(std::move(on)) {}

  void update(const optimiser_options& options, const optimiser_step& step, view gradients,
              mutable_view first_state, mutable_view second_state,
              mutable_view parameters) const override {
    staged g(*on_, gradients), first(*on_, view(first_state)), second(*on_, view(second_state)),
      p(*on_, view(parameters));
    // No state is null there, too.
    auto state
      = [](staged& there, view here) { return here.empty() ? mutable_view{} : there.row(); };
    inner().update(options, step, g.row(), state(first, first_state), state(second, second_state),
                   p.row());
    first.fetch(first_state);
    second.fetch(second_state);
    p.fetch(parameters);
  }

private:
  std::unique_ptr<op> wrap(std::unique_ptr<op> made) const override {
    return std::make_unique<staged_op>(on_, std::move(made));
  }
  std::unique_ptr<loss> wrap(std::unique_ptr<loss> made) const override {
    return std::make_unique<staged_loss>(on_, std::move(made));
  }

  shared_gpu on_;
};

} // namespace

result<std::unique_ptr<backend>> make_staged_backend(precision products) {
  auto on = std::make_shared<gpu>();
  auto opened = cuda::open();
  if (!opened)
    return opened.error();
  on->plugin = std::move(*opened);
  auto device = on->plugin->open_device(0);
  if (!device)
    return device.error();
  on->device = std::move(*device);
  auto made = on->device->make_backend(products);
  if (!made)
    return made.error();
  on->operators = std::move(*made);
  return std::unique_ptr<backend>(std::make_unique<staged_backend>(std::move(on)));
}

} // namespace troupe::kernels
