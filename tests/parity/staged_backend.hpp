// The backend of a GPU for arrays in this process: copied there before each call, and back after
// it.
#pragma once

#include "kernels/cuda/plugin.hpp"

namespace troupe::kernels {

// Of the first GPU. Errors: those of the plug-in.
result<std::unique_ptr<backend>> make_staged_backend(precision products);

} // namespace troupe::kernels
