#include "runtime/trace.hpp"

#include <unistd.h>

#include <atomic>

namespace troupe::trace {

namespace {

thread_local uint64_t id_of_thread = 0;

// Unique on a host as long as process ids are: the process in the upper half, a count in the lower.
uint64_t fresh() {
  static std::atomic<uint32_t> count = 0;
  return (static_cast<uint64_t>(::getpid()) << 32) | (++count);
}

} // namespace

uint64_t current() {
  return id_of_thread;
}

uint64_t current_or_new() {
  return id_of_thread != 0 ? id_of_thread : fresh();
}

scope::scope(uint64_t id) : before_(id_of_thread) {
  id_of_thread = id;
}

scope::~scope() {
  id_of_thread = before_;
}

} // namespace troupe::trace
