#include "kernels/collective/shm/registered.hpp"

#include "runtime/base/assert.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace troupe::collective::shm {

// The views of one memory of each rank.
class mapping {
public:
  mapping(uint64_t number, uint32_t rank, uint32_t ranks, size_t bytes)
    : number_(number), rank_(rank), bytes_(bytes), views_(ranks) {}
  ~mapping() {
    for (auto* each : views_)
      if (each)
        munmap(each, bytes_);
  }
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;

  bool map(uint32_t rank, int file) {
    auto* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base != MAP_FAILED)
      views_[rank] = static_cast<std::byte*>(base);
    return base != MAP_FAILED;
  }

  uint64_t number() const { return number_; }
  size_t bytes() const { return bytes_; }
  std::byte* own() const { return views_[rank_]; }
  std::byte* of(uint32_t rank) const { return views_[rank]; }

private:
  uint64_t number_;
  uint32_t rank_;
  size_t bytes_;
  std::vector<std::byte*> views_;
};

namespace {

constexpr int offset_bits = 48;

class shared_memory final : public memory {
public:
  shared_memory(std::shared_ptr<mapping> views, size_t bytes)
    : views_(std::move(views)), bytes_(bytes) {}

  std::span<std::byte> bytes() override { return {views_->own(), bytes_}; }

private:
  std::shared_ptr<mapping> views_;
  size_t bytes_;
};

// The pages are there when it returns: a lack of memory is told here, and is no signal later.
owned_fd make_file(size_t bytes) {
  owned_fd made(memfd_create("troupe collective", MFD_CLOEXEC));
  if (made && posix_fallocate(made.get(), 0, static_cast<off_t>(bytes)) != 0)
    made = owned_fd{};
  return made;
}

owned_fd open_file_of(const slot& other) {
  if (other.process.pid_space != this_process().pid_space || other.shared_file < 0)
    return {};
  auto path = "/proc/" + std::to_string(other.process.pid) + "/fd/"
              + std::to_string(other.shared_file.load());
  return owned_fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
}

} // namespace

registry::registry(region& meets, uint32_t rank, uint32_t ranks)
  : meets_(meets), rank_(rank), ranks_(ranks) {}

registry::~registry() = default;

result<std::unique_ptr<memory>> registry::allocate(size_t bytes, time_point until) {
  auto made = std::make_shared<mapping>(++made_, rank_, ranks_, std::max<size_t>(bytes, 1));
  auto file = make_file(made->bytes());
  auto& own = meets_.slot_of(rank_);
  own.shared_file = file ? file.get() : -1;
  TROUPE_TRY(meets_.meet(until));
  auto whole = true;
  for (uint32_t r = 0; whole && r < ranks_; ++r) {
    auto theirs = r == rank_ ? owned_fd{} : open_file_of(meets_.slot_of(r));
    whole = r == rank_ ? file && made->map(r, file.get()) : theirs && made->map(r, theirs.get());
  }
  own.shares = whole;
  TROUPE_TRY(meets_.meet(until));
  for (uint32_t r = 0; r < ranks_; ++r)
    whole = whole && meets_.slot_of(r).shares;
  // All have read what the next call overwrites.
  TROUPE_TRY(meets_.meet(until));
  if (!whole)
    return std::unique_ptr<memory>{};
  std::erase_if(all_, [](auto& each) { return each.expired(); });
  all_.push_back(made);
  return std::unique_ptr<memory>(std::make_unique<shared_memory>(made, bytes));
}

mapping* registry::holding(const input& row) {
  for (auto& each : all_)
    if (auto views = each.lock())
      if (row.data >= views->own() && row.data + row.bytes() <= views->own() + views->bytes())
        return views.get();
  return nullptr;
}

uint64_t registry::place_of(const input& row) {
  auto* views = holding(row);
  return views ? views->number() << offset_bits | static_cast<uint64_t>(row.data - views->own())
               : 0;
}

std::byte* registry::row_of(uint32_t rank, const input& row) {
  auto* views = holding(row);
  TROUPE_ASSERT(views);
  return views->of(rank) + (row.data - views->own());
}

} // namespace troupe::collective::shm
