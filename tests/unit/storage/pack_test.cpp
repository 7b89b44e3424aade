#include "storage/hash.hpp"
#include "storage/pack.hpp"
#include "storage/unpack.hpp"
#include "tests/support/archive_maker.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

class Pack : public ::testing::Test {
protected:
  ~Pack() override { remove_tree(into_); }

  std::string path(const std::string& name) const { return scratch_.path + "/" + name; }

  void write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    fs::create_directories(fs::path{path(name)}.parent_path());
    std::ofstream{path(name), std::ios::binary} << text;
    ::chmod(path(name).c_str(), mode);
  }

  result<packed> pack_to_file(const std::string& name) const {
    std::ofstream out{path("archive"), std::ios::binary};
    return pack(path(name), [&](std::span<const std::byte> bytes) {
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
      return result<void>{};
    });
  }

  // Packs it and unpacks it again.
  packed around(const std::string& name) {
    auto made = pack_to_file(name);
    EXPECT_TRUE(made) << made.error().text;
    remove_tree(into_);
    auto done = unpack(path("archive"), into_);
    EXPECT_TRUE(done) << done.error().text;
    return *made;
  }

  std::string refusal(const std::string& name) const {
    auto made = pack_to_file(name);
    if (made)
      return "none";
    EXPECT_EQ(made.error().text.find('\n'), std::string::npos);
    return made.error().text;
  }

  scratch_directory scratch_;
  const std::string into_ = scratch_.path + "/unpacked";
};

TEST_F(Pack, AndUnpackGiveTheSameTree) {
  write("d/a.txt", "alpha");
  write("d/sub/run", "#!/bin/sh\n", 0700);
  write("d/\xc3\xa4 b", std::string(3 << 20, 'x'));
  write("d/" + std::string(200, 'n') + "/" + std::string(200, 'm'), "long");
  fs::create_directories(path("d/empty"));
  ::symlink("sub/run", path("d/link").c_str());
  auto made = around("d");
  EXPECT_EQ(made.hash, *sha256_file(path("archive")));
  EXPECT_EQ(made.size, fs::file_size(path("archive")));
  EXPECT_EQ(testing::text_of(into_ + "/a.txt"), "alpha");
  EXPECT_EQ(fs::read_symlink(into_ + "/link"), "sub/run");
  EXPECT_EQ(testing::text_of(into_ + "/link"), "#!/bin/sh\n");
  EXPECT_EQ(fs::file_size(into_ + "/\xc3\xa4 b"), 3u << 20);
  EXPECT_EQ(testing::text_of(into_ + "/" + std::string(200, 'n') + "/" + std::string(200, 'm')),
            "long");
  EXPECT_TRUE(fs::is_empty(into_ + "/empty"));
  struct stat facts {};
  ::stat((into_ + "/sub/run").c_str(), &facts);
  EXPECT_EQ(facts.st_mode & 07777, 0555u);
}

TEST_F(Pack, OfAFileIsOneEntry) {
  write("f.py", "print()", 0755);
  around("f.py");
  EXPECT_EQ(testing::text_of(into_ + "/file"), "print()");
}

TEST_F(Pack, OfAnEmptyDirectoryIsOne) {
  fs::create_directories(path("none"));
  around("none");
  EXPECT_TRUE(fs::is_empty(into_));
}

TEST_F(Pack, HasTheHashOfTheContentAlone) {
  write("a/x", "1");
  write("a/y/z", "2", 0600);
  write("elsewhere/b/y/z", "2", 0644);
  write("elsewhere/b/x", "1");
  fs::last_write_time(path("a/x"), fs::file_time_type{});
  auto one = pack_to_file("a"), other = pack_to_file("elsewhere/b");
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->hash, other->hash) << "names above it, times, and who may read it say nothing";
  write("a/x", "3");
  EXPECT_NE(pack_to_file("a")->hash, one->hash);
  write("a/x", "1", 0755);
  EXPECT_NE(pack_to_file("a")->hash, one->hash) << "whether it can be executed does";
}

TEST_F(Pack, TakesFilesFromOutsideForLinksThatLeadThere) {
  write("outside/python", "binary", 0755);
  fs::create_directories(path("venv/bin"));
  ::symlink(path("outside/python").c_str(), path("venv/bin/python3").c_str());
  ::symlink("python3", path("venv/bin/python").c_str());
  around("venv");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(into_ + "/bin/python3")));
  EXPECT_EQ(testing::text_of(into_ + "/bin/python"), "binary");
}

TEST_F(Pack, RefusesWhatCannotBeShipped) {
  EXPECT_NE(refusal("nothing").find("nothing"), std::string::npos);
  fs::create_directories(path("d"));
  ::symlink("/", path("d/root").c_str());
  EXPECT_NE(refusal("d").find("d/root"), std::string::npos);
  fs::remove(path("d/root"));
  ::mkfifo(path("d/pipe").c_str(), 0600);
  EXPECT_NE(refusal("d").find("d/pipe"), std::string::npos);
}

TEST_F(Pack, EndsWithTheErrorOfItsSink) {
  write("f", "x");
  auto made = pack(path("f"), [](auto) { return result<void>{errc::io, "the disk is full"}; });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text, "the disk is full");
}

} // namespace
} // namespace troupe::storage
