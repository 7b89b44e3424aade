#include "runtime/base/random.hpp"
#include "storage/bytes/chunk_writer.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/stopping_objects.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <thread>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

// Half of them can be compressed.
std::string any_chunk(random_source& random, size_t longest = 3000) {
  std::string out(1 + random.below(longest), 'x');
  if (random.chance(0.5))
    for (auto& each : out)
      each = static_cast<char>(random.next() >> 56);
  return out + std::to_string(random.next());
}

class ChunkStore : public ::testing::Test {
protected:
  using chunks = std::map<chunk_id, std::string>;

  std::unique_ptr<chunk_store> open(object_store& from, size_t pack_bytes = 8000) const {
    auto out = chunk_store::open(from, {.pack_bytes = pack_bytes});
    EXPECT_TRUE(out) << out.error().text;
    return std::move(*out);
  }

  std::unique_ptr<chunk_store> open() { return open(*objects); }

  static std::string name_of(const pack_id& pack) { return pack_object(pack); }

  void expect_all(const chunk_store& store, const chunks& wanted) {
    for (auto& [id, bytes] : wanted) {
      auto got = store.get(id);
      ASSERT_TRUE(got) << got.error().text;
      EXPECT_EQ(*got, bytes);
    }
  }

  // Puts `count` chunks in a session and commits it.
  chunks fill(chunk_store& store, random_source& random, int count) {
    chunks out;
    chunk_writer writer{store};
    for (int i = 0; i < count; ++i) {
      auto bytes = any_chunk(random);
      out.emplace(*writer.put(bytes), bytes);
    }
    EXPECT_TRUE(writer.commit());
    return out;
  }

  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> out;
    EXPECT_TRUE(objects->list(prefix, [&](std::string_view name, uint64_t) {
      out.emplace_back(name);
      return true;
    }));
    return out;
  }

  void overwrite(const std::string& name, const std::string& bytes) const {
    auto path = scratch.path + "/" + name;
    fs::permissions(path, fs::perms::owner_all);
    std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
  }

  scratch_directory scratch;
  std::unique_ptr<directory_objects> objects{*directory_objects::open(scratch.path)};
};

TEST_F(ChunkStore, KeepsWhatWasCommitted) {
  random_source random{1};
  auto store = open();
  auto wanted = fill(*store, random, 40);
  EXPECT_GT(names("packs/").size(), 2u);
  EXPECT_EQ(names("index/").size(), 1u);
  expect_all(*store, wanted);
  expect_all(*open(), wanted);
  EXPECT_EQ(open()->get(chunk_id{}).error().code, errc::not_found);
  chunk_writer writer{*store};
  EXPECT_EQ(writer.put("").error().code, errc::invalid);
  EXPECT_EQ(writer.put(std::string(chunk_size_max + 1, 'x')).error().code, errc::invalid);
  auto largest = writer.put(std::string(chunk_size_max, 'x'));
  ASSERT_TRUE(largest && writer.commit());
  EXPECT_EQ(open()->get(*largest)->size(), chunk_size_max);
}

TEST_F(ChunkStore, ReadsManyInAnyOrderWithFewReads) {
  random_source random{2};
  auto store = open(*objects, 1 << 20);
  auto wanted = fill(*store, random, 100);
  std::vector<chunk_id> ids;
  for (auto& [id, bytes] : wanted)
    ids.push_back(id);
  ids.push_back(ids.front());
  size_t seen = 0;
  auto read = store->read(ids, [&](const chunk_store::read_chunk& x) {
    ++seen;
    EXPECT_EQ(x.bytes, wanted[ids[x.at]]);
    EXPECT_LE(x.body.size(), x.bytes.size());
    return result<void>{};
  });
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(seen, ids.size());
}

TEST_F(ChunkStore, StoresTheSameOnce) {
  random_source random{3};
  auto store = open();
  chunk_writer writer{*store};
  auto bytes = any_chunk(random);
  auto id = writer.put(bytes);
  EXPECT_EQ(*writer.put(bytes), *id);
  EXPECT_EQ(writer.written().chunks, 1u);
  EXPECT_EQ(writer.written().known, 1u);
  ASSERT_TRUE(writer.commit());
  EXPECT_EQ(*writer.put(bytes), *id);
  ASSERT_TRUE(writer.commit());
  auto again = open();
  chunk_writer second{*again};
  EXPECT_EQ(*second.put(bytes), *id);
  EXPECT_TRUE(second.reuse({&*id, 1}));
  EXPECT_FALSE(second.reuse(std::vector{*id, chunk_id{}}));
  ASSERT_TRUE(second.commit());
  EXPECT_EQ(second.written().chunks, 0u);
  EXPECT_EQ(names("").size(), 2u);
}

TEST_F(ChunkStore, ShowsNothingOfASessionThatIsDropped) {
  random_source random{4};
  auto store = open();
  chunk_id id;
  {
    chunk_writer writer{*store};
    for (int i = 0; i < 40; ++i)
      id = *writer.put(any_chunk(random));
  }
  EXPECT_FALSE(store->contains(id));
  EXPECT_EQ(store->get(id).error().code, errc::not_found);
  EXPECT_EQ(names("index/").size(), 0u);
}

TEST_F(ChunkStore, FindsWhatOthersCommitted) {
  random_source random{5};
  auto first = open(), second = open();
  auto wanted = fill(*first, random, 20);
  expect_all(*second, wanted);
  auto more = fill(*first, random, 20);
  ASSERT_TRUE(second->refresh());
  for (auto& each : more)
    EXPECT_TRUE(second->contains(each.first));
}

TEST_F(ChunkStore, TakesSeveralWritersAndThreadsAtOnce) {
  std::vector<std::thread> writers;
  std::vector<chunks> wanted(3);
  for (size_t i = 0; i < wanted.size(); ++i)
    writers.emplace_back([&, i] {
      auto store = open();
      chunk_writer writer{*store};
      std::mutex mutex;
      std::vector<std::thread> threads;
      for (uint64_t t = 0; t < 3; ++t)
        threads.emplace_back([&, t] {
          random_source random{t < 2 ? t : 100 + i}; // most of it is the same in all
          for (int n = 0; n < 60; ++n) {
            auto bytes = any_chunk(random);
            auto id = writer.put(bytes);
            ASSERT_TRUE(id) << id.error().text;
            std::lock_guard lock{mutex};
            wanted[i].emplace(*id, bytes);
          }
        });
      for (auto& each : threads)
        each.join();
      auto done = writer.commit();
      EXPECT_TRUE(done) << done.error().text;
    });
  for (auto& each : writers)
    each.join();
  auto store = open();
  for (auto& each : wanted)
    expect_all(*store, each);
}

// At each change to the objects: what was committed is whole, what was not is not there.
TEST_F(ChunkStore, SurvivesAKillAtAnyMoment) {
  for (int64_t changes = 0;; ++changes) {
    ASSERT_LT(changes, 100);
    scratch_directory place;
    auto target = *directory_objects::open(place.path);
    stopping_objects stopping{*target, changes};
    random_source random{6};
    chunks committed, open_ones;
    {
      auto store = chunk_store::open(stopping, {.pack_bytes = 4000, .uploads = 1});
      ASSERT_TRUE(store);
      for (bool alive = true; alive && committed.size() < 30;) {
        chunk_writer writer{**store};
        open_ones.clear();
        for (int i = 0; i < 10 && alive; ++i) {
          auto bytes = any_chunk(random);
          auto id = writer.put(bytes);
          alive = static_cast<bool>(id);
          if (alive)
            open_ones.emplace(*id, bytes);
        }
        alive = alive && writer.commit();
        if (alive)
          committed.merge(open_ones);
      }
    }
    auto store = open(*target);
    expect_all(*store, committed);
    if (!stopping.stopped()) {
      EXPECT_EQ(committed.size(), 30u);
      break;
    }
    for (auto& each : open_ones)
      EXPECT_FALSE(store->contains(each.first));
    fill(*store, random, 3);
  }
}

TEST_F(ChunkStore, ASessionOfWhichAPackIsNotPutFails) {
  for (int64_t puts = 0;; ++puts) {
    ASSERT_LT(puts, 100);
    scratch_directory place;
    auto target = *directory_objects::open(place.path);
    stopping_objects failing{*target};
    failing.fail_one_put_after(puts);
    random_source random{9};
    auto store = open(failing, 4000);
    chunk_writer writer{*store};
    chunks wanted;
    bool good = true;
    for (int i = 0; i < 20; ++i) {
      auto bytes = any_chunk(random);
      auto id = writer.put(bytes);
      good = good && id;
      if (id)
        wanted.emplace(*id, bytes);
    }
    auto done = writer.commit();
    if (done && good) {
      expect_all(*open(*target), wanted);
      break;
    }
    ASSERT_FALSE(done) << puts;
    EXPECT_EQ(done.error().code, errc::io);
    EXPECT_FALSE(writer.commit());
    for (auto& each : wanted)
      EXPECT_FALSE(open(*target)->contains(each.first));
  }
}

TEST_F(ChunkStore, NoticesEveryDamagedByteOfAPackAndAnIndex) {
  random_source random{7};
  auto whole = open();
  chunk_writer writer{*whole};
  chunks wanted;
  for (std::string bytes : {std::string(300, 'x'), any_chunk(random, 50), std::string{"y"}})
    wanted.emplace(*writer.put(bytes), bytes);
  ASSERT_TRUE(writer.commit());
  auto name = names("packs/").at(0);
  auto pack = *objects->get(name);
  auto id = *content_id::parse(name.substr(name.rfind('/') + 1));
  ASSERT_TRUE(read_pack(id, pack));
  for (size_t i = 0; i < pack.size(); ++i) {
    auto bad = pack;
    bad[i] = static_cast<char>(bad[i] ^ (1 << random.below(8)));
    auto read = read_pack(id, bad);
    ASSERT_FALSE(read) << i;
    EXPECT_EQ(read.error().code, errc::corrupt);
    overwrite(name, bad);
    for (auto& [chunk, bytes] : wanted) {
      auto got = open()->get(chunk);
      ASSERT_TRUE(got ? *got == bytes : got.error().code == errc::corrupt) << i;
    }
  }
  for (size_t size = 0; size < pack.size(); ++size)
    EXPECT_FALSE(read_pack(id, pack.substr(0, size)));
  overwrite(name, pack);
  name = names("index/").at(0);
  auto index = *objects->get(name);
  for (size_t i = 0; i < index.size(); ++i) {
    auto bad = index;
    bad[i] = static_cast<char>(bad[i] ^ (1 << random.below(8)));
    overwrite(name, bad);
    auto store = chunk_store::open(*objects);
    ASSERT_FALSE(store) << i;
    EXPECT_EQ(store.error().code, errc::corrupt);
  }
}

TEST_F(ChunkStore, NamesTheDamagedChunkAndItsPack) {
  random_source random{8};
  auto wanted = fill(*open(), random, 1);
  auto name = names("packs/").at(0);
  auto pack = *objects->get(name);
  pack.back() = static_cast<char>(pack.back() ^ 1);
  overwrite(name, pack);
  auto got = open()->get(wanted.begin()->first);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::corrupt);
  EXPECT_NE(got.error().text.find(wanted.begin()->first.digits()), std::string::npos);
  EXPECT_NE(got.error().text.find(name.substr(name.rfind('/') + 1)), std::string::npos);
  overwrite(name, pack.substr(0, 60));
  EXPECT_EQ(open()->get(wanted.begin()->first).error().code, errc::corrupt);
}

} // namespace
} // namespace troupe::storage
