#include "tests/support/deferred_device.hpp"

#include "tests/support/allreduce_group.hpp"
#include "tests/support/wrapped_backend.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace troupe::test {
namespace {

using namespace kernels;

// Addresses that nobody may use, and what is meant by them.
class regions {
public:
  static regions& all() {
    static regions one;
    return one;
  }

  std::byte* add(size_t bytes) {
    auto size = std::max<size_t>(bytes, 1);
    auto* address = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TROUPE_ASSERT(address != MAP_FAILED);
    std::lock_guard lock(mutex_);
    auto* begin = static_cast<std::byte*>(address);
    known_.emplace(begin, std::vector<std::byte>(size));
    return begin;
  }

  void remove(std::byte* begin, size_t bytes) {
    std::lock_guard lock(mutex_);
    known_.erase(begin);
    munmap(begin, std::max<size_t>(bytes, 1));
  }

  bool has(const void* address, size_t bytes) {
    std::lock_guard lock(mutex_);
    return find(address, bytes) != nullptr;
  }

  std::byte* behind(const void* address, size_t bytes) {
    std::lock_guard lock(mutex_);
    auto* found = find(address, bytes);
    TROUPE_ASSERT(found);
    return found;
  }

private:
  std::byte* find(const void* address, size_t bytes) {
    auto* at = static_cast<std::byte*>(const_cast<void*>(address));
    auto after = known_.upper_bound(at);
    if (after == known_.begin())
      return nullptr;
    auto& [begin, content] = *std::prev(after);
    auto offset = static_cast<size_t>(at - begin);
    return offset + bytes <= content.size() ? content.data() + offset : nullptr;
  }

  std::mutex mutex_;
  std::map<std::byte*, std::vector<std::byte>> known_;
};

// What is meant by a row of the device.
mutable_view real(mutable_view there) {
  if (there.empty())
    return {};
  auto* data = regions::all().behind(there.data(), there.size_bytes());
  return {reinterpret_cast<float*>(data), there.size()};
}

view real(view there) {
  return real(mutable_view(const_cast<float*>(there.data()), there.size()));
}

class work_queue {
public:
  using work = std::function<result<void>()>;

  void give(work next) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(next));
  }

  uint64_t given() {
    std::lock_guard lock(mutex_);
    return done_ + waiting_.size();
  }

  // Does what was given, up to this one. After a failure nothing is done any more.
  result<void> run(uint64_t until) {
    std::lock_guard lock(mutex_);
    for (; done_ < until; ++done_) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      if (failed_)
        failed_ = next();
    }
    return failed_;
  }

  result<void> run_all() { return run(given()); }

private:
  std::mutex mutex_;
  std::deque<work> waiting_;
  uint64_t done_ = 0;
  result<void> failed_;
};

// What is still to be done with it is done before it goes.
class region_memory final : public memory {
public:
  region_memory(std::shared_ptr<work_queue> queue, size_t bytes)
    : queue_(std::move(queue)), begin_(regions::all().add(bytes)), bytes_(bytes) {}
  ~region_memory() override {
    static_cast<void>(queue_->run_all());
    regions::all().remove(begin_, bytes_);
  }
  region_memory(const region_memory&) = delete;
  region_memory& operator=(const region_memory&) = delete;

  std::span<std::byte> bytes() override { return {begin_, bytes_}; }

private:
  std::shared_ptr<work_queue> queue_;
  std::byte* begin_;
  size_t bytes_;
};

class queue_mark final : public work_mark {
public:
  queue_mark(std::shared_ptr<work_queue> queue, uint64_t until)
    : queue_(std::move(queue)), until_(until) {}
  result<void> wait() override { return queue_->run(until_); }

private:
  std::shared_ptr<work_queue> queue_;
  uint64_t until_;
};

class deferred_device final : public device {
public:
  bool is_processor() const override { return false; }
  work_queue& queue() { return *queue_; }

  result<std::unique_ptr<memory>> allocate(size_t bytes) override {
    return std::unique_ptr<memory>(std::make_unique<region_memory>(queue_, bytes));
  }

  result<void> put(void* there, const void* here, size_t bytes) override {
    if (bytes == 0)
      return {};
    TROUPE_ASSERT(!regions::all().has(here, bytes));
    auto* begin = static_cast<const std::byte*>(here);
    queue_->give([there, copy = std::vector(begin, begin + bytes)]() -> result<void> {
      memcpy(regions::all().behind(there, copy.size()), copy.data(), copy.size());
      return {};
    });
    return {};
  }

  result<void> get(void* here, const void* there, size_t bytes) override {
    TROUPE_TRY(queue_->run_all());
    if (bytes > 0)
      memcpy(here, regions::all().behind(there, bytes), bytes);
    return {};
  }

  result<void> add(view x, mutable_view y) override {
    queue_->give([=] { return processor().add(real(x), real(y)); });
    return {};
  }

  result<double> sum_of_squares(view x) override {
    TROUPE_TRY(queue_->run_all());
    return processor().sum_of_squares(real(x));
  }

  result<std::unique_ptr<work_mark>> mark() override {
    return std::unique_ptr<work_mark>(std::make_unique<queue_mark>(queue_, queue_->given()));
  }

  result<void> synchronise() override { return queue_->run_all(); }

  result<std::unique_ptr<device>> beside() override { return make_deferred_device(); }

private:
  std::shared_ptr<work_queue> queue_ = std::make_shared<work_queue>();
};

class deferred_op final : public op {
public:
  deferred_op(work_queue& queue, std::unique_ptr<op> made)
    : op({made->input_shape(), made->output_shape(), made->parameters()}), queue_(queue),
      made_(std::move(made)) {}
  ~deferred_op() override { static_cast<void>(queue_.run_all()); }

  mutable_view statistics() override {
    TROUPE_ASSERT(queue_.run_all());
    return made_->statistics();
  }

private:
  result<void> run_forward(const pass& in, view input, view parameters,
                           mutable_view output) override {
    queue_.give(
      [=, this] { return made_->forward(in, real(input), real(parameters), real(output)); });
    return {};
  }

  result<void> run_backward(view input, view parameters, view output_gradient,
                            mutable_view input_gradient, mutable_view parameter_gradient) override {
    queue_.give([=, this] {
      return made_->backward(real(input), real(parameters), real(output_gradient),
                             real(input_gradient), real(parameter_gradient));
    });
    return {};
  }

  work_queue& queue_;
  std::unique_ptr<op> made_;
};

class deferred_loss final : public loss {
public:
  deferred_loss(work_queue& queue, std::unique_ptr<loss> made)
    : loss({made->output_shape(), made->target_shape()}), queue_(queue), made_(std::move(made)) {}

private:
  void clear(mutable_view) override {} // the one inside does

  result<float> run_valid(view outputs, view targets, float scale, mutable_view gradient) override {
    TROUPE_TRY(queue_.run_all());
    auto whole = elements(output_shape());
    return made_->run(real(view(outputs.data(), whole)),
                      real(view(targets.data(), elements(target_shape()))), outputs.size() / row(),
                      scale, real(mutable_view(gradient.data(), whole)));
  }

  work_queue& queue_;
  std::unique_ptr<loss> made_;
};

class deferred_backend final : public wrapped_backend {
public:
  deferred_backend(const backend& by, deferred_device& where)
    : wrapped_backend(by, where), queue_(where.queue()) {}

  void update(const optimiser_options& options, const optimiser_step& step, view gradients,
              mutable_view first_state, mutable_view second_state,
              mutable_view parameters) const override {
    queue_.give([=, this]() -> result<void> {
      inner().update(options, step, real(gradients), real(first_state), real(second_state),
                     real(parameters));
      return {};
    });
  }

private:
  std::unique_ptr<op> wrap(std::unique_ptr<op> made) const override {
    return std::make_unique<deferred_op>(queue_, std::move(made));
  }
  std::unique_ptr<loss> wrap(std::unique_ptr<loss> made) const override {
    return std::make_unique<deferred_loss>(queue_, std::move(made));
  }

  work_queue& queue_;
};

class deferred_group final : public allreduce_group {
public:
  deferred_group(collective::group& over, device& where) : over_(over), device_(where) {}

  uint32_t rank() const override { return over_.rank(); }
  uint32_t size() const override { return over_.size(); }

  result<void> allreduce(collective::input in, collective::output out,
                         collective::reduction how) override {
    auto& all = regions::all();
    if (!all.has(in.data, in.bytes()) || !all.has(out.data, out.bytes()))
      return {errc::invalid, "These rows are not of the device."};
    return over_.allreduce({in.type, all.behind(in.data, in.bytes()), in.count},
                           {out.type, all.behind(out.data, out.bytes()), out.count}, how);
  }

  result<std::unique_ptr<memory>> allocate(size_t bytes) override {
    return device_.allocate(bytes);
  }

private:
  collective::group& over_;
  device& device_;
};

} // namespace

std::unique_ptr<device> make_deferred_device() {
  return std::make_unique<deferred_device>();
}

std::unique_ptr<backend> make_deferred_backend(const backend& by, device& where) {
  return std::make_unique<deferred_backend>(by, dynamic_cast<deferred_device&>(where));
}

std::unique_ptr<collective::group> make_deferred_group(collective::group& over, device& where) {
  return std::make_unique<deferred_group>(over, where);
}

} // namespace troupe::test
