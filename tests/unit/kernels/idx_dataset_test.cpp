// The dataset reader against good files and hostile ones.
#include "actors/training/idx_dataset.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

namespace troupe::training {
namespace {

using bytes = std::string;

bytes word(uint32_t x) {
  return {static_cast<char>(x >> 24), static_cast<char>(x >> 16), static_cast<char>(x >> 8),
          static_cast<char>(x)};
}

bytes images_of(uint32_t count, uint32_t rows, uint32_t columns, size_t pixels) {
  bytes file = word(0x803) + word(count) + word(rows) + word(columns);
  for (size_t i = 0; i < pixels; ++i)
    file += static_cast<char>(i);
  return file;
}

bytes labels_of(uint32_t count, const bytes& labels) {
  return word(0x801) + word(count) + labels;
}

class IdxDataset : public testing::Test {
protected:
  std::string path(const char* name) const { return directory_ + "/" + name; }

  void write_plain(const char* name, const bytes& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
  }

  void write_gzip(const char* name, const bytes& content) const {
    auto* file = gzopen(path(name).c_str(), "wb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(gzwrite(file, content.data(), static_cast<unsigned>(content.size())),
              static_cast<int>(content.size()));
    ASSERT_EQ(gzclose(file), Z_OK);
  }

  result<idx_dataset> read(const bytes& images, const bytes& labels) const {
    write_gzip("images.gz", images);
    write_gzip("labels.gz", labels);
    return read_idx_dataset(path("images.gz"), path("labels.gz"), 10);
  }

  void expect_corrupt(const bytes& images, const bytes& labels, const char* why) const {
    auto got = read(images, labels);
    ASSERT_FALSE(got) << why;
    EXPECT_EQ(got.error().code, errc::corrupt) << got.error().text;
    EXPECT_NE(got.error().text.find(why), std::string::npos) << got.error().text;
  }

  scratch_directory scratch_;
  const std::string& directory_ = scratch_.path;
};

const bytes good_images = images_of(3, 2, 4, 24);
const bytes good_labels = labels_of(3, bytes{7, 0, 9});

TEST_F(IdxDataset, ReadsWhatIsThere) {
  auto got = read(good_images, good_labels);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->size(), 3u);
  EXPECT_EQ(got->rows, 2u);
  EXPECT_EQ(got->columns, 4u);
  EXPECT_EQ(got->image(2)[7], 23);
  EXPECT_EQ(got->labels, (std::vector<uint8_t>{7, 0, 9}));
}

TEST_F(IdxDataset, ReadsFilesThatAreNotCompressed) {
  write_plain("images", good_images);
  write_plain("labels", good_labels);
  EXPECT_TRUE(read_idx_dataset(path("images"), path("labels"), 10));
}

TEST_F(IdxDataset, NamesAMissingFile) {
  auto got = read_idx_dataset(path("none"), path("none"), 10);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::not_found);
}

TEST_F(IdxDataset, RefusesHostileFiles) {
  expect_corrupt("", good_labels, "too early");
  expect_corrupt(word(0x803) + word(3), good_labels, "too early");
  expect_corrupt(images_of(3, 2, 4, 23), good_labels, "too early");
  expect_corrupt(images_of(3, 2, 4, 25), good_labels, "longer");
  expect_corrupt(good_labels, good_labels, "no IDX header");
  expect_corrupt(word(0x803 << 1) + good_images.substr(4), good_labels, "no IDX header");
  expect_corrupt(word(0x01000803) + good_images.substr(4), good_labels, "no IDX header");
  expect_corrupt(images_of(0, 2, 4, 0), good_labels, "is empty");
  expect_corrupt(images_of(3, 0, 4, 0), good_labels, "is empty");
  // Products that overflow 32 and 64 bits, and a claim that is just not true.
  expect_corrupt(images_of(0xffffffff, 0xffffffff, 0xffffffff, 24), good_labels, "1 GiB");
  expect_corrupt(images_of(0x80000000, 0x80000000, 4, 24), good_labels, "1 GiB");
  expect_corrupt(images_of(1 << 18, 64, 64, 24), good_labels, "too early");
  expect_corrupt(good_images, labels_of(2, bytes{7, 0}), "2 labels for 3 images");
  expect_corrupt(good_images, labels_of(3, bytes{7, 0, 10}), "a label 10");
}

TEST_F(IdxDataset, RefusesEachTruncationAndEachDamagedByteOfTheCompressedData) {
  write_gzip("labels.gz", good_labels);
  write_gzip("whole.gz", good_images);
  std::ifstream in(path("whole.gz"), std::ios::binary);
  const bytes whole{std::istreambuf_iterator<char>(in), {}};
  for (size_t size = 0; size < whole.size(); ++size) {
    write_plain("cut.gz", whole.substr(0, size));
    auto got = read_idx_dataset(path("cut.gz"), path("labels.gz"), 10);
    ASSERT_FALSE(got) << size;
    EXPECT_EQ(got.error().code, errc::corrupt) << size;
  }
  auto intact = read_idx_dataset(path("whole.gz"), path("labels.gz"), 10);
  ASSERT_TRUE(intact);
  for (size_t i = 0; i < whole.size(); ++i) {
    auto damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    write_plain("damaged.gz", damaged);
    auto got = read_idx_dataset(path("damaged.gz"), path("labels.gz"), 10);
    // A few bits of the format mean nothing; then the data is what it was.
    if (got) {
      EXPECT_EQ(got->pixels, intact->pixels) << i;
    } else {
      EXPECT_EQ(got.error().code, errc::corrupt) << i;
    }
  }
}

} // namespace
} // namespace troupe::training
