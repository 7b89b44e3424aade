// What the files of this folder share: an engine with its stream, arrays in the layout that a
// primitive asks for, and the place where oneDNN's exceptions stop. Included by this folder only.
#pragma once

#include "kernels/op.hpp"

#include <dnnl.hpp>

#include <exception>
#include <unordered_map>

namespace troupe::kernels::onednn {

using arguments = std::unordered_map<int, dnnl::memory>;

class session {
public:
  session();

  const dnnl::engine& engine() const { return engine_; }

  // Runs to the end, on the calling thread.
  void run(const dnnl::primitive& primitive, const arguments& args);
  void reorder(dnnl::memory& from, dnnl::memory& to);

private:
  dnnl::engine engine_;
  dnnl::stream stream_;
};

// An array of ours, and its copy in the layout of a primitive where that differs.
class operand {
public:
  operand() = default;
  operand(const session& s, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted);

  // Our data for the primitive to read.
  dnnl::memory& load(session& s, const float* data);

  // The same data as last time: a copy of it is not made again.
  dnnl::memory& reload(const float* data);

  // Where the primitive shall write; store() then brings it home.
  dnnl::memory& target(float* data);
  void store(session& s);

private:
  dnnl::memory plain_;
  dnnl::memory wanted_;
  bool same_ = true;
};

// The same extents, in our layout and in whichever the primitive likes.
dnnl::memory::desc plain_desc(const shape& extents);
dnnl::memory::desc any_desc(const shape& extents);
dnnl::memory::dims square(size_t extent);

// oneDNN's team of threads is a setting of each thread.
void one_thread();

error refusal(const char* what, const std::exception& reason);

// Calls `work`, turning what oneDNN throws into an error.
template <class Work>
auto guarded(const char* what, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& reason) {
    return refusal(what, reason);
  }
}

result<std::unique_ptr<op>> make_conv2d(op_shapes shapes, const conv2d_options& options);
result<std::unique_ptr<op>> make_max_pool2d(op_shapes shapes, const pool2d_options& options);
result<std::unique_ptr<op>> make_avg_pool2d(op_shapes shapes, const pool2d_options& options);
std::unique_ptr<op> make_dense(op_shapes shapes, const dense_options& options);
std::unique_ptr<op> make_activation(op_shapes shapes, activation how);
std::unique_ptr<op> make_batch_norm(op_shapes shapes, const batch_norm_options& options);
std::unique_ptr<op> make_layer_norm(op_shapes shapes, const layer_norm_options& options);
std::unique_ptr<op> make_dropout(op_shapes shapes, float rate);
std::unique_ptr<op> make_lstm(op_shapes shapes, const recurrent_options& options,
                              precision products);
std::unique_ptr<op> make_gru(op_shapes shapes, const recurrent_options& options,
                             precision products);
std::unique_ptr<loss> make_softmax_cross_entropy(loss_shapes shapes);
std::unique_ptr<loss> make_mean_squared_error(loss_shapes shapes);
std::unique_ptr<loss> make_binary_cross_entropy(loss_shapes shapes);
void update(const optimiser_options& options, const optimiser_step& step, view gradients,
            mutable_view first_state, mutable_view second_state, mutable_view parameters);

} // namespace troupe::kernels::onednn
