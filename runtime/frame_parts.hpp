// Whether the parts of a frame lie side by side, as every builder writes them.
//
// FlatBuffers lets any number of offsets lead to one and the same table, vector or string, and its
// verifier follows each of them. So a frame of a megabyte may take minutes to verify and unpack to
// many gigabytes. Here the parts are counted as often as they are led to; where that is more than
// the frame has, it is refused. What passes unpacks to memory in proportion to its size; frames of
// up to 256 bytes are not looked at, as none of them can unpack to more than 32 KiB.
#pragma once

#include "runtime/protocol/messages.hpp"

#include <cstddef>
#include <span>

namespace troupe {

// Bytes of any content; `root` is the type of the outermost table. True promises no more than the
// above: the verifier comes after it. Takes time in proportion to the size.
bool parts_lie_apart(std::span<const std::byte> frame, const flatbuffers::TypeTable& root);

} // namespace troupe
