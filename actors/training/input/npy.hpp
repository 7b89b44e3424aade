// Arrays as NumPy stores them: one in a .npy file, several in the zip file that is a .npz.
//
// Versions 1 to 3 of the header; booleans, integers and floats of 4 and 8 bytes of either byte
// order; the first dimension counts the samples. Refused, with what to do: arrays in Fortran order
// of more than one dimension (a sample is no run of bytes there), structured types, complex
// numbers, text, objects, encrypted archives. What is compressed in an archive is unpacked into
// memory; the rest stays in the file. The checksums of an archive's members are checked when it is
// opened.
// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays"; PKWARE,
// "APPNOTE.TXT - .ZIP File Format Specification", 6.3 (4.3 and 4.5.3).
#pragma once

#include "actors/training/input/idx.hpp"

namespace troupe::training {

// Errors: not_found; io; corrupt: no such file, cut short, longer than it says; invalid: it is
// refused as above.
result<array> read_npy(const named_file& from);

// A dataset with one field for each file. Errors: as above, and those of join().
result<std::unique_ptr<dataset>> open_npy(std::span<const named_file> files);

// A dataset with the arrays `names` of an archive, in this order; no names: all that it has.
// Errors: as above; not_found: no array of a name; corrupt: a bad checksum; invalid: more than
// `memory_max` bytes are compressed in it.
result<std::unique_ptr<dataset>> open_npz(const std::string& path,
                                          std::span<const std::string> names,
                                          uint64_t memory_max = unpacked_max);

} // namespace troupe::training
