#include "actors/jobs/task_image.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

std::string read(const std::string& text) {
  auto mount = parse_mount(text);
  if (!mount)
    return std::string{name_of(mount.error().code)};
  return mount->from + " " + mount->to + (mount->read_only ? " ro" : "");
}

TEST(TaskImage, ReadsMounts) {
  EXPECT_EQ(read("/a"), "/a /a");
  EXPECT_EQ(read("/a/b:/c"), "/a/b /c");
  EXPECT_EQ(read("/a:/c:ro"), "/a /c ro");
  EXPECT_EQ(read("/a:/c:rw"), "/a /c");
  EXPECT_EQ(read("/a..b"), "/a..b /a..b");
  EXPECT_EQ(read("/a/:/b//"), "/a /b");
}

TEST(TaskImage, RefusesWhatIsNoMount) {
  for (auto* each : {"", ":", "a", "/a:", "/a:b", ":/b", "/a:/b:", "/a:/b:rx", "/a:/b:ro:x", "/a:/",
                     "/", "/a/../b", "/a:/b/..", ".."})
    EXPECT_EQ(read(each), "invalid") << each;
  EXPECT_EQ(read(std::string{"/a\0b", 4}), "invalid");
}

TEST(TaskImage, ReadsNamesOfImages) {
  for (auto* each : {"a", "docker.io/library/python:3.12", "localhost:5000/x/y@sha256:00ff"})
    EXPECT_TRUE(check_image(each)) << each;
  for (auto* each : {"", "--help", "a b", "a;b", "a\n", "docker-archive:/data/evil.tar",
                     "docker-daemon:python:3", "oci:dir/a", "a//b", "/a", "a/", "a:", "$(a)"})
    EXPECT_EQ(check_image(each).error().code, errc::invalid) << each;
  EXPECT_FALSE(check_image(std::string(513, 'a')));
}

} // namespace
} // namespace troupe
