#include "runtime/base/clock.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/stat_cache.hpp"
#include "storage/bytes/transfer.hpp"
#include "storage/bytes/tree_add.hpp"
#include "storage/bytes/tree_checkout.hpp"
#include "tests/support/random_tree.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/stopping_objects.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

class Tree : public ::testing::Test {
protected:
  static std::unique_ptr<chunk_store> open(object_store& from, size_t pack_bytes = 100'000) {
    auto out = chunk_store::open(from, {.pack_bytes = pack_bytes});
    EXPECT_TRUE(out) << out.error().text;
    return std::move(*out);
  }

  std::string path(const std::string& name) const { return scratch.path + "/" + name; }

  void write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path{path(name)}.parent_path());
    std::ofstream{path(name), std::ios::binary | std::ios::trunc} << content;
  }

  added_tree add(const std::string& name, const add_options& options = {}) {
    chunk_writer writer{*store};
    auto out = add_tree(writer, path(name), options);
    EXPECT_TRUE(out) << out.error().text;
    auto done = writer.commit();
    EXPECT_TRUE(done) << done.error().text;
    stored = writer.written().stored;
    return out ? *out : added_tree{};
  }

  error refusal(const std::string& name) {
    chunk_writer writer{*store};
    auto out = add_tree(writer, path(name));
    EXPECT_FALSE(out);
    EXPECT_EQ(out ? 0u : out.error().text.find('\n') + 1, 0u);
    return out ? error{} : out.error();
  }

  // Puts a tree that add_tree would not make.
  tree_id put_items(const std::vector<tree_item>& items) {
    chunk_writer writer{*store};
    EXPECT_TRUE(writer.put("x"));
    auto id = put_tree(writer, items);
    EXPECT_TRUE(writer.commit());
    return *id;
  }

  void expect_same(const tree_id& id, const model_tree& wanted) {
    fs::remove_all(path("out"));
    auto done = checkout(*store, id, path("out"), {.threads = 2, .durable = false});
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(read_tree_of(path("out")), wanted);
  }

  scratch_directory scratch;
  std::unique_ptr<directory_objects> objects{*directory_objects::open(scratch.path + "/objects")};
  std::unique_ptr<chunk_store> store = open(*objects);
  uint64_t stored = 0; // bytes that the last add() stored
};

TEST_F(Tree, ComesBackAsItWas) {
  random_source random{1};
  model_tree model;
  for (int i = 0; i < 200; ++i)
    edit(model, random);
  model["large"] = {'f', std::string(700'000, 'x')};
  for (auto& each : model["large"].content)
    each = static_cast<char>(random.next() >> 56);
  model["empty"] = {'x', ""};
  model["folder with nothing"] = {'d', ""};
  write_tree(model, path("in"));
  ASSERT_EQ(read_tree_of(path("in")), model);
  auto id = add("in", {.threads = 3}).id;
  expect_same(id, model);
  store = open(*objects);
  expect_same(id, model);
  EXPECT_EQ(add("in").id, id);
  EXPECT_EQ(stored, 0u);
  write_tree(model, path("elsewhere"));
  EXPECT_EQ(add("elsewhere", {.threads = 2}).id, id);
}

TEST_F(Tree, MayBeAFileOrEmpty) {
  write("file", "content");
  auto one = add("file");
  EXPECT_EQ(one.files, 1u);
  EXPECT_EQ(one.bytes, 7u);
  expect_same(one.id, {{"file", {'f', "content"}}});
  fs::create_symlink(path("file"), path("latest"));
  expect_same(add("latest").id, {{"latest", {'f', "content"}}});
  fs::create_directories(path("nothing"));
  expect_same(add("nothing").id, {});
  EXPECT_EQ(refusal("none").code, errc::not_found);
}

TEST_F(Tree, IsNamedTheSameForEver) {
  write("in/a", "content");
  write("in/b/c", std::string(100, 'x'));
  ::chmod(path("in/a").c_str(), 0755);
  fs::create_symlink("b/c", path("in/d"));
  fs::create_directories(path("in/e"));
  EXPECT_EQ(add("in").id.digits(),
            "31bad9ec495deeaab68f737bd149944cfdd0ab394a5897c2ebc499e921d2f7eb");
}

// The same numbers as 100,000 files of which 1,000 change, a hundred times fewer.
TEST_F(Tree, AnEditStoresLittle) {
  random_source random{2};
  for (int i = 0; i < 3000; ++i) {
    std::string content(1000, '\0');
    for (auto& each : content)
      each = static_cast<char>(random.next() >> 56);
    write("in/" + std::to_string(i % 30) + "/" + std::to_string(i), content);
  }
  auto first = add("in");
  EXPECT_GT(stored, 3'000'000u);
  write("in/7/2017", "another");
  EXPECT_NE(add("in").id, first.id);
  EXPECT_LT(stored, 20'000u);
}

TEST_F(Tree, FilesThatDidNotChangeAreNotReadAgain) {
  random_source random{3};
  model_tree model;
  for (int i = 0; i < 100; ++i)
    edit(model, random);
  write_tree(model, path("in"));
  system_clock clock;
  auto cache = path("cache");
  auto later = clock.wall_ns() + 10'000'000'000;
  auto first = add("in", {.cache = cache, .now_ns = later});
  EXPECT_EQ(first.files_read, first.files);
  auto again = add("in", {.threads = 2, .cache = cache, .now_ns = later});
  EXPECT_EQ(again.files_read, 0u);
  EXPECT_EQ(again.id, first.id);
  write("in/new", "new");
  auto third = add("in", {.cache = cache, .now_ns = later});
  EXPECT_EQ(third.files_read, 1u);
  ::chmod(path("in/new").c_str(), 0755);
  EXPECT_EQ(add("in", {.cache = cache, .now_ns = later}).files_read, 1u);
  // What the store does not have is read, whatever the cache says.
  objects = *directory_objects::open(path("other objects"));
  store = open(*objects);
  EXPECT_EQ(add("in", {.cache = cache, .now_ns = later}).files_read, third.files);
}

TEST_F(Tree, FilesThatWereJustWrittenAreReadAgain) {
  system_clock clock;
  auto cache = path("cache");
  write("in/file", "one");
  auto first = add("in", {.cache = cache, .now_ns = clock.wall_ns()});
  write("in/file", "two"); // perhaps within the same tick of the file system's clock
  EXPECT_NE(add("in", {.cache = cache, .now_ns = clock.wall_ns()}).id, first.id);
  EXPECT_EQ(add("in", {.cache = cache}).files_read, 1u);
  EXPECT_EQ(add("in", {.cache = cache, .now_ns = 1}).files_read, 1u);
}

TEST(StatCache, TrustsWhatIsClearlyOlder) {
  scratch_directory scratch;
  auto file = scratch.path + "/cache";
  constexpr int64_t second = 1'000'000'000, taken = 1000 * second;
  auto facts = [](int64_t time) { return file_facts{3, time, time, 4, 5}; };
  content_id hash{sha256_hasher{}.of("x")};
  stat_cache_writer out{taken};
  out.add("a", facts(taken - second / 5 + 1), hash, {});
  out.add("b", facts(taken - second / 20 + 1), hash, {});
  out.add("c", facts(taken - second), hash, {});
  out.add("d", facts(taken - 3 * second), hash, {hash, hash});
  out.add("e", {3, taken - 5 * second, taken - 1, 4, 5}, hash, {});
  ASSERT_TRUE(out.save(file));
  auto cache = stat_cache::load(file);
  EXPECT_TRUE(cache.find("a", facts(taken - second / 5 + 1)));
  EXPECT_FALSE(cache.find("b", facts(taken - second / 20 + 1)));
  EXPECT_FALSE(cache.find("c", facts(taken - second)));
  auto found = cache.find("d", facts(taken - 3 * second));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->hash, hash);
  EXPECT_EQ(found->chunks.size(), 2u);
  EXPECT_FALSE(cache.find("e", {3, taken - 5 * second, taken - 1, 4, 5}));
  EXPECT_FALSE(cache.find("d", {4, taken - 3 * second, taken - 3 * second, 4, 5}));
  EXPECT_FALSE(cache.find("d", {3, taken - 3 * second, taken - 3 * second, 5, 5}));
  EXPECT_FALSE(cache.find("f", facts(taken - 3 * second)));
  std::ifstream in{file, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    std::ofstream{file, std::ios::binary | std::ios::trunc} << bad;
    EXPECT_EQ(stat_cache::load(file).size(), 0u) << i;
  }
  EXPECT_EQ(stat_cache::load(scratch.path + "/none").size(), 0u);
}

TEST_F(Tree, RefusesWhatLeadsOutOfIt) {
  write("outside", "secret");
  auto refused_link = [&](const std::string& target) {
    fs::remove_all(path("in"));
    write("in/sub/file", "x");
    fs::create_symlink(target, path("in/sub/link"));
    auto why = refusal("in");
    EXPECT_EQ(why.code, errc::invalid) << why.text;
    EXPECT_NE(why.text.find("sub/link"), std::string::npos) << why.text;
  };
  for (auto& target : {path("outside"), std::string{"../../outside"}, std::string{"/"},
                       std::string{"../.."}, std::string{"a\nb"}})
    refused_link(target);
  fs::remove_all(path("in"));
  write("in/a\nb", "x");
  EXPECT_EQ(refusal("in").code, errc::invalid);
  fs::remove_all(path("in"));
  write("in/file", "x");
  ASSERT_EQ(::mkfifo(path("in/pipe").c_str(), 0600), 0);
  EXPECT_EQ(refusal("in").code, errc::invalid);
}

TEST_F(Tree, IsNotCheckedOutWhereItLeadsOut) {
  content_id x{sha256_hasher{}.of("x")};
  auto file = [&](const std::string& name) {
    tree_item out;
    out.path = name;
    out.size = 1;
    out.hash = x;
    return out;
  };
  auto link = [](const std::string& name, const std::string& target) {
    tree_item out;
    out.path = name;
    out.kind = item_kind::link;
    out.target = target;
    return out;
  };
  auto refused = [&](const std::vector<tree_item>& items) {
    auto done = checkout(*store, put_items(items), path("out"));
    return !done && !fs::exists(path("out"))
           && (done.error().code == errc::invalid || done.error().code == errc::corrupt);
  };
  EXPECT_FALSE(refused({file("a"), file("b/c")}));
  fs::remove_all(path("out"));
  for (std::string bad : {"../x", "/x", "a/../../x", "..", ".", "a//b", "a/", "", "a\x01", "a\x7f"})
    EXPECT_TRUE(refused({file(bad)})) << bad;
  EXPECT_TRUE(refused({file("b"), file("a")}));
  EXPECT_TRUE(refused({file("a"), file("a")}));
  EXPECT_TRUE(refused({file("a"), file("a-"), file("a/b")}));
  EXPECT_TRUE(refused({link("a", "."), file("a/b")}));
  EXPECT_TRUE(refused({link("a", "..")}));
  EXPECT_TRUE(refused({link("a", "/etc")}));
  EXPECT_TRUE(refused({link("a", "b/../../x"), link("b", "c")}));
  auto larger = file("a");
  larger.size = 2;
  EXPECT_TRUE(refused({larger}));
  auto twice = file("a");
  twice.size = 2;
  twice.chunks = {x, x};
  EXPECT_TRUE(refused({twice}));
  twice.hash = {sha256_hasher{}.of("xx")};
  EXPECT_FALSE(refused({twice}));
}

TEST_F(Tree, IsCheckedOutWholeOrNotAtAll) {
  write("in/a", "content");
  auto id = add("in").id;
  fs::create_directories(path("taken"));
  EXPECT_EQ(checkout(*store, id, path("taken")).error().code, errc::already_exists);
  EXPECT_EQ(checkout(*store, id, path("none/out")).error().code, errc::io);
  EXPECT_EQ(checkout(*store, chunk_id{}, path("out")).error().code, errc::not_found);
  EXPECT_EQ(checkout(*store, {sha256_hasher{}.of("content")}, path("out")).error().code,
            errc::invalid);
  ASSERT_TRUE(checkout(*store, id, path("whole///")));
  std::string pack;
  ASSERT_TRUE(objects->list("packs/", [&](std::string_view name, uint64_t) {
    pack = name;
    return true;
  }));
  auto bytes = *objects->get(pack);
  bytes[bytes.find("content")] ^= 1;
  fs::permissions(path("objects/" + pack), fs::perms::owner_all);
  write("objects/" + pack, bytes);
  EXPECT_EQ(checkout(*store, id, path("out")).error().code, errc::corrupt);
  for (auto& each : fs::directory_iterator{scratch.path})
    EXPECT_EQ(each.path().string().find("out"), std::string::npos) << each.path();
}

TEST_F(Tree, IsTransferredWithWhatIsMissing) {
  random_source random{4};
  model_tree model;
  for (int i = 0; i < 300; ++i)
    edit(model, random);
  write_tree(model, path("in"));
  auto first = add("in").id;
  auto far_objects = *directory_objects::open(path("far"));
  auto far = open(*far_objects);
  auto moved = transfer(*store, *far, {&first, 1});
  ASSERT_TRUE(moved) << moved.error().text;
  EXPECT_GT(moved->chunks, 20u);
  std::swap(store, far);
  expect_same(first, model);
  std::swap(store, far);
  EXPECT_EQ(transfer(*store, *far, {&first, 1})->chunks, 0u);
  write("in/new", "new");
  auto second = add("in").id;
  stopping_objects counted{*objects};
  auto near = open(counted);
  auto opened = counted.bytes_got();
  moved = transfer(*near, *far, std::vector{first, second});
  ASSERT_TRUE(moved) << moved.error().text;
  EXPECT_LT(moved->chunks, 10u);
  auto little = counted.bytes_got() - opened;
  auto other_objects = *directory_objects::open(path("other"));
  ASSERT_TRUE(transfer(*near, *open(*other_objects), {&second, 1}));
  EXPECT_LT(3 * little, counted.bytes_got() - opened - little);
  store = open(*far_objects);
  model["new"] = {'f', "new"};
  expect_same(second, model);
}

// A kill at each change; repeated, each round that was done is not moved again.
TEST_F(Tree, AnInterruptedTransferGoesOn) {
  random_source random{5};
  model_tree model;
  for (int i = 0; i < 100; ++i)
    edit(model, random);
  write_tree(model, path("in"));
  auto id = add("in").id;
  const transfer_options options{.threads = 2, .round_bytes = 30'000};
  uint64_t whole = 0;
  for (int64_t changes = 0;; ++changes) {
    ASSERT_LT(changes, 1000);
    scratch_directory place;
    auto target = *directory_objects::open(place.path);
    stopping_objects stopping{*target, changes};
    auto far = open(stopping, 10'000);
    uint64_t before = 0;
    auto counted = options;
    counted.report = [&](const transfer_progress& x) { before = x.bytes; };
    auto moved = transfer(*store, *far, {&id, 1}, counted);
    far = open(*target, 10'000);
    if (moved) {
      whole = moved->bytes;
      EXPECT_EQ(transfer(*store, *far, {&id, 1})->chunks, 0u);
      break;
    }
    EXPECT_FALSE(far->contains(id));
    auto rest = transfer(*store, *far, {&id, 1}, options);
    ASSERT_TRUE(rest) << rest.error().text;
    whole = std::max(whole, rest->bytes);
    EXPECT_LE(rest->bytes + before, whole);
  }
}

} // namespace
} // namespace troupe::storage
