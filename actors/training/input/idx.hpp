// Arrays in the IDX format of MNIST and its successors, compressed with gzip or not.
//
// All element types and up to 255 dimensions, the first of which counts the samples. What gzip has
// compressed is unpacked into memory; the rest stays in the file.
// Source: the format's description in LeCun, Cortes, Burges, "The MNIST database of handwritten
// digits".
#pragma once

#include "actors/training/input/array.hpp"

namespace troupe::training {

struct named_file {
  std::string name; // of the field
  std::string path;
};

// Errors: not_found; io; corrupt: no IDX, cut short, longer than it says, a bad gzip checksum;
// invalid: more than `memory_max` bytes come out of gzip.
result<array> read_idx(const named_file& from, uint64_t memory_max = unpacked_max);

// A dataset with one field for each file, such as "image" and "label". Errors: as above and those
// of join().
result<std::unique_ptr<dataset>> open_idx(std::span<const named_file> files);

} // namespace troupe::training
