#include "runtime/base/clock.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/sweep.hpp"
#include "storage/bytes/transfer.hpp"
#include "storage/bytes/tree_add.hpp"
#include "storage/bytes/tree_checkout.hpp"
#include "tests/support/random_tree.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/stopping_objects.hpp"

#include <gtest/gtest.h>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

std::map<std::string, uint64_t> objects_in(const object_store& objects,
                                           const std::string& prefix = "") {
  std::map<std::string, uint64_t> out;
  EXPECT_TRUE(objects.list(prefix, [&](std::string_view name, uint64_t bytes) {
    out.emplace(name, bytes);
    return true;
  }));
  return out;
}

class Sweep : public ::testing::Test {
protected:
  static std::unique_ptr<chunk_store> open(object_store& from, size_t pack_bytes = 20'000) {
    auto out = chunk_store::open(from, {.pack_bytes = pack_bytes, .uploads = 1});
    EXPECT_TRUE(out) << out.error().text;
    return std::move(*out);
  }

  // A tree of `files` files of about 1 KB that no other one has.
  tree_id add(chunk_store& to, uint64_t seed, int files = 60) {
    random_source random{seed};
    model_tree model;
    for (int i = 0; i < files; ++i) {
      std::string content(1000, '\0');
      for (auto& each : content)
        each = static_cast<char>(random.next() >> 56);
      model[std::to_string(i)] = {'f', content};
    }
    return add(to, model);
  }

  tree_id add(chunk_store& to, const model_tree& model) {
    fs::remove_all(scratch.path + "/in");
    write_tree(model, scratch.path + "/in");
    chunk_writer writer{to};
    auto out = add_tree(writer, scratch.path + "/in");
    EXPECT_TRUE(out) << out.error().text;
    auto done = writer.commit();
    EXPECT_TRUE(done) << done.error().text;
    models[out->id] = model;
    return out->id;
  }

  void expect_whole(const chunk_store& in, const tree_id& id) {
    fs::remove_all(scratch.path + "/out");
    auto done = checkout(in, id, scratch.path + "/out", {.threads = 1, .durable = false});
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(read_tree_of(scratch.path + "/out"), models[id]);
  }

  static swept run(chunk_store& in, const std::vector<tree_id>& roots, int64_t now_s,
                   seconds guard = seconds{0}) {
    auto done = sweep(in, roots, {now_s, guard});
    EXPECT_TRUE(done) << done.error().text;
    return done ? *done : swept{};
  }

  scratch_directory scratch;
  std::unique_ptr<directory_objects> objects{*directory_objects::open(scratch.path + "/objects")};
  std::unique_ptr<chunk_store> store = open(*objects);
  std::map<tree_id, model_tree> models;
};

TEST_F(Sweep, RemovesWhatNoTreeNeeds) {
  auto kept = add(*store, 1), gone = add(*store, 2);
  auto before = objects_in(*objects);
  auto dry = sweep(*store, std::vector{kept}, {.now_s = 100, .guard = seconds{0}, .dry_run = true});
  ASSERT_TRUE(dry);
  EXPECT_EQ(objects_in(*objects), before);
  auto done = run(*store, {kept}, 100);
  EXPECT_EQ(dry->chunks_live, done.chunks_live);
  EXPECT_EQ(dry->chunks_dropped, done.chunks_dropped);
  EXPECT_EQ(dry->packs_removed, done.packs_removed);
  EXPECT_EQ(dry->bytes_removed, done.bytes_removed);
  EXPECT_EQ(done.chunks_dropped, 60u + 3);
  EXPECT_GE(done.bytes_removed, 60'000u);
  EXPECT_EQ(done.index_before, 2u);
  EXPECT_EQ(done.index_after, 1u);
  expect_whole(*store, kept);
  expect_whole(*open(*objects), kept);
  EXPECT_EQ(store->get(gone).error().code, errc::not_found);
  uint64_t left = 0;
  for (auto& each : objects_in(*objects))
    left += each.second;
  EXPECT_LT(left, 80'000u);
  // There is nothing more to do.
  before = objects_in(*objects);
  EXPECT_EQ(run(*store, {kept}, 100).bytes_rewritten, 0u);
  EXPECT_EQ(objects_in(*objects), before);
  run(*store, {}, 100);
  EXPECT_EQ(objects_in(*objects).size(), 0u);
}

TEST_F(Sweep, WritesAnewWhatIsMostlyDeadAndJoinsWhatIsSmall) {
  auto large = add(*store, 1);
  auto rest = models[large];
  for (int i = 0; i < 60; ++i)
    if (i % 10 != 0)
      rest.erase(std::to_string(i));
  auto small = add(*store, rest); // a tenth of each pack
  std::vector<tree_id> roots{small};
  for (uint64_t seed = 2; seed < 10; ++seed)
    roots.push_back(add(*store, seed, 2));
  auto packs = objects_in(*objects, "packs/").size();
  EXPECT_GT(packs, 10u);
  auto done = run(*store, roots, 100);
  EXPECT_GE(done.bytes_rewritten, 20'000u);
  EXPECT_LE(objects_in(*objects, "packs/").size(), 3u);
  EXPECT_EQ(objects_in(*objects, "index/").size(), 1u);
  EXPECT_EQ(objects_in(*objects, "condemned/").size(), 0u);
  for (auto& each : roots)
    expect_whole(*store, each);
}

TEST_F(Sweep, KeepsWhatIsCondemnedForTheGuard) {
  auto id = add(*store, 1);
  auto reader = open(*objects);
  auto packs = objects_in(*objects, "packs/");
  auto done = run(*store, {}, 1000, seconds{60});
  EXPECT_EQ(done.packs_condemned, packs.size());
  EXPECT_EQ(done.packs_removed, 0u);
  EXPECT_EQ(objects_in(*objects, "packs/"), packs);
  EXPECT_FALSE(store->contains(id));
  expect_whole(*reader, id); // it began before
  expect_whole(*store, id);
  EXPECT_EQ(run(*store, {}, 1059, seconds{60}).packs_removed, 0u);
  EXPECT_EQ(run(*store, {}, 1060, seconds{60}).packs_removed, packs.size());
  EXPECT_EQ(objects_in(*objects).size(), 0u);
  EXPECT_EQ(store->get(id).error().code, errc::not_found);
}

// Its tree was not among the roots yet: it is found again.
TEST_F(Sweep, KeepsAgainWhatANewRootNeeds) {
  auto id = add(*store, 1);
  run(*store, {}, 1000, seconds{60});
  auto done = run(*store, {id}, 1059, seconds{60});
  EXPECT_GT(done.packs_kept_again, 0u);
  EXPECT_TRUE(store->contains(id));
  run(*store, {id}, 2000, seconds{60});
  run(*store, {id}, 3000, seconds{60});
  EXPECT_EQ(objects_in(*objects, "condemned/").size(), 0u);
  expect_whole(*open(*objects), id);
  // Condemned once more, it waits once more.
  run(*store, {}, 4000, seconds{60});
  expect_whole(*store, id);
}

TEST_F(Sweep, AWriterBesideItLosesNothing) {
  auto old = add(*store, 1);
  auto other = open(*objects);
  chunk_writer writer{*other};
  auto in_old = *writer.put(models[old]["7"].content); // it is known
  EXPECT_EQ(writer.written().chunks, 0u);
  auto in_new = *writer.put(std::string(30'000, 'x') + "new"); // a pack of its own, not yet named
  run(*store, {}, 1000, seconds{60});
  EXPECT_FALSE(store->contains(in_old));
  ASSERT_TRUE(writer.commit());
  EXPECT_TRUE(other->contains(in_old));
  EXPECT_TRUE(other->contains(in_new));
  // The next writer finds it; what is condemned and named is not removed.
  auto third = open(*objects);
  EXPECT_TRUE(third->contains(in_old));
  EXPECT_TRUE(third->get(in_new));
}

TEST_F(Sweep, AWriterThatTookTooLongIsTold) {
  auto old = add(*store, 1);
  auto other = open(*objects);
  chunk_writer writer{*other};
  ASSERT_TRUE(writer.put(models[old]["7"].content));
  run(*store, {}, 1000, seconds{0});
  EXPECT_EQ(writer.commit().error().code, errc::unavailable);
  auto again = add(*other, models[old]);
  EXPECT_EQ(again, old);
  expect_whole(*open(*objects), old);
}

// The same packs would come anew while the old ones are about to go.
TEST_F(Sweep, APackThatIsCondemnedIsNotNamedByAWriterThatMakesItAgain) {
  auto id = add(*store, 1);
  auto packs = objects_in(*objects, "packs/");
  run(*store, {}, 1000, seconds{60});
  auto other = open(*objects);
  EXPECT_EQ(add(*other, models[id]), id);
  EXPECT_EQ(objects_in(*objects, "packs/").size(), 2 * packs.size());
  // As a sweep would that began before the writer committed.
  for (auto& each : packs)
    ASSERT_TRUE(objects->remove(each.first));
  expect_whole(*open(*objects), id);
}

TEST_F(Sweep, DoesNothingWhereARootIsNotWhole) {
  auto first = add(*store, 1), second = add(*store, 2);
  auto before = objects_in(*objects);
  auto done = sweep(*store, std::vector{first, tree_id{}}, {100, seconds{0}});
  EXPECT_EQ(done.error().code, errc::not_found);
  EXPECT_EQ(objects_in(*objects), before);
  ASSERT_TRUE(objects->remove(objects_in(*objects, "packs/").begin()->first));
  before = objects_in(*objects);
  EXPECT_EQ(sweep(*store, std::vector{first, second}, {100, seconds{0}}).error().code,
            errc::not_found);
  EXPECT_EQ(objects_in(*objects), before);
}

TEST_F(Sweep, SurvivesAKillAtAnyMoment) {
  auto kept = add(*store, 1), gone = add(*store, 2);
  auto part = models[gone];
  for (int i = 0; i < 50; ++i)
    part.erase(std::to_string(i));
  auto rest = add(*store, part);
  run(*store, {kept, rest, gone}, 1, seconds{60});
  for (int64_t changes = 0;; ++changes) {
    ASSERT_LT(changes, 200);
    scratch_directory copy;
    fs::copy(scratch.path + "/objects", copy.path + "/objects", fs::copy_options::recursive);
    auto target = *directory_objects::open(copy.path + "/objects");
    stopping_objects stopping{*target, changes};
    auto guard = seconds{changes % 2 == 0 ? 0 : 60};
    {
      auto victim = open(stopping);
      (void)sweep(*victim, std::vector{kept, rest}, {1000, guard});
    }
    auto after = open(*target);
    expect_whole(*after, kept);
    expect_whole(*after, rest);
    run(*after, {kept, rest}, 1000);
    expect_whole(*after, kept);
    expect_whole(*after, rest);
    auto left = objects_in(*target);
    EXPECT_EQ(left.size(), objects_in(*target, "packs/").size() + 1);
    run(*after, {}, 1000);
    EXPECT_EQ(objects_in(*target).size(), 0u) << "after " << changes;
    if (!stopping.stopped() && guard.count() == 0)
      break;
  }
}

// Random trees, edits, sweeps and transfers beside the simplest model of them.
class BytesModel : public Sweep, public ::testing::WithParamInterface<uint64_t> {
protected:
  void step(random_source& random) {
    auto what = random.below(12);
    if (what < 5) {
      for (auto n = random.below(12); n > 0; --n)
        edit(model, random);
      add_model(random);
    } else if (what < 7 && !trees.empty()) {
      expect_whole(*store, any(random));
    } else if (what < 8 && !trees.empty()) {
      trees.erase(any(random));
    } else if (what < 10) {
      now_s += static_cast<int64_t>(random.below(100));
      run(*store, roots(), now_s, seconds{random.chance(0.5) ? 0 : 60});
    } else if (what < 11) {
      store = open(*objects, pack_bytes);
    } else if (!trees.empty()) {
      auto id = any(random);
      auto moved = transfer(*store, *far, {&id, 1}, {.threads = 2, .round_bytes = 50'000});
      ASSERT_TRUE(moved) << moved.error().text;
      expect_whole(*far, id);
      if (random.chance(0.3))
        run(*far, {id}, now_s);
      expect_whole(*far, id);
    }
  }

  void add_model(random_source& random) {
    write_tree(model, scratch.path + "/work");
    chunk_writer writer{*store};
    system_clock clock;
    auto added = add_tree(writer, scratch.path + "/work",
                          {.threads = static_cast<unsigned>(1 + random.below(3)),
                           .cache = scratch.path + "/cache",
                           .now_ns = clock.wall_ns()});
    ASSERT_TRUE(added) << added.error().text;
    if (random.chance(0.2)) // it is dropped
      return;
    auto done = writer.commit();
    ASSERT_TRUE(done) << done.error().text;
    auto known = models.find(added->id);
    EXPECT_TRUE(known == models.end() || known->second == model);
    models[added->id] = model;
    trees.insert(added->id);
    expect_whole(*store, added->id);
  }

  tree_id any(random_source& random) const {
    return *std::next(trees.begin(), static_cast<long>(random.below(trees.size())));
  }

  std::vector<tree_id> roots() const { return {trees.begin(), trees.end()}; }

  static constexpr size_t pack_bytes = 100'000;

  std::unique_ptr<directory_objects> far_objects{*directory_objects::open(scratch.path + "/far")};
  std::unique_ptr<chunk_store> far = open(*far_objects, pack_bytes);
  std::set<tree_id> trees;
  model_tree model;
  int64_t now_s = 1000;
};

TEST_P(BytesModel, IsWhatTheModelSays) {
  random_source random{GetParam()};
  store = open(*objects, pack_bytes);
  for (int i = 0; i < 30; ++i)
    edit(model, random);
  for (int i = 0; i < 30 && !HasFailure(); ++i)
    step(random);
  for (auto& each : trees)
    expect_whole(*store, each);
  run(*store, {}, now_s);
  EXPECT_EQ(objects_in(*objects).size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BytesModel, ::testing::Range<uint64_t>(1, 21));

} // namespace
} // namespace troupe::storage
