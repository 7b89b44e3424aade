#include "actors/training/gradient_exchange.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

// In elements. Between devices an operation costs more by itself, and a byte less.
struct bucket_sizes {
  size_t first;
  size_t others;
};
constexpr bucket_sizes of_processors{size_t{64} << 10, size_t{256} << 10};
constexpr bucket_sizes of_devices{size_t{256} << 10, size_t{4} << 20};

std::vector<size_t> begins_of(size_t elements, const bucket_sizes& sizes) {
  std::vector<size_t> out;
  for (auto end = elements; end > 0; end = out.back())
    out.push_back(end - std::min(end, out.empty() ? sizes.first : sizes.others));
  return out;
}

} // namespace

result<std::unique_ptr<gradient_exchange>>
gradient_exchange::make(const gang_groups& gang, kernels::device& device, size_t elements) {
  std::unique_ptr<gradient_exchange> made(new gradient_exchange(device, elements));
  TROUPE_TRY(made->open(gang));
  return made;
}

result<void> gradient_exchange::open(const gang_groups& gang) {
  auto stages = gang.ranks && !gang.devices && !device_.is_processor();
  gang_ = gang.devices ? gang.devices : gang.ranks;
  auto bytes = elements_ * sizeof(float);
  auto row = gang_ && !stages ? gang_->allocate(bytes) : device_.allocate(bytes);
  if (!row)
    return row.error();
  row_ = *std::move(row);
  if (stages) {
    auto staged = gang_->allocate(bytes);
    if (!staged)
      return staged.error();
    staged_ = *std::move(staged);
    auto beside = device_.beside();
    if (!beside)
      return beside.error();
    beside_ = *std::move(beside);
  }
  if (!gang_)
    return {};
  begins_ = begins_of(elements_, gang.devices ? of_devices : of_processors);
  written_.reserve(begins_.size());
  if (begins_.size() > 1)
    thread_ = std::thread([this] { run(); });
  return {};
}

gradient_exchange::~gradient_exchange() {
  if (thread_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  // What the device was given may still use the row.
  static_cast<void>(device_.synchronise());
}

result<void> gradient_exchange::ready(size_t from) {
  TROUPE_TRY(mark_written(from));
  {
    std::lock_guard lock(mutex_);
    TROUPE_ASSERT(from <= ready_from_);
    ready_from_ = from;
    if (!is_next_ready())
      return {};
  }
  changed_.notify_all();
  return {};
}

result<void> gradient_exchange::mark_written(size_t from) {
  if (device_.is_processor())
    return {};
  std::lock_guard lock(mutex_);
  std::shared_ptr<kernels::work_mark> mark;
  while (written_.size() < begins_.size() && begins_[written_.size()] >= from) {
    if (!mark) {
      auto made = device_.mark();
      if (!made)
        return made.error();
      mark = *std::move(made);
    }
    written_.push_back(mark);
  }
  return {};
}

result<void> gradient_exchange::finish() {
  auto marked = mark_written(0);
  std::unique_lock lock(mutex_);
  if (marked)
    ready_from_ = 0;
  else if (done_)
    done_ = marked;
  // The other thread ends its bucket; what is left then is for this one.
  while (next_ < begins_.size() && done_) {
    if (reduces_)
      changed_.wait(lock);
    else
      reduce_next(lock);
  }
  return end_step(lock);
}

void gradient_exchange::abandon() {
  std::unique_lock lock(mutex_);
  ready_from_ = elements_; // no other bucket begins
  static_cast<void>(end_step(lock));
}

result<void> gradient_exchange::end_step(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [this] { return !reduces_; });
  ready_from_ = elements_;
  written_.clear();
  next_ = 0;
  // Copies of this step must not come in the next one.
  auto copied = beside_ ? beside_->synchronise() : result<void>{};
  auto done = std::exchange(done_, {});
  return done ? copied : done;
}

bool gradient_exchange::is_next_ready() const {
  return next_ < begins_.size() && ready_from_ <= begins_[next_];
}

std::span<float> gradient_exchange::bucket_of(memory& all, size_t index) const {
  auto end = index == 0 ? elements_ : begins_[index - 1];
  return all.row<float>().subspan(begins_[index], end - begins_[index]);
}

result<void> gradient_exchange::reduce(size_t index, kernels::work_mark* written) {
  if (written)
    TROUPE_TRY(written->wait());
  auto part = bucket_of(*row_, index);
  if (!staged_)
    return gang_->allreduce(part, collective::reduction::sum);
  auto here = bucket_of(*staged_, index);
  TROUPE_TRY(beside_->get(here, part));
  TROUPE_TRY(gang_->allreduce(here, collective::reduction::sum));
  return beside_->put(part, here);
}

void gradient_exchange::reduce_next(std::unique_lock<std::mutex>& lock) {
  auto index = next_;
  auto written = index < written_.size() ? written_[index] : nullptr;
  reduces_ = true;
  lock.unlock();
  auto reduced = reduce(index, written.get());
  lock.lock();
  reduces_ = false;
  ++next_;
  done_ = std::move(reduced);
  changed_.notify_all();
}

void gradient_exchange::run() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    if (done_ && !reduces_ && is_next_ready())
      reduce_next(lock);
    else
      changed_.wait(lock);
  }
}

} // namespace troupe::training
