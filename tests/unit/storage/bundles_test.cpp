// Bundles: what they are, in a store, and on remotes.
#include "storage/bundles/bundle_remote.hpp"
#include "storage/bytes/sweep.hpp"
#include "storage/metadata/audit.hpp"
#include "storage/metadata/lineage.hpp"
#include "storage/metadata/reuse.hpp"
#include "tests/support/bundle_machine.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/stopping_objects.hpp"

namespace troupe::storage {
namespace {

using testing::good;
using testing::machine;
using testing::uuid;

class Bundles : public ::testing::Test {
protected:
  Bundles() {
    here = std::make_unique<machine>(scratch.path + "/a");
    there = std::make_unique<machine>(scratch.path + "/b");
    remote = std::move(*directory_objects::open(scratch.path + "/remote"));
    EXPECT_TRUE(here->bundles->make_context("lab", "file:///remote"));
  }

  result<bundles_moved> push(std::vector<std::string> uuids) {
    return push_bundles(*here->bundles, uuids, *remote);
  }

  scratch_directory scratch;
  std::unique_ptr<machine> here;
  std::unique_ptr<machine> there;
  std::unique_ptr<directory_objects> remote;
};

TEST_F(Bundles, AreReadAsTheyWereWritten) {
  bundle x;
  x.uuid = uuid(7);
  x.name = "mnist";
  x.processing_name = "load-1";
  x.owner = "ada";
  x.created_ns = 5;
  x.content = "{\"form\":\"none\"}";
  x.tree = std::string(64, 'a');
  x.code = "git 1234";
  x.started_ns = 3;
  x.ended_ns = 4;
  x.parameters = {{"lr", "0.1"}, {"n", ""}};
  x.sources = {{"data", uuid(1), "p"}, {"data2", uuid(1), "p"}};
  EXPECT_EQ(*read_bundle(encode(x)), x);
  auto bytes = encode(x);
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(read_bundle(bad)) << i;
  }
  text_map tags{{"a", "b"}, {"c", ""}};
  EXPECT_EQ(*read_tags(encode_tags(tags)), tags);
  EXPECT_FALSE(read_tags(encode(x)));
}

TEST_F(Bundles, RefuseWhatIsMalformed) {
  bundle good_one;
  good_one.uuid = uuid(1);
  good_one.name = "n";
  EXPECT_TRUE(check(good_one));
  auto refused = [&](auto change) {
    auto x = good_one;
    change(x);
    EXPECT_EQ(here->bundles->add("lab", x).error().code, errc::invalid);
  };
  refused([](bundle& x) { x.uuid = "../../etc/passwd"; });
  refused([](bundle& x) { x.uuid = std::string(32, 'A'); });
  refused([](bundle& x) { x.name = ""; });
  refused([](bundle& x) { x.name = "a\nb"; });
  refused([](bundle& x) { x.tree = "abc"; });
  refused([](bundle& x) { x.content = std::string(70'000, 'x'); });
  refused([](bundle& x) { x.parameters[""] = "x"; });
  refused([](bundle& x) { x.sources = {{"a", "no uuid", ""}}; });
  for (const auto* name : {"", ".", "..", "a/b", "A", "a b", "\n"})
    EXPECT_EQ(here->bundles->make_context(name).error().code, errc::invalid) << name;
  EXPECT_EQ(here->bundles->add("nowhere", good_one).error().code, errc::not_found);
}

TEST_F(Bundles, OfOneNameTheOneMadeLastIsMeant) {
  auto first = here->with_file(1, "data", "one");
  first.processing_name = "by hand";
  auto second = here->with_file(2, "data", "two");
  here->add(second, {{"kind", "big"}});
  here->add(first); // added later, made before
  here->add(here->with_file(3, "other", "three"));
  EXPECT_EQ(good(here->bundles->latest({"lab", "data"})).what, second);
  EXPECT_EQ(good(here->bundles->find({"lab", "data"})).size(), 2u);
  EXPECT_EQ(good(here->bundles->find({"lab"})).size(), 3u);
  EXPECT_EQ(good(here->bundles->latest({"lab", {}, first.processing_name})).what, first);
  EXPECT_EQ(good(here->bundles->latest({"lab", "data", {}, {{"kind", "big"}}})).what, second);
  EXPECT_EQ(here->bundles->latest({"lab", "data", {}, {{"kind", "small"}}}).error().code,
            errc::not_found);
  EXPECT_EQ(here->bundles->latest({"lab", "d'ata"}).error().code, errc::not_found);
  EXPECT_EQ(here->text_of(second), "two");
  // Contexts do not see each other's.
  ASSERT_TRUE(here->bundles->make_context("play"));
  EXPECT_TRUE(good(here->bundles->find({"play"})).empty());
  using named = std::pair<std::string, std::string>;
  EXPECT_EQ(good(here->bundles->contexts()),
            (std::vector<named>{{"lab", "file:///remote"}, {"play", ""}}));
}

TEST_F(Bundles, OfAClockThatIsAheadAreNotTheNewestForEver) {
  auto now = static_cast<uint64_t>(here->time.wall_ns());
  auto ahead = here->with_file(1, "data", "ahead");
  ahead.created_ns = now + 365 * uint64_t{86'400'000'000'000};
  here->add(ahead);
  auto later = here->with_file(2, "data", "later");
  later.created_ns = static_cast<uint64_t>(here->time.wall_ns());
  here->add(later);
  EXPECT_EQ(here->bundles->latest({"lab", "data"})->what.uuid, later.uuid);
  EXPECT_EQ(here->bundles->get(ahead.uuid)->what.created_ns, ahead.created_ns) << "as it was told";
}

TEST_F(Bundles, NeverChangeButForTheirTags) {
  auto x = here->with_file(1, "data", "one");
  here->add(x);
  EXPECT_EQ(here->add(x).version, 1u) << "again is harmless";
  auto other = x;
  other.name = "another";
  EXPECT_EQ(here->bundles->add("lab", other).error().code, errc::already_exists);
  auto tagged = good(here->bundles->tag(x.uuid, {{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(tagged.tags, (text_map{{"a", "1"}, {"b", "2"}}));
  tagged = good(here->bundles->tag(x.uuid, {{"a", ""}}));
  EXPECT_EQ(tagged.tags, (text_map{{"b", "2"}}));
  EXPECT_EQ(tagged.what, x);
  EXPECT_EQ(here->bundles->tag(uuid(9), {}).error().code, errc::not_found);
}

TEST_F(Bundles, AnAliasMeansOneForEver) {
  auto first = here->add(here->with_file(1, "data", "one")).what;
  auto second = here->add(here->with_file(2, "data", "two")).what;
  ASSERT_TRUE(here->bundles->freeze("lab", "release", first.uuid));
  ASSERT_TRUE(here->bundles->freeze("lab", "release", first.uuid));
  EXPECT_EQ(here->bundles->freeze("lab", "release", second.uuid).error().code,
            errc::already_exists);
  EXPECT_EQ(good(here->bundles->frozen("lab", "release")), first.uuid);
  EXPECT_EQ(here->bundles->frozen("lab", "other").error().code, errc::not_found);
}

TEST_F(Bundles, KeepTheLineageOfWhatIsLeft) {
  auto data = here->add(here->with_file(1, "data", "one")).what;
  auto model = here->with_file(2, "model", "two");
  model.sources
    = {{"train", data.uuid, data.processing_name}, {"test", data.uuid, data.processing_name}};
  auto kept = here->add(model);
  ASSERT_TRUE(here->bundles->remove(data.uuid));
  ASSERT_TRUE(here->bundles->remove(data.uuid));
  EXPECT_EQ(here->bundles->latest({"lab", "data"}).error().code, errc::not_found);
  EXPECT_TRUE(good(here->bundles->get(data.uuid)).removed);
  bundle_query everything{"lab"};
  everything.removed = true;
  EXPECT_EQ(good(here->bundles->find(everything)).size(), 2u);
  lineage_request wanted;
  wanted.from = {{node_kind::artifact, kept.artifact}};
  wanted.direction = lineage_direction::upstream;
  auto graph = lineage(here->facts->look(), wanted);
  ASSERT_TRUE(graph);
  ASSERT_EQ(graph->nodes.size(), 4u) << "model, its work, data, its work";
  // The bytes of what was removed go, and no others.
  auto trees = good(here->bundles->trees());
  ASSERT_EQ(trees.size(), 1u);
  sweep_options dry{.now_s = 1'000'000'000, .dry_run = true};
  EXPECT_GT(good(sweep(*here->chunks, trees, dry)).chunks_dropped, 0u);
  EXPECT_EQ(here->text_of(data), "one");
  ASSERT_TRUE(sweep(*here->chunks, trees, {.now_s = 1'000'000'000}));
  ASSERT_TRUE(sweep(*here->chunks, trees, {.now_s = 1'100'000'000}));
  EXPECT_EQ(here->text_of(model), "two");
  EXPECT_NE(here->text_of(data), "one");
  auto audit = audit_metadata(here->disk, [](const std::string& x) { ADD_FAILURE() << x; });
  EXPECT_TRUE(audit);
}

TEST_F(Bundles, WhatWasMadeOfTheSameIsFoundAgain) {
  auto data = here->add(here->with_file(1, "data", "one")).what;
  bundle x;
  x.code = "train.py 7";
  x.name = "model";
  x.parameters = {{"lr", "0.1"}};
  x.sources = {{"data", data.uuid, data.processing_name}};
  auto name = processing_name_of(x);
  EXPECT_EQ(good(find_reusable(here->facts->look(), name)), std::nullopt);
  x.uuid = uuid(2);
  x.processing_name = name;
  auto made = here->add(x);
  auto again = good(find_reusable(here->facts->look(), name));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outputs.at(0).artifact, made.artifact);
  auto other = x;
  other.parameters["lr"] = "0.2";
  EXPECT_NE(processing_name_of(other), name);
  other = x;
  other.sources[0].argument = "labels";
  EXPECT_NE(processing_name_of(other), name);
  ASSERT_TRUE(here->bundles->remove(made.what.uuid));
  EXPECT_EQ(good(find_reusable(here->facts->look(), name)), std::nullopt);
}

TEST_F(Bundles, AChangeTwoLevelsUpIsAnotherName) {
  auto last_of_three = [](const std::string& rate) {
    bundle a;
    a.name = "a";
    a.code = "a@1";
    a.parameters = {{"rate", rate}};
    bundle b;
    b.name = "b";
    b.code = "b@1";
    b.sources = {{"x", uuid(1), processing_name_of(a)}};
    bundle c;
    c.name = "c";
    c.code = "c@1";
    c.sources = {{"x", uuid(2), processing_name_of(b)}};
    return processing_name_of(c);
  };
  EXPECT_NE(last_of_three("1"), last_of_three("2"));
  EXPECT_EQ(last_of_three("1"), last_of_three("1"));
}

TEST_F(Bundles, MoveOverARemoteWithTheirLineage) {
  auto data = here->add(here->with_file(1, "data", "one"), {{"kind", "big"}}).what;
  auto model = here->with_file(2, "model", "two");
  model.sources = {{"data", data.uuid, data.processing_name}};
  here->add(model);
  auto pushed = good(push({data.uuid, model.uuid}));
  EXPECT_EQ(pushed.bundles, 2u);
  EXPECT_GT(pushed.bytes.chunks, 0u);
  auto again = good(push({data.uuid, model.uuid}));
  EXPECT_EQ(again.bundles, 0u);
  EXPECT_EQ(again.bytes.chunks, 0u);
  // The model with its bytes, and of what it was made of the record.
  pull_request wanted{"lab", "model"};
  auto pulled = good(pull_bundles(*there->bundles, wanted, *remote));
  EXPECT_EQ(pulled.bundles, 2u);
  EXPECT_EQ(there->text_of(model), "two");
  EXPECT_NE(there->text_of(data), "one");
  EXPECT_EQ(good(there->bundles->get(data.uuid)).tags, (text_map{{"kind", "big"}}));
  lineage_request upstream;
  upstream.from = {{node_kind::artifact, good(there->bundles->get(model.uuid)).artifact}};
  upstream.direction = lineage_direction::upstream;
  EXPECT_EQ(lineage(there->facts->look(), upstream)->nodes.size(), 4u);
  // Then the rest of the bytes.
  EXPECT_EQ(good(pull_bundles(*there->bundles, {"lab"}, *remote)).bundles, 0u);
  EXPECT_EQ(there->text_of(data), "one");
  EXPECT_EQ(good(list_bundles(*remote, "lab")).size(), 2u);
  EXPECT_EQ(good(trees_of_remote(*remote)).size(), 2u);
  ASSERT_TRUE(remove_bundle(*remote, "lab", data.uuid));
  ASSERT_TRUE(remove_bundle(*remote, "lab", data.uuid));
  EXPECT_EQ(good(list_bundles(*remote, "lab")).size(), 1u);
}

TEST_F(Bundles, WhatIsRemovedFromARemoteStaysInTheLineageThere) {
  auto data = here->add(here->with_file(1, "data", "one"), {{"kind", "big"}}).what;
  auto model = here->with_file(2, "model", "two");
  model.sources = {{"data", data.uuid, data.processing_name}};
  here->add(model);
  ASSERT_TRUE(push({data.uuid, model.uuid}));
  // Killed in between it is not removed, and said again it is.
  stopping_objects cut(*remote, 1);
  EXPECT_FALSE(remove_bundle(cut, "lab", data.uuid));
  EXPECT_EQ(good(get_bundle(*remote, "lab", data.uuid)), data);
  EXPECT_EQ(good(list_bundles(*remote, "lab")).size(), 2u);
  ASSERT_TRUE(remove_bundle(*remote, "lab", data.uuid));
  EXPECT_EQ(get_bundle(*remote, "lab", data.uuid).error().code, errc::not_found);
  EXPECT_EQ(good(trees_of_remote(*remote)).size(), 1u) << "its bytes go";

  EXPECT_EQ(good(pull_bundles(*there->bundles, {"lab"}, *remote)).bundles, 2u);
  auto gone = good(there->bundles->get(data.uuid));
  EXPECT_TRUE(gone.removed);
  EXPECT_EQ(gone.what, data);
  EXPECT_EQ(gone.tags, (text_map{{"kind", "big"}}));
  EXPECT_EQ(there->text_of(model), "two");
  lineage_request upstream;
  upstream.from = {{node_kind::artifact, good(there->bundles->get(model.uuid)).artifact}};
  upstream.direction = lineage_direction::upstream;
  EXPECT_EQ(lineage(there->facts->look(), upstream)->nodes.size(), 4u);
  pull_request one{"lab", {}, {data.uuid}};
  EXPECT_EQ(pull_bundles(*there->bundles, one, *remote).error().code, errc::not_found);
  ASSERT_TRUE(pull_bundles(*here->bundles, {"lab"}, *remote));
  EXPECT_FALSE(good(here->bundles->get(data.uuid)).removed) << "what is here already stays";

  EXPECT_EQ(good(push({data.uuid})).bundles, 1u);
  ASSERT_TRUE(pull_bundles(*there->bundles, one, *remote));
  EXPECT_FALSE(good(there->bundles->get(data.uuid)).removed);
  EXPECT_EQ(there->text_of(data), "one");
}

TEST_F(Bundles, TheTagsOfTheLastPushHold) {
  auto data = here->add(here->with_file(1, "data", "one"), {{"a", "1"}}).what;
  ASSERT_TRUE(push({data.uuid}));
  ASSERT_TRUE(here->bundles->tag(data.uuid, {{"a", "2"}}));
  ASSERT_TRUE(push({data.uuid}));
  ASSERT_TRUE(push({data.uuid}));
  ASSERT_TRUE(pull_bundles(*there->bundles, {"lab"}, *remote));
  EXPECT_EQ(good(there->bundles->get(data.uuid)).tags, (text_map{{"a", "2"}}));
  size_t objects = 0;
  ASSERT_TRUE(remote->list("tags/", [&](auto, auto) { return ++objects; }));
  EXPECT_EQ(objects, 2u) << "the same again is not put again";
}

TEST_F(Bundles, WhatIsRemovedHereComesBackByItsUuidOnly) {
  auto data = here->add(here->with_file(1, "data", "one")).what;
  ASSERT_TRUE(push({data.uuid}));
  ASSERT_TRUE(here->bundles->remove(data.uuid));
  EXPECT_EQ(push({data.uuid}).error().code, errc::not_found);
  ASSERT_TRUE(pull_bundles(*here->bundles, {"lab"}, *remote));
  EXPECT_TRUE(good(here->bundles->get(data.uuid)).removed);
  ASSERT_TRUE(pull_bundles(*here->bundles, {"lab", {}, {data.uuid}}, *remote));
  EXPECT_FALSE(good(here->bundles->get(data.uuid)).removed);
  EXPECT_EQ(good(here->bundles->latest({"lab", "data"})).what, data);
}

// A push that is cut anywhere leaves nothing half there, and goes on when it is said again.
TEST_F(Bundles, APushThatIsCutIsInvisibleUntilItIsWhole) {
  std::vector<std::string> uuids;
  for (uint64_t n = 1; n <= 3; ++n)
    uuids.push_back(
      here->add(here->with_file(n, "data", std::to_string(n)), {{"n", "x"}}).what.uuid);
  for (int64_t changes = 0;; ++changes) {
    stopping_objects cut(*remote, changes);
    auto pushed = push_bundles(*here->bundles, uuids, cut);
    // What is listed can be pulled, with all that it holds.
    machine fresh(scratch.path + "/fresh-" + std::to_string(changes));
    auto pulled = pull_bundles(*fresh.bundles, {"lab"}, *remote);
    ASSERT_TRUE(pulled) << pulled.error().text;
    for (const auto& each : good(list_bundles(*remote, "lab")))
      EXPECT_EQ(fresh.text_of(each), std::to_string(each.created_ns - 1000));
    if (pushed)
      break;
    ASSERT_LT(changes, 50);
  }
  EXPECT_EQ(good(list_bundles(*remote, "lab")).size(), 3u);
}

TEST_F(Bundles, RefuseARemoteThatLies) {
  auto data = here->add(here->with_file(1, "data", "one")).what;
  ASSERT_TRUE(push({data.uuid}));
  ASSERT_TRUE(remote->put("bundles/lab/" + uuid(8), encode(data)));
  auto pulled = pull_bundles(*there->bundles, {"lab"}, *remote);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, errc::corrupt);
  EXPECT_EQ(there->bundles->find({"lab"}).error().code, errc::not_found) << "nothing was added";
  ASSERT_TRUE(remove_bundle(*remote, "lab", uuid(8)));
  ASSERT_TRUE(remote->put("bundles/lab/" + uuid(9), "garbage"));
  EXPECT_EQ(pull_bundles(*there->bundles, {"lab"}, *remote).error().code, errc::corrupt);
  pull_request one{"lab", {}, {data.uuid}};
  EXPECT_TRUE(pull_bundles(*there->bundles, one, *remote)) << "the others are well";
  one.uuids = {uuid(77)};
  EXPECT_EQ(pull_bundles(*there->bundles, one, *remote).error().code, errc::not_found);
  EXPECT_EQ(pull_bundles(*there->bundles, {"../x"}, *remote).error().code, errc::invalid);
}

} // namespace
} // namespace troupe::storage
