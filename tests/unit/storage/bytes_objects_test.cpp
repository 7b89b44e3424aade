#include "storage/bytes/directory_objects.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

class DirectoryObjects : public ::testing::Test {
protected:
  std::unique_ptr<directory_objects> open(const leftovers& remove = {}) const {
    auto out = directory_objects::open(root, remove);
    EXPECT_TRUE(out) << out.error().text;
    return std::move(*out);
  }

  static std::vector<std::string> names(const object_store& objects,
                                        const std::string& prefix = "") {
    std::vector<std::string> out;
    EXPECT_TRUE(objects.list(prefix, [&](std::string_view name, uint64_t) {
      out.emplace_back(name);
      return true;
    }));
    return out;
  }

  // Files below the directory, whatever they are called.
  size_t files() const {
    size_t out = 0;
    for (auto& each : fs::recursive_directory_iterator{root})
      out += each.is_regular_file() ? 1 : 0;
    return out;
  }

  scratch_directory scratch;
  const std::string root = scratch.path + "/objects";
};

TEST_F(DirectoryObjects, KeepWhatIsPut) {
  auto objects = open();
  ASSERT_TRUE(objects->put("packs/ab/abcd", "content"));
  ASSERT_TRUE(objects->put("packs/ab/abcd", "content"));
  ASSERT_TRUE(objects->put("empty", ""));
  auto again = open();
  EXPECT_EQ(*again->get("packs/ab/abcd"), "content");
  EXPECT_EQ(*again->get("packs/ab/abcd", 3), "tent");
  EXPECT_EQ(*again->get("packs/ab/abcd", 3, 2), "te");
  EXPECT_EQ(*again->get("packs/ab/abcd", 9, 2), "");
  EXPECT_EQ(*again->size("packs/ab/abcd"), std::optional<uint64_t>{7});
  EXPECT_EQ(*again->size("empty"), std::optional<uint64_t>{0});
  EXPECT_EQ(*again->size("packs/ab"), std::nullopt);
  EXPECT_EQ(*again->size("none/at/all"), std::nullopt);
  EXPECT_EQ(again->get("none/at/all").error().code, errc::not_found);
  EXPECT_EQ(again->get("packs/ab").error().code, errc::not_found);
  EXPECT_EQ(again->put("packs/ab", "x").error().code, errc::invalid);
  EXPECT_EQ(again->put("empty/below", "x").error().code, errc::invalid);
  ASSERT_TRUE(again->remove("packs/ab/abcd"));
  ASSERT_TRUE(again->remove("packs/ab/abcd"));
  ASSERT_TRUE(again->remove("packs/ab"));
  EXPECT_EQ(names(*objects), std::vector<std::string>{"empty"});
}

TEST_F(DirectoryObjects, AreListedInTheOrderOfTheirNames) {
  auto objects = open();
  const std::vector<std::string> sorted{"a-b", "a.b", "a/b", "a/c/d", "a0", "ab/c", "b"};
  for (auto each = sorted.rbegin(); each != sorted.rend(); ++each)
    ASSERT_TRUE(objects->put(*each, "x"));
  EXPECT_EQ(names(*objects), sorted);
  EXPECT_EQ(names(*objects, "a/"), (std::vector<std::string>{"a/b", "a/c/d"}));
  EXPECT_EQ(names(*objects, "ab"), (std::vector<std::string>{"ab/c"}));
  EXPECT_EQ(names(*objects, "a/c/dd"), std::vector<std::string>{});
  std::vector<std::string> first;
  ASSERT_TRUE(objects->list("", [&](std::string_view name, uint64_t) {
    first.emplace_back(name);
    return first.size() < 3;
  }));
  EXPECT_EQ(first, (std::vector<std::string>{"a-b", "a.b", "a/b"}));
}

TEST_F(DirectoryObjects, RefuseOtherNames) {
  auto objects = open();
  for (std::string bad :
       {"", "/", "a//b", "/a", "a/", ".", "..", "a/../b", "A", "a b", "a~b", "ä", "a\nb"})
    EXPECT_EQ(objects->put(bad, "x").error().code, errc::invalid) << bad;
  EXPECT_FALSE(check_object_name(std::string(257, 'a')));
  EXPECT_TRUE(check_object_name(std::string(256, 'a')));
  EXPECT_EQ(objects->put(std::string(256, 'a'), "x").error().code, errc::invalid);
  EXPECT_TRUE(objects->put(std::string(255, 'a'), "x"));
  EXPECT_EQ(names(*objects).size(), 1u);
}

TEST_F(DirectoryObjects, DoNotFollowLinks) {
  auto objects = open();
  fs::create_directories(scratch.path + "/outside");
  std::ofstream{scratch.path + "/outside/file"} << "secret";
  fs::create_directory_symlink(scratch.path + "/outside", root + "/folder");
  fs::create_symlink(scratch.path + "/outside/file", root + "/file");
  EXPECT_EQ(objects->get("folder/file").error().code, errc::not_found);
  EXPECT_EQ(objects->get("file").error().code, errc::not_found);
  EXPECT_EQ(*objects->size("file"), std::nullopt);
  EXPECT_EQ(*objects->size("folder/file"), std::nullopt);
  EXPECT_EQ(names(*objects), std::vector<std::string>{});
  EXPECT_FALSE(objects->put("folder/new", "x"));
  EXPECT_TRUE(objects->remove("folder/file"));
  EXPECT_TRUE(objects->remove("file"));
  EXPECT_TRUE(fs::exists(scratch.path + "/outside/file"));
  EXPECT_FALSE(fs::exists(scratch.path + "/outside/new"));
}

TEST_F(DirectoryObjects, HideWhatIsHalfWrittenAndRemoveItWhenItIsOld) {
  ASSERT_TRUE(open()->put("a/b", "x"));
  std::ofstream{root + "/a/part~ABCdef"} << "half";
  struct stat facts {};
  ASSERT_EQ(::stat((root + "/a/part~ABCdef").c_str(), &facts), 0);
  auto written = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec;
  EXPECT_EQ(names(*open()), std::vector<std::string>{"a/b"});
  EXPECT_EQ(names(*open({written + 59'000'000'000, std::chrono::seconds{60}})).size(), 1u);
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(names(*open({written + 60'000'000'000, std::chrono::seconds{60}})).size(), 1u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(DirectoryObjects, LeaveNothingWhenTheDiskIsFull) {
  auto objects = open();
  ASSERT_TRUE(objects->put("good", std::string(1000, 'x')));
  auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit whole{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &whole), 0);
  rlimit little{10'000, whole.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  auto put = objects->put("folder/large", std::string(20'000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &whole), 0);
  std::signal(SIGXFSZ, before);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, errc::io);
  EXPECT_NE(put.error().text.find("free some room"), std::string::npos) << put.error().text;
  EXPECT_EQ(names(*objects), std::vector<std::string>{"good"});
  EXPECT_EQ(files(), 1u);
  EXPECT_TRUE(objects->put("folder/large", std::string(20'000, 'x')));
}

TEST_F(DirectoryObjects, TakeTheSameFromSeveralAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([this] {
      auto objects = open();
      for (int n = 0; n < 10; ++n)
        EXPECT_TRUE(objects->put("a/" + std::to_string(n), std::string(1000, 'x')));
    });
  for (auto& each : threads)
    each.join();
  EXPECT_EQ(names(*open()).size(), 10u);
  EXPECT_EQ(files(), 10u);
}

} // namespace
} // namespace troupe::storage
