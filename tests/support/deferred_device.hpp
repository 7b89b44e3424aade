// A device without a GPU: what trains on one is tested with it on any machine.
//
// The processor does its work, and no work before somebody waits for it. Who reaches for its memory
// by himself ends with SIGSEGV; what is to lie there and does not asserts.
#pragma once

#include "kernels/collective/collective.hpp"
#include "kernels/op.hpp"

namespace troupe::test {

std::unique_ptr<kernels::device> make_deferred_device();

// The operators of `by`, which compute when they are waited for. Not to be used after either.
std::unique_ptr<kernels::backend> make_deferred_backend(const kernels::backend& by,
                                                        kernels::device& where);

// Allreduces of rows of a deferred device, as join_nccl() makes them of a GPU's; what is not theirs
// is refused. `over` outlives it.
std::unique_ptr<collective::group> make_deferred_group(collective::group& over,
                                                       kernels::device& where);

} // namespace troupe::test
