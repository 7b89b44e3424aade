// The same operators on oneDNN 2.x, whose primitives are compiled for this CPU when an op is made.
// Each call runs on one thread: a gang has a rank for every core.
#pragma once

#include "kernels/op.hpp"

namespace troupe::kernels::onednn {

// Errors: internal, when oneDNN finds no engine.
result<std::unique_ptr<backend>> make_backend(precision products = precision::f32);

} // namespace troupe::kernels::onednn
