// Objects in a real S3 server on this machine.
#include "tests/e2e/s3_fixture.hpp"

#include <algorithm>
#include <thread>

namespace troupe::storage {
namespace {

// Real time, or as far from it as a test wants.
class shifted_clock final : public clock {
public:
  explicit shifted_clock(duration shift) : shift_(shift) {}
  time_point now() const override { return system_clock{}.now(); }
  int64_t wall_ns() const override { return system_clock{}.wall_ns() + shift_.count(); }

private:
  duration shift_;
};

TEST_F(S3Objects, GiveBackWhatWasPut) {
  auto store = open("basic/");
  for (size_t size : {size_t{0}, size_t{1}, size_t{100'000}, 9 * mib}) {
    auto name = "a/b-" + std::to_string(size);
    auto bytes = random_bytes(size, size);
    auto before = store->size(name);
    ASSERT_TRUE(before) << before.error().text;
    EXPECT_FALSE(*before);
    auto put = store->put(name, bytes);
    ASSERT_TRUE(put) << put.error().text;
    EXPECT_EQ(store->size(name).operator*(), size);
    auto got = store->get(name, 0, object_store::to_the_end);
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_TRUE(*got == bytes);
  }
}

TEST_F(S3Objects, GiveTheRangeThatIsAskedFor) {
  auto store = open("range/");
  auto bytes = random_bytes(9 * mib, 2);
  ASSERT_TRUE(store->put("x", bytes));
  ASSERT_TRUE(store->put("empty", ""));
  auto end = object_store::to_the_end;
  for (auto [offset, count] : std::vector<std::pair<uint64_t, uint64_t>>{{0, 10},
                                                                         {5, 1},
                                                                         {bytes.size() - 1, 10},
                                                                         {bytes.size(), 10},
                                                                         {bytes.size() + 1, end},
                                                                         {7, 0},
                                                                         {end, end},
                                                                         {8 * mib - 1, 2},
                                                                         {3, end},
                                                                         {0, bytes.size()}}) {
    auto got = store->get("x", offset, count);
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_TRUE(*got == bytes.substr(std::min<uint64_t>(offset, bytes.size()), count))
      << offset << " " << count;
    EXPECT_EQ(*store->get("empty", offset, count), "");
    EXPECT_EQ(store->get("none", offset, count).error().code, errc::not_found);
  }
}

TEST_F(S3Objects, OfAnotherNameAreNotThere) {
  auto store = open("none/");
  expect_error(store->get("a/b", 0, 5).error(), errc::not_found, "there is no such object");
  EXPECT_FALSE(*store->size("a/b"));
  EXPECT_TRUE(store->remove("a/b"));
  EXPECT_TRUE(listed(*store).empty());
}

TEST_F(S3Objects, StayAsTheyWere) {
  auto store = open("same/");
  ASSERT_TRUE(store->put("x", "first"));
  EXPECT_TRUE(store->put("x", "first"));
  EXPECT_TRUE(store->put("x", "other"));
  EXPECT_EQ(*store->get("x", 0, 100), "first");
  ASSERT_TRUE(store->remove("x"));
  EXPECT_FALSE(*store->size("x"));
  EXPECT_TRUE(store->put("x", "other"));
  EXPECT_EQ(*store->get("x", 0, 100), "other");
}

TEST_F(S3Objects, RefuseNamesAndSizesBeyondTheirLimits) {
  auto store = open("limits/");
  auto before = relay_->connections();
  for (auto* name : {"", "A", "a b", "../a", "a//b", "a/"}) {
    EXPECT_EQ(store->put(name, "x").error().code, errc::invalid);
    EXPECT_EQ(store->get(name, 0, 1).error().code, errc::invalid);
    EXPECT_EQ(store->size(name).error().code, errc::invalid);
    EXPECT_EQ(store->remove(name).error().code, errc::invalid);
  }
  EXPECT_EQ(store->put("a", std::string(object_size_max + 1, 'x')).error().code, errc::invalid);
  EXPECT_EQ(relay_->connections(), before);
}

TEST_F(S3Objects, AreListedOverManyPages) {
  auto store = open("many/");
  auto name = [](int i) { return "d" + std::to_string(i % 3) + "/" + std::to_string(10'000 + i); };
  auto client = *s3_client::make(options("troupe"), tester(), around());
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&, writer] {
      for (int i = writer; i < 1'020; i += 4) {
        std::string bytes(static_cast<size_t>(i % 7), 'x');
        auto put = client->ask({.method = "PUT", .name = "many/" + name(i), .body = bytes});
        EXPECT_TRUE(put && put->status == 200);
      }
    });
  for (auto& each : writers)
    each.join();
  auto all = listed(*store);
  ASSERT_EQ(all.size(), 1'020u);
  for (int i = 0; i < 1'020; ++i)
    EXPECT_EQ(all[name(i)], static_cast<uint64_t>(i % 7));
  EXPECT_EQ(listed(*store, "d1/").size(), 340u);
  EXPECT_EQ(listed(*store, "d1/100").size(), 33u);
  int visits = 0;
  EXPECT_TRUE(store->list("", [&](auto, auto) { return ++visits < 5; }));
  EXPECT_EQ(visits, 5);
}

TEST_F(S3Objects, OfOthersAreNotListed) {
  auto store = open("mixed/");
  auto client = *s3_client::make(options("troupe"), tester(), around());
  for (auto* key : {"mixed/Upper", "mixed/a b+c", "mixed/\xc3\xa4&<", "mixed/z//y", "mixe"}) {
    auto put = client->ask({.method = "PUT", .name = key, .body = "x"});
    ASSERT_TRUE(put && put->status == 200) << key;
  }
  ASSERT_TRUE(store->put("ours", "x"));
  auto all = listed(*store);
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(all.count("ours"), 1u);
}

TEST_F(S3Objects, AreFoundInBothStylesOfUrls) {
  auto with = options("troupe");
  with.style = s3_style::virtual_host;
  with.endpoint = "http://localhost:" + std::to_string(relay_->port());
  auto store = open("styles/", with);
  auto put = store->put("x", "by host");
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_EQ(*open("styles/")->get("x", 0, 100), "by host");
  EXPECT_EQ(listed(*store).size(), 1u);
}

TEST_F(S3Objects, AreRefusedToAWrongKey) {
  for (auto& [who, what] : std::map<std::string, s3_credentials>{
         {"SignatureDoesNotMatch", {s3_server::key_id, "wrong-secret", ""}},
         {"InvalidAccessKeyId", {"nobody", "testing", ""}},
         {"AccessDenied", {"troupe:guest", "visiting", ""}}}) {
    auto with = options("troupe");
    auto store = std::move(*s3_objects::make(with, what, around()));
    auto before = relay_->sent();
    auto error = store->put("x", random_bytes(16 * mib, 1)).error();
    expect_error(error, errc::refused, "check the key");
    EXPECT_EQ(error.text.find(what.secret), std::string::npos);
    EXPECT_LT(relay_->sent() - before, 16 * mib);
    EXPECT_EQ(store->get("x", 0, 1).error().code, errc::refused);
    EXPECT_EQ(store->size("x").error().code, errc::refused);
    EXPECT_EQ(store->remove("x").error().code, errc::refused);
    EXPECT_EQ(store->list("", [](auto, auto) { return true; }).error().code, errc::refused) << who;
  }
}

TEST_F(S3Objects, NeedABucketThatIsThere) {
  auto store = open("", options("elsewhere"));
  expect_error(store->put("x", "y").error(), errc::not_found, "there is no such bucket");
  expect_error(store->put("x", random_bytes(17 * mib, 1)).error(), errc::not_found,
               "there is no such bucket");
  expect_error(store->get("x", 0, 1).error(), errc::not_found, "there is no such bucket");
  expect_error(store->size("x").error(), errc::not_found, "there is no such bucket");
  expect_error(store->remove("x").error(), errc::not_found, "there is no such bucket");
  expect_error(store->list("", [](auto, auto) { return true; }).error(), errc::not_found,
               "there is no such bucket");
}

TEST_F(S3Objects, SayHowFarTheClocksAreApart) {
  for (auto shift : {duration{-2h}, duration{2h}}) {
    shifted_clock time{shift};
    auto store = std::move(*s3_objects::make(options("troupe"), tester(), around(time)));
    for (auto& error : {store->put("x", "y").error(), store->size("x").error()}) {
      expect_error(error, errc::refused, shift < 0s ? " s behind the server's" : " s ahead of");
      EXPECT_TRUE(error.text.find(" 7200 s ") != std::string::npos
                  || error.text.find(" 7199 s ") != std::string::npos
                  || error.text.find(" 7201 s ") != std::string::npos)
        << error.text;
    }
  }
}

} // namespace
} // namespace troupe::storage
