// A repository of bundles as a remote of others.
#include "storage/bundles/bundle_remote.hpp"
#include "storage/bundles/repository_objects.hpp"
#include "storage/bytes/sweep.hpp"
#include "storage/metadata/lineage.hpp"
#include "tests/support/bundle_machine.hpp"
#include "tests/support/scratch_directory.hpp"

namespace troupe::storage {
namespace {

using testing::good;
using testing::machine;
using testing::uuid;

class RepositoryObjects : public ::testing::Test {
protected:
  RepositoryObjects() : here(scratch.path + "/a"), there(scratch.path + "/b") {
    EXPECT_TRUE(here.bundles->make_context("lab"));
    remote = std::make_unique<repository_objects>(*there.bundles);
    data = here.add(here.with_file(1, "data", "one"), {{"kind", "big"}}).what;
    model = here.with_file(2, "model", "two");
    model.sources = {{"train", data.uuid, data.processing_name}};
    here.add(model);
  }

  std::vector<std::string> listed(std::string_view prefix) {
    std::vector<std::string> out;
    EXPECT_TRUE(remote->list(prefix, [&](std::string_view name, uint64_t bytes) {
      auto whole = remote->get(name);
      EXPECT_TRUE(whole) << name;
      EXPECT_EQ(whole ? whole->size() : 0, bytes) << name;
      EXPECT_EQ(good(remote->size(name)), bytes) << name;
      out.emplace_back(name);
      return true;
    }));
    EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
    return out;
  }

  scratch_directory scratch;
  machine here;
  machine there;
  std::unique_ptr<repository_objects> remote;
  bundle data;
  bundle model;
};

TEST_F(RepositoryObjects, WhatIsPushedIsABundleThereWithItsLineage) {
  auto moved = good(push_bundles(*here.bundles, std::vector{model.uuid, data.uuid}, *remote));
  EXPECT_EQ(moved.bundles, 2u);
  auto found = good(there.bundles->latest({"lab", "model"}));
  EXPECT_EQ(found.what, model);
  EXPECT_EQ(there.text_of(model), "two");
  EXPECT_EQ(good(there.bundles->get(data.uuid)).tags, (text_map{{"kind", "big"}}));
  lineage_request upstream;
  upstream.from = {{node_kind::artifact, found.artifact}};
  upstream.direction = lineage_direction::upstream;
  EXPECT_EQ(lineage(there.facts->look(), upstream)->nodes.size(), 4u) << "said in any order";
  moved = good(push_bundles(*here.bundles, std::vector{model.uuid, data.uuid}, *remote));
  EXPECT_EQ(moved.bundles + moved.bytes.chunks, 0u);
}

TEST_F(RepositoryObjects, WhatIsThereIsPulledFromIt) {
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid, model.uuid}, *remote));
  machine third(scratch.path + "/c");
  auto pulled = pull_bundles(*third.bundles, {"lab", "model"}, *remote);
  ASSERT_TRUE(pulled) << pulled.error().text;
  EXPECT_EQ(pulled->bundles, 2u) << "with the record of its source";
  EXPECT_EQ(third.text_of(model), "two");
  EXPECT_EQ(good(third.bundles->get(data.uuid)).tags, (text_map{{"kind", "big"}}));
  ASSERT_TRUE(there.bundles->remove(data.uuid));
  EXPECT_EQ(good(list_bundles(*remote, "lab")).size(), 1u);
}

TEST_F(RepositoryObjects, TheTagsOfTheLastPushHoldAndNoOthers) {
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid}, *remote));
  ASSERT_TRUE(there.bundles->tag(data.uuid, {{"theirs", "1"}}));
  ASSERT_TRUE(here.bundles->tag(data.uuid, {{"kind", "small"}}));
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid}, *remote));
  EXPECT_EQ(good(there.bundles->get(data.uuid)).tags, (text_map{{"kind", "small"}}));
  ASSERT_TRUE(here.bundles->tag(data.uuid, {{"kind", ""}}));
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid}, *remote));
  EXPECT_TRUE(good(there.bundles->get(data.uuid)).tags.empty());
}

TEST_F(RepositoryObjects, AreListedInOrderWithTheOthers) {
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid, model.uuid}, *remote));
  auto all = listed("");
  ASSERT_EQ(all.size(), 3u + 4u) << "two records, one with tags; of files and of trees a pack";
  EXPECT_EQ(all[0], "bundles/lab/" + data.uuid);
  EXPECT_TRUE(all[2].starts_with("index/"));
  EXPECT_TRUE(all[5].starts_with("packs/"));
  EXPECT_TRUE(all[6].starts_with("tags/lab/" + data.uuid + "/"));
  EXPECT_EQ(listed("bundles/lab/").size(), 2u);
  EXPECT_EQ(listed("bundles/la").size(), 2u);
  EXPECT_EQ(listed("bundles/lab/" + model.uuid).size(), 1u);
  EXPECT_EQ(listed("tags/lab/" + model.uuid + "/").size(), 0u);
  EXPECT_EQ(listed("bundles/none/").size(), 0u);
  EXPECT_EQ(listed("packs/").size(), 2u);
  size_t seen = 0;
  EXPECT_TRUE(remote->list("", [&](auto, auto) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2u) << "it ends where it is told to";
}

TEST_F(RepositoryObjects, RefuseWhatIsNoBundle) {
  auto record = encode(data);
  auto is_refused = [&](const std::string& name, const std::string& bytes, errc code) {
    auto put = remote->put(name, bytes);
    ASSERT_FALSE(put) << name;
    EXPECT_EQ(put.error().code, code) << put.error().text;
  };
  is_refused("bundles/lab/" + uuid(9), record, errc::invalid);
  is_refused("bundles/lab/" + data.uuid, "garbage", errc::corrupt);
  is_refused("bundles/lab", record, errc::invalid);
  is_refused("bundles/lab/" + data.uuid + "/x", record, errc::invalid);
  is_refused("bundles/../" + data.uuid, record, errc::invalid);
  is_refused("tags/lab/" + data.uuid, encode_tags({}), errc::invalid);
  is_refused("tags/lab/" + data.uuid + "/1", encode_tags({}), errc::not_found);
  EXPECT_TRUE(good(there.bundles->contexts()).empty()) << "nothing was changed";
  EXPECT_EQ(remote->get("bundles/lab/" + data.uuid).error().code, errc::not_found);
  EXPECT_EQ(remote->get("bundles/").error().code, errc::not_found);
  ASSERT_TRUE(remote->put("bundles/lab/" + data.uuid, record));
  EXPECT_EQ(remote->get("bundles/elsewhere/" + data.uuid).error().code, errc::not_found);
  EXPECT_EQ(good(remote->get("bundles/lab/" + data.uuid, 3, 4)), record.substr(3, 4));
  auto other = data;
  other.name = "another";
  is_refused("bundles/lab/" + data.uuid, encode(other), errc::already_exists);
  ASSERT_TRUE(remote->remove("bundles/lab/" + data.uuid));
  ASSERT_TRUE(remote->remove("bundles/lab/" + data.uuid));
  EXPECT_TRUE(good(there.bundles->get(data.uuid)).removed);
  ASSERT_TRUE(remote->put("bundles/lab/" + data.uuid, record));
  EXPECT_FALSE(good(there.bundles->get(data.uuid)).removed) << "put again, it is back";
}

// Records that came without their bytes are no roots: a sweep would stop at them.
TEST_F(RepositoryObjects, TreesThatAreElsewhereAreNoRoots) {
  ASSERT_TRUE(push_bundles(*here.bundles, std::vector{data.uuid, model.uuid}, *remote));
  machine third(scratch.path + "/c");
  ASSERT_TRUE(pull_bundles(*third.bundles, {"lab", "model"}, *remote));
  auto all = good(third.bundles->trees());
  EXPECT_EQ(all.size(), 2u);
  EXPECT_FALSE(sweep(*third.chunks, all, {.now_s = 1}));
  auto roots = good(trees_that_are_here(*third.chunks, all));
  ASSERT_EQ(roots.size(), 1u);
  EXPECT_EQ(roots[0].digits(), model.tree);
  EXPECT_TRUE(sweep(*third.chunks, roots, {.now_s = 1}));
  EXPECT_EQ(third.text_of(model), "two");
}

} // namespace
} // namespace troupe::storage
