// The store of the benchmark bundles, as a program that makes bundles one after the other has it.
//
//   bundles_troupe STORE FILES BUNDLES   adds the directory FILES/N as a bundle for N = 0, 1 ...;
//                                        prints the seconds that it took, durable one by one
#include "storage/bundles/bundle_store.hpp"
#include "storage/bytes/chunk_writer.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/tree_add.hpp"
#include "storage/commit_queue.hpp"
#include "storage/rocksdb_store.hpp"
#include "tests/bench/good.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace troupe;
using namespace troupe::storage;
using bench::good;
using steady = std::chrono::steady_clock;

bundle bundle_of(chunk_store& bytes, const std::string& files, uint64_t number) {
  chunk_writer writing(bytes);
  auto added = good(add_tree(writing, files + "/" + std::to_string(number)));
  good(writing.commit());
  bundle out;
  auto digits = std::to_string(number);
  out.uuid = std::string(32 - digits.size(), '0').append(digits);
  out.name = std::string("bundle-").append(digits);
  out.created_ns = number + 1;
  out.content = "{}";
  out.tree = added.id.digits();
  out.processing_name = processing_name_of(out);
  return out;
}

} // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("bundles_troupe STORE FILES BUNDLES\n", stderr);
    return 2;
  }
  std::string directory = words[1];
  auto store = good(rocksdb_store::open(directory + "/store"));
  commit_queue queue(*store);
  system_clock time;
  auto facts = good(metadata::open(*store, queue, time));
  auto objects = good(directory_objects::open(directory + "/objects"));
  auto bytes = good(chunk_store::open(*objects));
  auto bundles = good(bundle_store::open(*facts, *bytes));
  good(bundles->make_context("bench", ""));
  auto begin = steady::now();
  for (uint64_t n = 0; n < std::strtoull(words[3], nullptr, 10); ++n)
    good(bundles->add("bench", bundle_of(*bytes, words[2], n), {}));
  std::printf("%.6f\n", std::chrono::duration<double>(steady::now() - begin).count());
}
