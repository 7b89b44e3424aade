// Frames with random contents, of every kind, made from the schema's own description of itself.
#pragma once

#include "runtime/protocol/messages.hpp"
#include "tests/fuzz/mutation.hpp"

namespace troupe::testing {

struct frame_options {
  size_t longest = 200; // of a text
  bool shared = false;  // the elements of a vector are one and the same, and there are many
  bool whole = true;    // nested tables are always there, else mostly
};

// An envelope around a message of this kind, as a valid peer may send it unless `shared` is set.
byte_vector random_frame(payload kind, random_source& random, frame_options options = {});

// A buffer whose root is a table of this type.
byte_vector random_table(const flatbuffers::TypeTable& type, random_source& random,
                         frame_options options = {});

} // namespace troupe::testing
