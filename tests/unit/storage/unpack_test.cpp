#include "storage/tree_links.hpp"
#include "storage/tree_remover.hpp"
#include "storage/unpack.hpp"
#include "tests/support/archive_maker.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;
using testing::archive_item;
using testing::archive_maker;

class Unpack : public ::testing::Test {
protected:
  Unpack() : archive_(scratch_.path + "/a"), into_(scratch_.path + "/tree") {}
  ~Unpack() override { remove_tree(into_); }

  void make(const std::vector<archive_item>& items, const std::string& format = "gnutar",
            const std::string& filter = "none") {
    archive_maker made{archive_, format, filter};
    for (auto& each : items)
      made.add(each);
    made.close();
  }

  // The reason; nothing is left, and nothing was made beside the tree.
  std::string refusal(const std::vector<archive_item>& items, const unpack_limits& limits = {}) {
    make(items);
    auto done = unpack(archive_, into_, limits);
    EXPECT_FALSE(fs::exists(fs::symlink_status(into_)));
    std::vector<std::string> found;
    for (auto& each : fs::directory_iterator{scratch_.path})
      found.push_back(each.path().filename());
    EXPECT_EQ(found, std::vector<std::string>{"a"});
    if (done)
      return "none";
    EXPECT_EQ(done.error().code, errc::invalid) << done.error().text;
    EXPECT_EQ(done.error().text.find('\n'), std::string::npos);
    return done.error().text;
  }

  std::string path_of(const std::string& name) const {
    return std::string{into_}.append("/").append(name);
  }

  mode_t mode_of(const std::string& name) const {
    struct stat facts {};
    EXPECT_EQ(::lstat(path_of(name).c_str(), &facts), 0) << name;
    return facts.st_mode & 07777;
  }

  std::string content(const std::string& name) const { return testing::text_of(path_of(name)); }

  static archive_item link(const std::string& name, const std::string& target) {
    return {name, {}, AE_IFLNK, 0777, target, {}, -1};
  }
  static archive_item hard(const std::string& name, const std::string& target) {
    return {name, {}, AE_IFREG, 0644, {}, target, -1};
  }
  static archive_item folder(const std::string& name) {
    return {name, {}, AE_IFDIR, 0755, {}, {}, -1};
  }

  scratch_directory scratch_;
  const std::string archive_, into_;
};

TEST_F(Unpack, MakesWhatEveryFormatHolds) {
  struct form {
    const char *format, *filter;
  };
  for (auto [format, filter] :
       {form{"gnutar", "none"}, form{"pax", "gzip"}, form{"gnutar", "xz"}, form{"gnutar", "zstd"},
        form{"gnutar", "bzip2"}, form{"zip", "none"}}) {
    SCOPED_TRACE(std::string{format}.append(" ").append(filter));
    make({folder("d"),
          {"d/run", "#!/bin/sh\n", AE_IFREG, 04755, {}, {}, -1},
          {"./e/f", "text"},
          link("d/here", "run"),
          link("up", "d/../e/f")},
         format, filter);
    auto done = unpack(archive_, into_);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(done->bytes, 14u);
    EXPECT_EQ(content("d/here"), "#!/bin/sh\n");
    EXPECT_EQ(content("up"), "text");
    EXPECT_EQ(mode_of("d/run"), 0555u) << "executable, and neither writable nor setuid";
    EXPECT_EQ(mode_of("e/f"), 0444u);
    EXPECT_EQ(mode_of("d"), 0555u);
    EXPECT_TRUE(remove_tree(into_));
  }
}

TEST_F(Unpack, KeepsHardLinksTimesAndNamesThatAreNoText) {
  make({{"a", "x"}, hard("b", "a"), {"\xff\xfe", "raw"}, {"\xc3\xa4", "umlaut"}});
  ASSERT_TRUE(unpack(archive_, into_));
  struct stat a {
  }, b{};
  ::stat((into_ + "/a").c_str(), &a);
  ::stat((into_ + "/b").c_str(), &b);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(a.st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(content("\xff\xfe"), "raw");
  EXPECT_EQ(content("\xc3\xa4"), "umlaut");
}

TEST_F(Unpack, RefusesPathsThatLeaveTheTree) {
  for (auto* name : {"/etc/passwd", "../x", "a/../../x", "a/..", "..", "a/b/../../.."})
    EXPECT_NE(
      refusal({{"good", "1"}, {name, "bad"}}).find(std::string{"'"}.append(name).append("'")),
      std::string::npos)
      << name;
}

TEST_F(Unpack, RefusesLinksThatLeaveTheTree) {
  for (auto* target : {"/etc/passwd", "..", "../x", "a/../../x"})
    EXPECT_NE(refusal({link("l", target)}).find("out of the archive"), std::string::npos) << target;
  EXPECT_NE(refusal({link("d/l", "../../x")}).find("'d/l'"), std::string::npos);
}

TEST_F(Unpack, RefusesLinksThatLeaveTheTreeByWayOfOthers) {
  // sub/up is the root, so that ".." behind it is above it, though the words stay inside.
  EXPECT_NE(refusal({folder("sub"), link("sub/up", ".."), link("x", "sub/up/../etc")}).find("'x'"),
            std::string::npos);
  EXPECT_NE(refusal({link("a", "b"), link("b", "a")}).find("out of the archive"), std::string::npos)
    << "a circle leads nowhere";
  EXPECT_NE(
    refusal({folder("d/e"), link("d/e/f", "../.."), link("l", "d/e/f/d/e/f/../../x")}).find("'l'"),
    std::string::npos);
}

TEST_F(Unpack, RefusesWhatIsBelowALink) {
  EXPECT_NE(refusal({folder("d"), link("l", "d"), {"l/x", "1"}}).find("'l'"), std::string::npos);
  EXPECT_NE(refusal({{"l/x", "1"}, link("l", "d")}).find("'l'"), std::string::npos);
  EXPECT_NE(refusal({link("l", "f"), {"l", "1"}}).find("comes twice"), std::string::npos);
  EXPECT_NE(refusal({{"f", "1"}, {"f/x", "1"}}).find("'f'"), std::string::npos);
  EXPECT_NE(refusal({{"f", "1"}, {"f", "2"}}).find("comes twice"), std::string::npos);
}

TEST_F(Unpack, RefusesHardLinksToWhatIsNotInIt) {
  for (auto* target : {"/etc/passwd", "../x", "later", "d", "l"})
    EXPECT_NE(refusal({folder("d"), link("l", "d"), hard("h", target), {"later", "1"}}).find("'h'"),
              std::string::npos)
      << target;
}

TEST_F(Unpack, RefusesDevicesAndPipes) {
  for (auto kind : {AE_IFCHR, AE_IFBLK, AE_IFIFO})
    EXPECT_NE(refusal({{"dev", {}, static_cast<unsigned>(kind), 0666, {}, {}, -1}}).find("'dev'"),
              std::string::npos);
}

TEST_F(Unpack, RefusesMoreEntriesBytesAndPathsThanItsLimits) {
  unpack_limits limits;
  limits.entries = 2;
  limits.bytes = 10;
  make({{"a", "12345"}, {"b", "12345"}});
  EXPECT_TRUE(unpack(archive_, into_, limits)) << "as many as may be";
  remove_tree(into_);
  EXPECT_NE(refusal({{"a", ""}, {"b", ""}, {"c", ""}}, limits).find("'c'"), std::string::npos);
  limits = {};
  limits.bytes = 10;
  EXPECT_NE(refusal({{"a", "12345"}, {"b", "123456"}}, limits).find("'b'"), std::string::npos);
  limits = {};
  EXPECT_NE(refusal({{std::string(300, 'n'), ""}}).find("255"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 600; ++i)
    deep += "d/";
  EXPECT_NE(refusal({{deep + "f", ""}}).find("1024"), std::string::npos);
}

TEST_F(Unpack, RefusesABomb) {
  unpack_limits limits;
  limits.ratio = 10;
  limits.ratio_free = 100'000;
  archive_maker made{archive_, "gnutar", "xz"};
  made.add({"small", "x"}).add({"zeros", std::string(1 << 20, '\0')}).close();
  auto done = unpack(archive_, into_, limits);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("'zeros'"), std::string::npos) << done.error().text;
  EXPECT_FALSE(fs::exists(into_));
}

TEST_F(Unpack, RefusesWhatIsNoArchiveOrIsCutShort) {
  auto write = [&](const std::string& bytes) {
    std::ofstream{archive_, std::ios::binary} << bytes;
    auto done = unpack(archive_, into_);
    EXPECT_FALSE(done);
    EXPECT_FALSE(fs::exists(into_));
    return done ? std::string{} : done.error().text;
  };
  EXPECT_NE(write("no archive at all").find("damaged"), std::string::npos);
  write("");
  make({{"a", std::string(100'000, 'a')}}, "gnutar", "gzip");
  auto whole = testing::text_of(archive_);
  write(whole.substr(0, whole.size() / 2));
}

TEST_F(Unpack, StopsOnRequestAndLeavesNothing) {
  make({{"a", "1"}, {"b", "2"}});
  int asked = 0;
  auto done = unpack(archive_, into_, {}, [&] { return ++asked < 3; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::aborted);
  EXPECT_FALSE(fs::exists(into_));
}

TEST_F(Unpack, LeavesWhatIsThereAlone) {
  make({{"a", "1"}});
  fs::create_directory(into_);
  auto done = unpack(archive_, into_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::already_exists);
  EXPECT_TRUE(fs::exists(into_));
}

TEST(TreeLinks, AreFollowedAsTheKernelWould) {
  tree_links links;
  links.add("a", "b/c");
  links.add("b/c", "../d");
  links.add("out", "a/../..");
  links.add("e/f", "../a/x/..");
  EXPECT_TRUE(links.stays_inside("a"));
  EXPECT_TRUE(links.stays_inside("b/c"));
  EXPECT_TRUE(links.stays_inside("e/f"));
  EXPECT_FALSE(links.stays_inside("out")) << "a is d, so that .. is the root, and .. is above it";
}

TEST(TreeLinks, ThatWouldTakeForEverCountAsLeaving) {
  tree_links links;
  links.add("l0", "x");
  for (int i = 1; i < 60; ++i) {
    auto name = [](int n) { return std::string{"l"}.append(std::to_string(n)); };
    auto before = name(i - 1);
    links.add(name(i), before + "/../" + before + "/../" + before);
  }
  EXPECT_FALSE(links.stays_inside("l59"));
}

TEST(TreeRemover, TakesReadOnlyTreesAwayAtOnceAndTheRestOfAnEarlierLife) {
  scratch_directory scratch;
  auto tree = scratch.path + "/tree", trash = scratch.path + "/trash";
  auto fill = [](const std::string& path) {
    fs::create_directories(path + "/a/b");
    std::ofstream{path + "/a/b/f"} << "x";
    ::chmod((path + "/a/b").c_str(), 0555);
    ::chmod((path + "/a").c_str(), 0555);
  };
  fill(tree);
  fill(trash + "/left");
  {
    tree_remover remover{trash};
    remover.remove(tree);
    EXPECT_FALSE(fs::exists(tree));
    remover.remove(tree); // there is none
    for (int i = 0; i < 10'000 && !fs::is_empty(trash); ++i)
      std::this_thread::yield();
  }
  tree_remover last{trash}; // what was not removed is, by the next
  auto empty = [&] { return fs::is_empty(trash); };
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!empty() && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_TRUE(empty());
}

} // namespace
} // namespace troupe::storage
