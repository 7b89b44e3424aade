// Where content is cut into chunks, so that an edit changes the chunks near it only: FastCDC with
// a gear hash, skipping of short chunks and normalised sizes (Xia et al., "FastCDC: a Fast and
// Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC 2016, section 4).
// formats.md has the rule; it never changes, since equal chunks are stored once.
// Threads: a plain function.
#pragma once

#include <cstddef>
#include <string_view>

namespace troupe::storage {

// Bytes: 64 <= least <= average <= most. Only the last chunk of a content is shorter than `least`.
struct chunk_sizes {
  size_t least = 16u << 10;
  size_t average = 64u << 10;
  size_t most = 256u << 10;
};

// Of a list that is edited here and there, such as the manifest of a tree.
inline constexpr chunk_sizes small_chunks{512, 2048, 8192};

// The length of the first chunk of `rest`, which is what is left of a content, or `sizes.most`
// bytes of it or more. 0 where `rest` is empty.
size_t first_chunk(std::string_view rest, const chunk_sizes& sizes);

} // namespace troupe::storage
