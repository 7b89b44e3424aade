// What the operators of a device share: its stream, the libraries' handles, and memory for a while.
//
// Threads: one, as the device.
#pragma once

#include "kernels/cuda/plugin.hpp"
#include "kernels/cuda/status.hpp"

#include <cublas_v2.h>
#include <cudnn.h>

namespace troupe::cuda {

using kernels::mutable_view;
using kernels::op;
using kernels::pass;
using kernels::view;

result<void> check(cublasStatus_t code, const std::string& what);
result<void> check(cudnnStatus_t code, const std::string& what);

// Memory of the device that grows.
class scratch {
public:
  scratch() = default;
  ~scratch() { free(); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  // At least so many bytes; what lay there is lost when it grows.
  result<void*> reserve(size_t bytes);

private:
  void free();

  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class session {
public:
  session(int device, cudaStream_t stream) : device_(device), stream_(stream) {}
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  result<void> open();

  // At the begin of each call: the thread's device.
  result<void> take() { return check(cudaSetDevice(device_), "take its device"); }
  // At its end: whether all could be started.
  static result<void> started() { return check(cudaGetLastError(), "start a kernel"); }

  cudaStream_t stream() const { return stream_; }
  cublasHandle_t blas() const { return blas_; }
  cudnnHandle_t dnn() const { return dnn_; }

  // For one call: the stream runs one at a time.
  result<void*> workspace(size_t bytes) { return workspace_.reserve(bytes); }

private:
  int device_;
  cudaStream_t stream_;
  cublasHandle_t blas_ = nullptr;
  cudnnHandle_t dnn_ = nullptr;
  scratch workspace_;
};

// max(x, 0) of an op's result: what it needs for the gradient.
class fused_relu {
public:
  explicit fused_relu(bool wanted) : wanted_(wanted) {}

  bool wanted() const { return wanted_; }
  result<void> keep(session& on, mutable_view output);
  // The gradient of what the op computed before; valid until the next call.
  result<view> backward(session& on, view output_gradient);

private:
  bool wanted_;
  scratch kept_;
};

using shared_session = std::shared_ptr<session>;
using made_op = result<std::unique_ptr<op>>;
using made_loss = result<std::unique_ptr<kernels::loss>>;

made_op make_conv2d(shared_session on, kernels::op_shapes shapes, const kernels::conv2d_options&);
made_op make_max_pool2d(shared_session on, kernels::op_shapes shapes,
                        const kernels::pool2d_options&);
made_op make_avg_pool2d(shared_session on, kernels::op_shapes shapes,
                        const kernels::pool2d_options&);
made_op make_dense(shared_session on, kernels::op_shapes shapes, const kernels::dense_options&);
made_op make_activation(shared_session on, kernels::op_shapes shapes, kernels::activation how);
made_op make_dropout(shared_session on, kernels::op_shapes shapes, float rate);

enum class loss_kind { softmax_cross_entropy, mean_squared_error, binary_cross_entropy };
made_loss make_loss(shared_session on, kernels::loss_shapes shapes, loss_kind kind);

// An op of the CPU, with its arrays copied there and back: what has no kernel yet.
std::unique_ptr<op> on_cpu(shared_session on, std::unique_ptr<op> reference);

result<std::unique_ptr<kernels::backend>> make_backend(device& where, cudaStream_t stream,
                                                       kernels::precision products);

} // namespace troupe::cuda
