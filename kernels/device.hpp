// Where the arrays of a backend lie, and what is done with them beside operators.
//
// The memory of a device is addressed as any other, but only the device reaches it: a program that
// reads or writes such an address by itself ends. A device does what it is given in that order,
// some time later; the processor, which is a device too, does it at once. Sizes that do not fit are
// a bug and assert.
// Threads: a device and what it makes are used by one at a time, but for marks.
#pragma once

#include "runtime/base/memory.hpp"

#include <span>

namespace troupe::kernels {

using view = std::span<const float>;
using mutable_view = std::span<float>;

// A point in the work of a device.
class work_mark {
public:
  virtual ~work_mark() = default;

  // Returns when all that was given before it has been done. Threads: any. Errors: internal, what
  // the work failed with.
  virtual result<void> wait() = 0;
};

// Errors of all: internal, what the device failed with; it is then of no more use to this process.
class device {
public:
  virtual ~device() = default;

  // Whether its memory is that of this process, and all work has been done when it has been given.
  virtual bool is_processor() const = 0;

  // Zeroed. Errors: unavailable, when the device has no room.
  virtual result<std::unique_ptr<memory>> allocate(size_t bytes) = 0;

  // Memory of the device becomes that of the process. Returns when `here` may be changed.
  virtual result<void> put(void* there, const void* here, size_t bytes) = 0;

  // The other way. Returns when the bytes are here.
  virtual result<void> get(void* here, const void* there, size_t bytes) = 0;

  // y += x, of one size.
  virtual result<void> add(view x, mutable_view y) = 0;

  // In f64; not finite when an element is not. Returns when it is known.
  virtual result<double> sum_of_squares(view x) = 0;

  virtual result<std::unique_ptr<work_mark>> mark() = 0;

  // Returns when all work has been done.
  virtual result<void> synchronise() = 0;

  // The same device for another thread: it reaches the same memory, and has an order of work of its
  // own. Not to be used after this one.
  virtual result<std::unique_ptr<device>> beside() = 0;

  // As put() and get(), of a whole row.
  result<void> put(mutable_view there, view here);
  result<void> get(mutable_view here, view there);
};

// The processor, and the memory of this process; used by any number of threads.
device& processor();

} // namespace troupe::kernels
