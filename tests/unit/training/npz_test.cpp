// The reader of NumPy's archives against good files and hostile ones.
#include "actors/training/input/npy.hpp"
#include "tests/unit/training/input_files.hpp"

namespace troupe::training {
namespace {

const std::string inputs
  = npy_file(npy_header("<f4", "(3, 2)"), low_first(std::vector<float>{1, 2, 3, 4, 5, 6}));
const std::string labels
  = npy_file(npy_header("<i8", "(3,)"), low_first(std::vector<int64_t>{7, 8, 9}));

class Npz : public InputFiles {
protected:
  result<std::unique_ptr<dataset>> open(const std::string& content,
                                        const std::vector<std::string>& names = {}) const {
    return open_npz(write("x.npz", content), names);
  }

  void expect_whole(const std::string& content) const {
    auto data = open(content);
    ASSERT_TRUE(data) << data.error().text;
    ASSERT_EQ((*data)->fields().size(), 2u);
    EXPECT_EQ((*data)->fields()[0].name, "x");
    EXPECT_EQ((*data)->fields()[1].name, "y");
    EXPECT_EQ(values(**data, 1, 0), (std::vector<float>{3, 4}));
    EXPECT_EQ(values(**data, 2, 1), std::vector<float>{9});
  }
};

TEST_F(Npz, ReadsStoredAndDeflatedArrays) {
  for (bool packed : {false, true})
    for (bool extra : {false, true})
      for (bool end64 : {false, true})
        expect_whole(zip_file({{"x.npy", inputs, packed, extra},
                               {"readme.txt", "no array", !packed, false},
                               {"y.npy", labels, !packed, extra}},
                              end64));
}

TEST_F(Npz, ReadsTheArraysThatAreNamed) {
  auto file = zip_file({{"x.npy", inputs, true}, {"y.npy", labels}, {"z.npy", "damaged"}});
  auto data = open(file, {"y"});
  ASSERT_TRUE(data) << data.error().text;
  ASSERT_EQ((*data)->fields().size(), 1u);
  EXPECT_EQ(values(**data, 0), std::vector<float>{7});
  auto swapped = open(file, {"y", "x"});
  ASSERT_TRUE(swapped);
  EXPECT_EQ((*swapped)->fields()[1].name, "x");
  expect_error(open(file, {"w"}), errc::not_found, "holds no array w");
  expect_error(open(file, {""}), errc::not_found, "holds no array");
  expect_error(open(file), errc::corrupt, "too early"); // z
  expect_error(open(zip_file({})), errc::invalid, "at least one array");
}

TEST_F(Npz, RefusesEachTruncation) {
  auto whole = zip_file({{"x.npy", inputs, true}, {"y.npy", labels}}, true);
  for (size_t size = 0; size < whole.size(); ++size)
    expect_error(open(whole.substr(0, size)), errc::corrupt, path("x.npz"));
}

TEST_F(Npz, EachDamagedByteIsFoundOrDoesNotMatter) {
  auto whole = zip_file({{"x.npy", inputs, true, true}, {"y.npy", labels}}, true);
  size_t refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    auto damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    auto data = open(damaged, {"x", "y"});
    if (!data) {
      ++refused;
      continue;
    }
    EXPECT_EQ(values(**data, 1, 0), (std::vector<float>{3, 4})) << i;
    EXPECT_EQ(values(**data, 2, 1), std::vector<float>{9}) << i;
  }
  EXPECT_GT(refused, inputs.size() / 2);
}

TEST_F(Npz, RefusesWhatItDoesNotRead) {
  auto entry = zip_file({{"y.npy", labels}});
  auto at = entry.find("PK\1\2");
  auto encrypted = entry;
  encrypted[at + 8] = 1;
  expect_error(open(encrypted), errc::invalid, "encrypted");
  auto other = entry;
  other[at + 10] = 12;
  expect_error(open(other), errc::invalid, "numpy.savez_compressed");
}

TEST_F(Npz, WhatUnpacksToMoreThanTheArchiveSaysIsStoppedThere) {
  // 16 MiB of zeroes behind a directory that says 200 bytes.
  auto bomb = zip_file({{"y.npy", labels + std::string(size_t{16} << 20, '\0'), true}});
  auto at = bomb.find("PK\1\2");
  bomb.replace(at + 24, 4, low_first<uint32_t>(200));
  expect_error(open(bomb), errc::corrupt, "does not unpack to what the archive says");
}

TEST_F(Npz, RefusesMoreThanFitsIntoTheMemoryAllowed) {
  auto file = write("x.npz", zip_file({{"x.npy", inputs, true}, {"y.npy", labels, true}}));
  EXPECT_TRUE(open_npz(file, {}, inputs.size() + labels.size()));
  expect_error(open_npz(file, {}, inputs.size() + labels.size() - 1), errc::invalid,
               "read into memory");
  EXPECT_TRUE(open_npz(write("stored.npz", zip_file({{"x.npy", inputs}})), {}, 0));
}

} // namespace
} // namespace troupe::training
