#include "kernels/device.hpp"

#include <cstring>

namespace troupe::kernels {

namespace {

// All has been done when it is given.
class passed final : public work_mark {
  result<void> wait() override { return {}; }
};

class processor_device final : public device {
public:
  bool is_processor() const override { return true; }

  result<std::unique_ptr<memory>> allocate(size_t bytes) override { return make_memory(bytes); }

  result<void> put(void* there, const void* here, size_t bytes) override {
    if (bytes > 0)
      memcpy(there, here, bytes);
    return {};
  }

  result<void> get(void* here, const void* there, size_t bytes) override {
    return put(here, there, bytes);
  }

  result<void> add(view x, mutable_view y) override {
    TROUPE_ASSERT(x.size() == y.size());
    for (size_t i = 0; i < x.size(); ++i)
      y[i] += x[i];
    return {};
  }

  result<double> sum_of_squares(view x) override {
    double sum = 0;
    for (auto each : x)
      sum += double{each} * each;
    return sum;
  }

  result<std::unique_ptr<work_mark>> mark() override {
    return std::unique_ptr<work_mark>(std::make_unique<passed>());
  }

  result<void> synchronise() override { return {}; }

  result<std::unique_ptr<device>> beside() override {
    return std::unique_ptr<device>(std::make_unique<processor_device>());
  }
};

} // namespace

result<void> device::put(mutable_view there, view here) {
  TROUPE_ASSERT(there.size() == here.size());
  return put(static_cast<void*>(there.data()), here.data(), here.size_bytes());
}

result<void> device::get(mutable_view here, view there) {
  TROUPE_ASSERT(there.size() == here.size());
  return get(static_cast<void*>(here.data()), there.data(), there.size_bytes());
}

device& processor() {
  static processor_device all;
  return all;
}

} // namespace troupe::kernels
