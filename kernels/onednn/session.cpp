#include "kernels/onednn/session.hpp"

// Of the OpenMP runtime that oneDNN was built with; its header would need a compiler flag.
extern "C" void omp_set_num_threads(int count);

namespace troupe::kernels::onednn {

session::session() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  // Primitives are compiled for the team that is set when they are made.
  one_thread();
}

void session::run(const dnnl::primitive& primitive, const arguments& args) {
  // An op may be run by another thread than made it.
  one_thread();
  primitive.execute(stream_, args);
  stream_.wait();
}

void session::reorder(dnnl::memory& from, dnnl::memory& to) {
  one_thread();
  // oneDNN keeps compiled reorders in a cache of its own.
  dnnl::reorder(from, to).execute(stream_, from, to);
  stream_.wait();
}

operand::operand(const session& s, const dnnl::memory::desc& plain,
                 const dnnl::memory::desc& wanted)
  : plain_(plain, s.engine(), DNNL_MEMORY_NONE), same_(plain == wanted) {
  if (!same_)
    wanted_ = dnnl::memory(wanted, s.engine());
}

dnnl::memory& operand::load(session& s, const float* data) {
  // oneDNN has no read-only memory; nothing writes to what was loaded.
  plain_.set_data_handle(const_cast<float*>(data));
  if (same_)
    return plain_;
  s.reorder(plain_, wanted_);
  return wanted_;
}

dnnl::memory& operand::reload(const float* data) {
  if (!same_)
    return wanted_;
  plain_.set_data_handle(const_cast<float*>(data));
  return plain_;
}

dnnl::memory& operand::target(float* data) {
  plain_.set_data_handle(data);
  return same_ ? plain_ : wanted_;
}

void operand::store(session& s) {
  if (!same_)
    s.reorder(wanted_, plain_);
}

namespace {

dnnl::memory::dims dims_of(const shape& extents) {
  dnnl::memory::dims dims;
  for (auto extent : extents)
    dims.push_back(static_cast<dnnl::memory::dim>(extent));
  return dims;
}

} // namespace

dnnl::memory::desc plain_desc(const shape& extents) {
  dnnl::memory::dims strides(extents.size());
  dnnl::memory::dim stride = 1;
  for (auto i = extents.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= static_cast<dnnl::memory::dim>(extents[i]);
  }
  return {dims_of(extents), dnnl::memory::data_type::f32, strides};
}

dnnl::memory::desc any_desc(const shape& extents) {
  return {dims_of(extents), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

dnnl::memory::dims square(size_t extent) {
  return {static_cast<dnnl::memory::dim>(extent), static_cast<dnnl::memory::dim>(extent)};
}

void one_thread() {
  omp_set_num_threads(1);
}

error refusal(const char* what, const std::exception& reason) {
  return {errc::internal, std::string("oneDNN failed in ") + what + ": " + reason.what()
                            + "; use the cpu backend."};
}

} // namespace troupe::kernels::onednn
