// The bundles of a cluster, served by its desk and asked for by a client, over a real socket.
#include "actors/lineage/bundle_client.hpp"
#include "actors/lineage/bundle_desk.hpp"
#include "actors/lineage/bundle_messages.hpp"
#include "runtime/base/random.hpp"
#include "storage/bundles/bundle_remote.hpp"
#include "storage/bundles/repository_objects.hpp"
#include "tests/support/bundle_machine.hpp"
#include "tests/support/two_nodes.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using storage::text_map;
using storage::testing::good;
using storage::testing::machine;
using storage::testing::uuid;

std::string random_text(size_t bytes, uint64_t seed) {
  random_source chance(seed);
  std::string out(bytes, '\0');
  for (auto& each : out)
    each = static_cast<char>(chance.next());
  return out;
}

class BundleDesk : public ::testing::Test {
protected:
  BundleDesk() : there(scratch.path + "/there"), here(scratch.path + "/here") {
    server = std::make_unique<testing::test_node>("master", incarnation{1});
    auto desk = std::make_unique<bundle_desk>(*there.bundles, *there.objects,
                                              scratch.path + "/uploads", time);
    auto spawned = spawn_bundle_desk(server->system, std::move(desk));
    server->owned.push_back(caf::actor_cast<caf::actor>(spawned));
    server->link.publish<bundle_api>("bundles", spawned);
    EXPECT_TRUE(server->carrier->listen("local:" + scratch.path + "/master.sock"));
    EXPECT_TRUE(link.open(10s));
    objects = std::make_unique<cluster_objects>(link);
    chunks = std::move(*storage::chunk_store::open(*objects));
    bundles = std::make_unique<cluster_bundles>(link, *chunks);
    EXPECT_TRUE(bundles->make_context("lab", "s3://b/lab"));
  }

  std::vector<std::string> listed(std::string_view prefix) {
    std::vector<std::string> out;
    EXPECT_TRUE(objects->list(prefix, [&](std::string_view name, uint64_t) {
      out.emplace_back(name);
      return true;
    }));
    return out;
  }

  scratch_directory scratch;
  system_clock time;
  machine there;
  machine here;
  std::unique_ptr<testing::test_node> server;
  client_link link{scratch.path, 20s};
  std::unique_ptr<cluster_objects> objects;
  std::unique_ptr<storage::chunk_store> chunks;
  std::unique_ptr<cluster_bundles> bundles;
};

TEST_F(BundleDesk, ARepositoryIsTheSameThroughMessages) {
  using named = std::pair<std::string, std::string>;
  EXPECT_EQ(good(bundles->contexts()), (std::vector<named>{{"lab", "s3://b/lab"}}));
  auto x = here.with_file(1, "data", "one");
  auto added = good(bundles->add("lab", x, {{"kind", "big"}}));
  EXPECT_EQ(added.what, x);
  EXPECT_EQ(added.context, "lab");
  EXPECT_EQ(good(bundles->add("lab", x)).version, added.version) << "again is harmless";
  auto other = x;
  other.name = "another";
  EXPECT_EQ(bundles->add("lab", other).error().code, errc::already_exists);
  EXPECT_EQ(good(bundles->get(x.uuid)).tags, (text_map{{"kind", "big"}}));
  EXPECT_EQ(good(bundles->tag(x.uuid, {{"kind", ""}, {"a", "b"}})).tags, (text_map{{"a", "b"}}));
  EXPECT_EQ(good(bundles->latest({"lab", "data"})).what, x);
  EXPECT_EQ(bundles->latest({"lab", "none"}).error().code, errc::not_found);
  EXPECT_EQ(bundles->get(uuid(9)).error().code, errc::not_found);
  EXPECT_EQ(bundles->get("").error().code, errc::not_found);
  ASSERT_TRUE(bundles->freeze("lab", "first", x.uuid));
  EXPECT_EQ(good(bundles->frozen("lab", "first")), x.uuid);
  EXPECT_EQ(bundles->frozen("lab", "second").error().code, errc::not_found);
  EXPECT_EQ(good(bundles->trees()).size(), 1u);
  ASSERT_TRUE(bundles->remove(x.uuid));
  EXPECT_TRUE(good(bundles->find({"lab"})).empty());
  EXPECT_TRUE(good(bundles->trees()).empty());
  EXPECT_EQ(good(bundles->find({"lab", {}, {}, {}, true})).size(), 1u);
  EXPECT_EQ(bundles->find({"nowhere"}).error().code, errc::not_found);
}

TEST_F(BundleDesk, MoreThanAPageIsFoundOnceAndInOrder) {
  // Of 60 KiB each: a page has but a few.
  constexpr uint64_t many = 40;
  for (uint64_t n = 1; n <= many; ++n) {
    storage::bundle x;
    x.uuid = uuid(n);
    x.name = "data";
    x.created_ns = n;
    x.content = std::string(60 << 10, 'x');
    ASSERT_TRUE(there.bundles->add("lab", x));
  }
  auto all = good(bundles->find({"lab"}));
  ASSERT_EQ(all.size(), many);
  for (uint64_t n = 0; n < many; ++n)
    EXPECT_EQ(all[n].what.created_ns, many - n);
}

TEST_F(BundleDesk, ARecordThatIsTooLargeIsRefused) {
  storage::bundle x;
  x.uuid = uuid(1);
  x.name = "data";
  for (size_t many : {2, 20}) { // too many for the store, and for a message
    for (size_t i = 0; i < many; ++i)
      x.parameters[std::to_string(i)] = std::string(60 << 10, 'x');
    auto added = bundles->add("lab", x);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, errc::invalid) << added.error().text;
  }
  EXPECT_EQ(bundles->get(x.uuid).error().code, errc::not_found);
}

TEST_F(BundleDesk, ObjectsOfAnySizeGoBothWays) {
  for (size_t size :
       {size_t{0}, size_t{1}, object_part_max, object_part_max + 1, 3 * object_part_max + 17}) {
    auto text = random_text(size, size + 1);
    auto name = "packs/" + std::to_string(size);
    ASSERT_TRUE(objects->put(name, text)) << size;
    EXPECT_EQ(good(objects->size(name)), size);
    EXPECT_TRUE(good(objects->get(name)) == text) << size;
    EXPECT_TRUE(good(objects->get(name, 5, 7)) == text.substr(std::min<size_t>(5, size), 7));
    EXPECT_TRUE(good(there.objects->get(name)) == text) << size;
  }
  EXPECT_EQ(good(objects->size("packs/none")), std::nullopt);
  EXPECT_EQ(objects->get("packs/none").error().code, errc::not_found);
  EXPECT_EQ(objects->put("../x", "y").error().code, errc::invalid);
  EXPECT_EQ(objects->get("../x").error().code, errc::invalid);
  EXPECT_EQ(listed("packs/").size(), 5u);
  ASSERT_TRUE(objects->remove("packs/0"));
  ASSERT_TRUE(objects->remove("packs/0"));
  EXPECT_EQ(listed("packs/").size(), 4u);
}

TEST_F(BundleDesk, MoreObjectsThanAPageAreListed) {
  constexpr int many = 1203;
  for (int i = 0; i < many; ++i)
    ASSERT_TRUE(there.objects->put("packs/" + std::to_string(100'000 + i), "x"));
  auto all = listed("packs/");
  EXPECT_EQ(all.size(), static_cast<size_t>(many));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(BundleDesk, BundlesArePushedToAClusterAndPulledFromIt) {
  auto data = here.with_file(1, "data", random_text(3 << 20, 1));
  ASSERT_TRUE(here.bundles->make_context("lab"));
  here.add(data, {{"kind", "big"}});
  auto model = here.with_file(2, "model", "two");
  model.sources = {{"train", data.uuid, data.processing_name}};
  here.add(model);
  storage::repository_objects remote(*bundles);
  auto moved = good(push_bundles(*here.bundles, std::vector{model.uuid, data.uuid}, remote));
  EXPECT_EQ(moved.bundles, 2u);
  EXPECT_EQ(good(there.bundles->latest({"lab", "model"})).what, model);
  EXPECT_EQ(there.text_of(model), "two");
  machine third(scratch.path + "/third");
  ASSERT_TRUE(pull_bundles(*third.bundles, {"lab"}, remote));
  EXPECT_TRUE(third.text_of(data) == here.text_of(data));
  // And the other way: what is kept there is pushed elsewhere.
  auto directory = std::move(*storage::directory_objects::open(scratch.path + "/remote"));
  EXPECT_EQ(good(push_bundles(*bundles, std::vector{model.uuid, data.uuid}, *directory)).bundles,
            2u);
}

put_object_msg part_of(const std::string& name, uint64_t upload, uint64_t offset,
                       const std::string& text, bool last) {
  put_object_msg x;
  x.name = name;
  x.upload = upload;
  x.offset = offset;
  x.bytes = bytes_of(text);
  x.last = last;
  return x;
}

class stopped_clock final : public clock {
public:
  time_point now() const override { return at; }
  int64_t wall_ns() const override { return 0; }

  time_point at{};
};

class ObjectUploads : public ::testing::Test {
protected:
  result<void> put(uint64_t upload, uint64_t offset, const std::string& text, bool last,
                   const std::string& name = "packs/x") {
    return uploads.put(part_of(name, upload, offset, text, last));
  }

  scratch_directory scratch;
  stopped_clock time;
  std::unique_ptr<storage::directory_objects> objects
    = std::move(*storage::directory_objects::open(scratch.path + "/objects"));
  object_uploads uploads{scratch.path + "/uploads", *objects, time};
};

TEST_F(ObjectUploads, AreSeenWhenTheLastPartIsThere) {
  ASSERT_TRUE(put(1, 0, "one ", false));
  ASSERT_TRUE(put(1, 4, "two ", false));
  ASSERT_TRUE(put(1, 4, "two ", false)) << "a part that comes twice";
  EXPECT_EQ(good(objects->size("packs/x")), std::nullopt);
  EXPECT_EQ(put(1, 9, "far", false).error().code, errc::invalid);
  ASSERT_TRUE(put(1, 8, "three", true));
  EXPECT_EQ(good(objects->get("packs/x")), "one two three");
  EXPECT_EQ(uploads.open(), 0u);
  EXPECT_TRUE(put(1, 8, "three", true)) << "the last part that comes twice";
  EXPECT_EQ(put(1, 7, "three", true).error().code, errc::invalid) << "it has another size";
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path + "/uploads"));
}

TEST_F(ObjectUploads, OfOneNameDoNotMix) {
  ASSERT_TRUE(put(1, 0, "aaaa", false));
  ASSERT_TRUE(put(2, 0, "bb", false));
  ASSERT_TRUE(put(2, 2, "cc", true));
  EXPECT_EQ(good(objects->get("packs/x")), "bbcc");
}

TEST_F(ObjectUploads, ThatAreGivenUpGo) {
  ASSERT_TRUE(put(1, 0, "one ", false));
  time.at += object_uploads::idle_max;
  ASSERT_TRUE(put(2, 0, "one ", false));
  EXPECT_EQ(uploads.open(), 2u);
  time.at += 1s;
  ASSERT_TRUE(put(2, 4, "two ", false));
  EXPECT_EQ(uploads.open(), 1u);
  EXPECT_EQ(put(1, 4, "two ", false).error().code, errc::invalid);
}

TEST_F(ObjectUploads, AreBounded) {
  for (uint64_t i = 0; i < object_uploads::uploads_max; ++i)
    ASSERT_TRUE(put(i, 0, "x", false));
  EXPECT_EQ(put(999, 0, "x", false).error().code, errc::queue_full);
  EXPECT_TRUE(put(999, 0, "x", true, "packs/y")) << "what comes whole needs no room";
  EXPECT_EQ(put(1, storage::object_size_max, "x", false).error().code, errc::invalid);
  EXPECT_EQ(put(1, ~uint64_t{0}, "x", false).error().code, errc::invalid);
  EXPECT_EQ(put(1, 0, "x", true, "a/../b").error().code, errc::invalid);
}

} // namespace
} // namespace troupe
