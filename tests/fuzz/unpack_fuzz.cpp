// Archives that lie, whole and damaged, through the unpacker.
#include "storage/hash.hpp"
#include "storage/pack.hpp"
#include "storage/unpack.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/support/archive_maker.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace troupe::testing {
namespace {

namespace fs = std::filesystem;

std::string any_path(random_source& random) {
  static const std::array<std::string, 9> parts{"a", "b", "c", "..", ".", "", "a b", "\xff", "etc"};
  if (random.chance(0.05))
    return hostile_text(random, 2000);
  std::string out{random.chance(0.05) ? "/" : ""};
  for (auto n = 1 + random.below(4); n > 0; --n)
    out.append(parts[random.below(random.chance(0.8) ? 3 : parts.size())]).append(n > 1 ? "/" : "");
  return out;
}

archive_item any_item(random_source& random) {
  archive_item out;
  out.name = any_path(random);
  out.mode = static_cast<unsigned>(random.below(010000));
  constexpr std::array kinds{AE_IFREG, AE_IFREG, AE_IFREG, AE_IFDIR,
                             AE_IFLNK, AE_IFLNK, AE_IFIFO, AE_IFCHR};
  auto kind = random.below(random.chance(0.9) ? 6 : kinds.size());
  out.kind = static_cast<unsigned>(kinds[kind]);
  if (out.kind == AE_IFLNK)
    out.symlink = any_path(random);
  else if (out.kind == AE_IFREG && random.chance(0.2))
    out.hardlink = any_path(random);
  else if (out.kind == AE_IFREG)
    out.content.assign(random.below(random.chance(0.1) ? 100'000 : 100), 'x');
  return out;
}

// Everything below is a plain file, a directory or a link that leads to neither outside nor up.
void expect_harmless(const std::string& root) {
  for (auto& entry : fs::recursive_directory_iterator{root}) {
    struct stat facts {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &facts), 0);
    if (S_ISLNK(facts.st_mode)) {
      std::error_code none;
      auto to = fs::weakly_canonical(entry.path(), none).string();
      EXPECT_TRUE(none || to == root || to.starts_with(root + "/")) << entry.path() << " " << to;
      continue;
    }
    EXPECT_TRUE(S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode)) << entry.path();
    EXPECT_EQ(facts.st_mode & 07222, 0u) << entry.path();
  }
}

TEST(Fuzz, ArchivesDoNotLeaveTheirDirectory) {
  fuzz("ArchivesDoNotLeaveTheirDirectory", 500, [](random_source& random) {
    scratch_directory scratch;
    auto root = fs::canonical(scratch.path).string();
    auto path = root + "/archive", into = root + "/tree";
    constexpr std::array formats{"gnutar", "pax", "zip", "ustar"};
    constexpr std::array filters{"none", "none", "gzip", "xz", "zstd", "bzip2"};
    {
      std::string format = formats[random.below(formats.size())];
      archive_maker made{path, format, filters[random.below(filters.size())]};
      for (auto n = 1 + random.below(6); n > 0; --n) {
        auto item = any_item(random);
        if (format == "pax") // libarchive's writer looks before the begin of a name of '/' and '.'
          item.name.insert(0, 1, 'a');
        made.add(item);
      }
      made.close();
    }
    if (random.chance(0.5)) {
      auto text = text_of(path);
      byte_vector bytes{text.begin(), text.end()};
      mutate(bytes, byte_vector(bytes), random);
      std::ofstream{path, std::ios::binary | std::ios::trunc}.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    storage::unpack_limits limits;
    limits.bytes = 10 << 20;
    auto done = storage::unpack(path, into, limits);
    std::vector<std::string> found;
    for (auto& each : fs::directory_iterator{root})
      found.push_back(each.path().filename());
    std::sort(found.begin(), found.end());
    if (!done) {
      EXPECT_EQ(found, std::vector<std::string>{"archive"});
      EXPECT_EQ(done.error().text.find('\n'), std::string::npos) << done.error().text;
      EXPECT_LE(done.error().text.size(), 1000u);
      return;
    }
    EXPECT_EQ(found, (std::vector<std::string>{"archive", "tree"}));
    expect_harmless(into);
    EXPECT_LE(done->bytes, limits.bytes);
    // What was let in can be shipped on.
    auto packed = storage::pack(into, [](auto) { return result<void>{}; });
    EXPECT_TRUE(packed) << packed.error().text;
    EXPECT_TRUE(storage::remove_tree(into));
  });
}

} // namespace
} // namespace troupe::testing
