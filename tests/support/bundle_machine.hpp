// A machine with bundles of its own, for tests.
#pragma once

#include "storage/bundles/bundle_store.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/tree_add.hpp"
#include "storage/bytes/tree_checkout.hpp"
#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace troupe::storage::testing {

template <class T>
T good(result<T> x) {
  EXPECT_TRUE(x) << x.error().text;
  return x ? std::move(*x) : T();
}

inline std::string uuid(uint64_t n) {
  auto digits = std::to_string(n);
  return std::string(32 - digits.size(), '0').append(digits);
}

struct machine {
  explicit machine(const std::string& directory) : path(directory) {
    std::filesystem::create_directories(path);
    objects = std::move(*directory_objects::open(path + "/chunks"));
    chunks = std::move(*chunk_store::open(*objects));
    facts = std::move(*metadata::open(disk, writer, time));
    bundles = std::move(*bundle_store::open(*facts, *chunks));
  }

  // A bundle with one file.
  bundle with_file(uint64_t n, const std::string& name, const std::string& text) {
    auto file = path + "/file-" + std::to_string(n);
    std::ofstream(file) << text;
    chunk_writer writing(*chunks);
    auto added = add_tree(writing, file);
    EXPECT_TRUE(added);
    EXPECT_TRUE(writing.commit());
    bundle x;
    x.uuid = uuid(n);
    x.name = name;
    x.created_ns = 1000 + n;
    x.content = "{}";
    x.tree = added->id.digits();
    x.processing_name = processing_name_of(x);
    return x;
  }

  kept_bundle add(const bundle& x, const text_map& tags = {}) {
    auto added = bundles->add("lab", x, tags);
    EXPECT_TRUE(added) << added.error().text;
    return added ? *added : kept_bundle();
  }

  // What its file says.
  std::string text_of(const bundle& x) {
    auto to = path + "/out-" + x.uuid;
    std::filesystem::remove_all(to);
    auto done = checkout(*chunks, *tree_id::parse(x.tree), to);
    if (!done)
      return std::string(name_of(done.error().code));
    std::ifstream in(to + "/file");
    if (!in) // the one file of a tree of a file
      for (const auto& each : std::filesystem::recursive_directory_iterator(to))
        if (each.is_regular_file())
          in.open(each.path());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string path;
  std::unique_ptr<directory_objects> objects;
  std::unique_ptr<chunk_store> chunks;
  memory_store disk;
  commit_inline writer{disk};
  system_clock time;
  std::unique_ptr<metadata> facts;
  std::unique_ptr<bundle_store> bundles;
};

} // namespace troupe::storage::testing
