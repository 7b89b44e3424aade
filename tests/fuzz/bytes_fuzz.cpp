// Packs, index objects, condemned records, manifests, trees and stat caches that are damaged, or
// that somebody made up: what another store or a disk gives us to read.
#include "storage/bytes/chunk_pack.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/manifest.hpp"
#include "storage/bytes/stat_cache.hpp"
#include "storage/bytes/tree_checkout.hpp"
#include "storage/hash.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace troupe::testing {
namespace {

using storage::content_id;

std::string damaged(const std::string& text, random_source& random) {
  byte_vector bytes{text.begin(), text.end()};
  mutate(bytes, byte_vector(bytes), random);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

content_id id_of(std::string_view bytes) {
  return {storage::sha256_hasher{}.of(bytes)};
}

storage::built_pack any_pack(random_source& random) {
  storage::pack_builder builder;
  storage::compressor squeezer{1};
  for (auto n = 1 + random.below(4); n > 0; --n) {
    auto bytes = random.chance(0.5) ? std::string(1 + random.below(2000), 'x')
                                    : hostile_text(random, 1000) + "x";
    auto body = squeezer.shorter(bytes);
    builder.add(storage::entry_of(id_of(bytes), bytes.size(), body), body);
  }
  return builder.take([](auto&) { return false; });
}

std::vector<storage::tree_item> any_items(random_source& random) {
  std::vector<storage::tree_item> out;
  for (auto n = random.below(6); n > 0; --n) {
    storage::tree_item item;
    item.path = random.chance(0.9) ? std::string(1, static_cast<char>('h' - n)) + "/x"
                                   : hostile_text(random, 50);
    constexpr std::string_view kinds = "ffxld?";
    item.kind = static_cast<storage::item_kind>(kinds[random.below(random.chance(0.9) ? 5 : 6)]);
    if (item.is_file()) {
      item.size = random.chance(0.9) ? random.below(9) : hostile_number(random);
      item.hash = id_of(random.chance(0.5) ? "x" : "y");
      item.chunks.resize(random.chance(0.7) ? 0 : random.below(4), item.hash);
    } else if (item.kind == storage::item_kind::link) {
      item.target = random.chance(0.8) ? "x" : random.chance(0.5) ? "../.." : "/etc";
    }
    out.push_back(std::move(item));
  }
  return out;
}

TEST(FuzzBytes, ADamagedPackIsRefused) {
  fuzz("ADamagedPackIsRefused", 3000, [](random_source& random) {
    auto pack = any_pack(random);
    auto& name = pack.section.name;
    auto whole = storage::read_pack(name, pack.bytes);
    ASSERT_TRUE(whole) << whole.error().text;
    EXPECT_EQ(*whole, pack.section.entries);
    auto bad = damaged(pack.bytes, random);
    auto before = allocated();
    auto read = storage::read_pack(name, bad);
    EXPECT_EQ(static_cast<bool>(read), bad == pack.bytes);
    // A chunk is at most 4 MiB, whatever its entry says.
    EXPECT_LE(allocated() - before, 64 * bad.size() + storage::chunk_size_max + (1 << 20));
  });
}

TEST(FuzzBytes, DamagedIndexesAreRefusedOrSound) {
  fuzz("DamagedIndexesAreRefusedOrSound", 5000, [](random_source& random) {
    std::vector<storage::pack_section> sections;
    for (auto n = 1 + random.below(3); n > 0; --n)
      sections.push_back(any_pack(random).section);
    auto good = storage::encode_index(sections);
    EXPECT_EQ(*storage::decode_index(storage::sha256(good), good), sections);
    auto bad = damaged(good, random);
    EXPECT_EQ(static_cast<bool>(storage::decode_index(storage::sha256(good), bad)), bad == good);
    // The name is right, what is in it is not.
    auto before = allocated();
    if (auto read = storage::decode_index(storage::sha256(bad), bad)) {
      EXPECT_EQ(storage::encode_index(*read), bad);
    }
    EXPECT_LE(allocated() - before, 8 * bad.size() + 8192);
    auto record = storage::encode_condemned({7, sections});
    bad = damaged(record, random);
    if (auto read = storage::decode_condemned(storage::sha256(bad), bad)) {
      EXPECT_EQ(storage::encode_condemned(*read), bad);
    }
    EXPECT_FALSE(storage::decode_condemned(storage::sha256(good), good));
  });
}

TEST(FuzzBytes, DamagedManifestsAreRefusedOrSound) {
  fuzz("DamagedManifestsAreRefusedOrSound", 10'000, [](random_source& random) {
    auto bytes = storage::encode_manifest(any_items(random));
    if (random.chance(0.7))
      bytes = damaged(bytes, random);
    auto before = allocated();
    auto items = storage::decode_manifest(bytes);
    // Following a circle of links asks for memory at each step, and gives it back.
    EXPECT_LE(allocated() - before, 2000 * bytes.size() + (64 << 10));
    if (!items) {
      EXPECT_EQ(items.error().text.find('\n'), std::string::npos) << items.error().text;
      return;
    }
    EXPECT_EQ(storage::encode_manifest(*items), bytes);
    for (auto& each : *items)
      EXPECT_TRUE(storage::check_tree_path(each.path));
    EXPECT_TRUE(storage::check_tree_links(*items));
  });
}

// A tree that somebody made up, in a store whose hashes are right.
TEST(FuzzBytes, MadeUpTreesStayInTheirDirectory) {
  scratch_directory scratch;
  auto objects = *storage::directory_objects::open(scratch.path + "/objects");
  auto store = *storage::chunk_store::open(*objects);
  fuzz("MadeUpTreesStayInTheirDirectory", 100, [&](random_source& random) {
    storage::chunk_writer writer{*store};
    ASSERT_TRUE(writer.put("x") && writer.put("y"));
    auto id = storage::put_tree(writer, any_items(random));
    ASSERT_TRUE(id && writer.commit());
    auto root = *store->get(*id);
    if (random.chance(0.5)) {
      auto bad = writer.put(damaged(root, random) + "x");
      ASSERT_TRUE(bad && writer.commit());
      id = bad;
    }
    std::filesystem::remove_all(scratch.path + "/out");
    (void)storage::checkout(*store, *id, scratch.path + "/out", {.threads = 1, .durable = false});
    for (auto& each : std::filesystem::directory_iterator{scratch.path}) {
      auto name = each.path().filename().string();
      EXPECT_TRUE(name == "objects" || name == "out") << name;
    }
  });
}

TEST(FuzzBytes, ADamagedStatCacheIsEmpty) {
  scratch_directory scratch;
  auto path = scratch.path + "/cache";
  storage::stat_cache_writer writer{1'000'000'000'000};
  storage::file_facts facts{3, 1, 1, 4, 5};
  auto hash = id_of("x");
  writer.add("a", facts, hash, {});
  writer.add("b", facts, hash, {hash, hash});
  ASSERT_TRUE(writer.save(path));
  std::ifstream in{path, std::ios::binary};
  std::string good{std::istreambuf_iterator<char>{in}, {}};
  fuzz("ADamagedStatCacheIsEmpty", 1000, [&](random_source& random) {
    auto bad = damaged(good, random);
    std::ofstream{path, std::ios::binary | std::ios::trunc} << bad;
    EXPECT_EQ(storage::stat_cache::load(path).size(), bad == good ? 2u : 0u);
  });
}

} // namespace
} // namespace troupe::testing
