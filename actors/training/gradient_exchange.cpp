#include "actors/training/gradient_exchange.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

constexpr size_t first_bucket = (size_t{256} << 10) / sizeof(float);
constexpr size_t bucket = (size_t{1} << 20) / sizeof(float);

std::vector<size_t> begins_of(size_t elements) {
  std::vector<size_t> out;
  for (auto end = elements; end > 0; end = out.back())
    out.push_back(end - std::min(end, out.empty() ? first_bucket : bucket));
  return out;
}

} // namespace

result<std::unique_ptr<gradient_exchange>> gradient_exchange::make(collective::group* gang,
                                                                   size_t elements) {
  auto bytes = elements * sizeof(float);
  auto memory = gang ? gang->allocate(bytes) : collective::make_memory(bytes);
  if (!memory)
    return memory.error();
  return std::unique_ptr<gradient_exchange>(
    new gradient_exchange(gang, *std::move(memory), elements));
}

gradient_exchange::gradient_exchange(collective::group* gang,
                                     std::unique_ptr<collective::memory> memory, size_t elements)
  : gang_(gang), memory_(std::move(memory)), elements_(elements), ready_from_(elements) {
  if (!gang_)
    return;
  begins_ = begins_of(elements);
  if (begins_.size() > 1)
    thread_ = std::thread([this] { run(); });
}

gradient_exchange::~gradient_exchange() {
  if (!thread_.joinable())
    return;
  {
    std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void gradient_exchange::ready(size_t from) {
  {
    std::lock_guard lock(mutex_);
    TROUPE_ASSERT(from <= ready_from_);
    ready_from_ = from;
    if (!is_next_ready())
      return;
  }
  changed_.notify_all();
}

result<void> gradient_exchange::finish() {
  std::unique_lock lock(mutex_);
  ready_from_ = 0;
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
  next_ = 0;
  return std::exchange(done_, {});
}

bool gradient_exchange::is_next_ready() const {
  return next_ < begins_.size() && ready_from_ <= begins_[next_];
}

void gradient_exchange::reduce_next(std::unique_lock<std::mutex>& lock) {
  auto end = next_ == 0 ? elements_ : begins_[next_ - 1];
  auto part = row().subspan(begins_[next_], end - begins_[next_]);
  reduces_ = true;
  lock.unlock();
  auto reduced = gang_->allreduce(part, collective::reduction::sum);
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
