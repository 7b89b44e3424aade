// One record of a TFRecord file as the protocol buffer tf.train.Example, of which only the features
// that are wanted are read.
//
// A feature holds floats, 64-bit integers or one string of bytes. Bytes are taken as the elements
// of the field's type, lowest byte first, one behind the other, as tf.io.decode_raw does. Source:
// TensorFlow, tensorflow/core/example/{example,feature}.proto; "Protocol Buffers Encoding".
#pragma once

#include "actors/training/input/dataset.hpp"

namespace troupe::training {

// As many features are read at most.
inline constexpr size_t features_max = 64;

// Puts the features with the names of `fields` into `into`, which is as for dataset::read. Of a
// feature that comes twice the last counts. Errors: corrupt: no such buffer, a feature is missing,
// of another kind, or has another number of values; the text lacks its beginning, the name of the
// record.
result<void> read_example(std::span<const std::byte> record, std::span<const field> fields,
                          std::span<const std::span<float>> into);

} // namespace troupe::training
