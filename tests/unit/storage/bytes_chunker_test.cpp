#include "runtime/base/random.hpp"
#include "storage/bytes/chunker.hpp"
#include "storage/hash.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace troupe::storage {
namespace {

std::string random_bytes(random_source& random, size_t size) {
  std::string out(size, '\0');
  for (auto& each : out)
    each = static_cast<char>(random.next() >> 56);
  return out;
}

std::vector<std::string_view> chunks_of(std::string_view bytes, const chunk_sizes& sizes) {
  std::vector<std::string_view> out;
  for (; !bytes.empty(); bytes.remove_prefix(out.back().size()))
    out.push_back(bytes.substr(0, first_chunk(bytes, sizes)));
  return out;
}

TEST(Chunker, CutsWhereItAlwaysDid) {
  random_source random{1};
  auto bytes = random_bytes(random, 1 << 20);
  std::vector<size_t> lengths;
  for (auto each : chunks_of(bytes, {}))
    lengths.push_back(each.size());
  EXPECT_EQ(lengths, (std::vector<size_t>{86380, 75606, 90201, 78304, 58409, 85363, 74311, 51786,
                                          62242, 69868, 47105, 106144, 72325, 42357, 48175}));
  EXPECT_EQ(chunks_of(bytes, small_chunks).size(), 452u);
}

TEST(Chunker, KeepsItsSizes) {
  random_source random{2};
  auto bytes = random_bytes(random, 16 << 20);
  for (auto& sizes : {chunk_sizes{}, small_chunks}) {
    auto chunks = chunks_of(bytes, sizes);
    for (size_t i = 0; i + 1 < chunks.size(); ++i) {
      EXPECT_GT(chunks[i].size(), sizes.least);
      EXPECT_LE(chunks[i].size(), sizes.most);
    }
    auto average = bytes.size() / chunks.size();
    EXPECT_GT(average, sizes.average * 3 / 4);
    EXPECT_LT(average, sizes.average * 3 / 2);
  }
  EXPECT_EQ(first_chunk("", {}), 0u);
  EXPECT_EQ(first_chunk("short", {}), 5u);
  EXPECT_EQ(first_chunk(std::string(1 << 20, '\0'), {}), 256u << 10);
}

// A reader that has `most` bytes of the rest cuts as one that has all.
TEST(Chunker, NeedsTheLongestChunkOnly) {
  random_source random{3};
  auto bytes = random_bytes(random, 1 << 20);
  std::string_view rest{bytes};
  while (!rest.empty()) {
    auto cut = first_chunk(rest, small_chunks);
    EXPECT_EQ(first_chunk(rest.substr(0, small_chunks.most), small_chunks), cut);
    rest.remove_prefix(cut);
  }
}

TEST(Chunker, AnEditChangesTheChunksNearIt) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    random_source random{seed};
    auto bytes = random_bytes(random, 4 << 20);
    std::set<std::string> before;
    for (auto each : chunks_of(bytes, {}))
      before.insert(sha256(each));
    bytes.insert(random.below(bytes.size()), random_bytes(random, 1 + random.below(100)));
    size_t fresh = 0;
    for (auto each : chunks_of(bytes, {}))
      fresh += before.contains(sha256(each)) ? 0 : 1;
    EXPECT_GE(fresh, 1u);
    EXPECT_LE(fresh, 4u) << "seed " << seed;
  }
}

} // namespace
} // namespace troupe::storage
