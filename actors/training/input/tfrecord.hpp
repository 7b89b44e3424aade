// TFRecord files of tf.train.Example records: lengths and data, each with a checksum.
//
// Opening a file reads the lengths and makes an index of 16 bytes for each record; the data stays
// in the file. A record's checksum is checked whenever it is read. Files that are compressed as a
// whole are refused. Limits: 64 features, and records of 256 MiB.
// Source: TensorFlow, tensorflow/core/lib/io/record_writer.h.
#pragma once

#include "actors/training/input/dataset.hpp"

namespace troupe::training {

// The records of the files, one file after the other, with the features that are named: `features`
// become the fields. A type of f32 or i64 takes a list of such numbers, or bytes; any other takes
// bytes. Errors: not_found; io; corrupt: cut short, a bad checksum of a length; invalid: features
// that make no sense, no record at all, or too many.
result<std::unique_ptr<dataset>> open_tfrecord(std::span<const std::string> paths,
                                               std::vector<field> features);

} // namespace troupe::training
