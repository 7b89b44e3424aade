#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/session.hpp"

#include <algorithm>

namespace troupe::cuda {
namespace {

class device_loss final : public kernels::loss {
public:
  device_loss(shared_session on, kernels::loss_shapes shapes, loss_kind kind)
    : loss(std::move(shapes)), on_(std::move(on)), kind_(kind) {}

private:
  void clear(mutable_view part) override {
    // A device that is lost tells it right after this.
    if (!part.empty() && on_->take())
      cudaMemsetAsync(part.data(), 0, part.size_bytes(), on_->stream());
  }

  result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient) override {
    TROUPE_TRY(on_->take());
    auto classes = output_shape().back();
    auto room = room_.reserve(sizeof(loss_result)
                              + std::max(targets.size(), element_terms) * sizeof(double));
    TROUPE_TRY(room);
    auto* left = static_cast<loss_result*>(*room);
    auto* terms = reinterpret_cast<double*>(left + 1);
    auto stream = on_->stream();
    if (kind_ == loss_kind::softmax_cross_entropy)
      softmax_cross_entropy(stream, targets.size(), classes, row() / classes, scale, outputs.data(),
                            targets.data(), gradient.data(), terms, left);
    else if (kind_ == loss_kind::mean_squared_error)
      mean_squared_error(stream, outputs.size(), row(), scale, outputs.data(), targets.data(),
                         gradient.data(), terms, left);
    else
      binary_cross_entropy(stream, outputs.size(), row(), scale, outputs.data(), targets.data(),
                           gradient.data(), terms, left);
    TROUPE_TRY(session::started());
    loss_result got;
    TROUPE_TRY(
      check(cudaMemcpyAsync(&got, left, sizeof(got), cudaMemcpyDeviceToHost, stream), "copy"));
    TROUPE_TRY(check(cudaStreamSynchronize(stream), "compute a loss"));
    if (got.bad_row >= 0)
      return {errc::invalid, "the label of row " + std::to_string(got.bad_row)
                               + " is no whole number from 0 to below " + std::to_string(classes)
                               + ": give the network more outputs, or "
                                 "mend the data."};
    return static_cast<float>(got.sum);
  }

  shared_session on_;
  loss_kind kind_;
  scratch room_;
};

} // namespace

made_loss make_loss(shared_session on, kernels::loss_shapes shapes, loss_kind kind) {
  return std::make_unique<device_loss>(std::move(on), std::move(shapes), kind);
}

} // namespace troupe::cuda
