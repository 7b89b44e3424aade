// The IDX reader against good files and hostile ones.
#include "actors/training/input/idx.hpp"
#include "tests/unit/training/input_files.hpp"

#include <array>
#include <cmath>

namespace troupe::training {
namespace {

std::string counting(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i)
    bytes += static_cast<char>(i);
  return bytes;
}

const std::string good_images = idx_file(8, {3, 2, 4}, counting(24));
const std::string good_labels = idx_file(8, {3}, std::string{7, 0, 9});

class Idx : public InputFiles {
protected:
  result<std::unique_ptr<dataset>> open(const std::string& images,
                                        const std::string& labels) const {
    const std::array<named_file, 2> files{
      {{"image", write("images", images)}, {"label", write("labels", labels)}}};
    return open_idx(files);
  }

  result<array> read(const std::string& content) const {
    return read_idx({"x", write("x", content)});
  }
};

TEST_F(Idx, ReadsWhatIsThereCompressedOrNot) {
  for (bool packed : {false, true}) {
    auto got = open(packed ? gzipped(good_images) : good_images, good_labels);
    ASSERT_TRUE(got) << got.error().text;
    const auto& data = **got;
    EXPECT_EQ(data.size(), 3u);
    ASSERT_EQ(data.fields().size(), 2u);
    EXPECT_EQ(data.fields()[0].name, "image");
    EXPECT_EQ(data.fields()[0].type, element_type::u8);
    EXPECT_EQ(data.fields()[0].shape, (std::vector<size_t>{2, 4}));
    EXPECT_TRUE(data.fields()[1].shape.empty());
    EXPECT_EQ(values(data, 2), (std::vector<float>{16, 17, 18, 19, 20, 21, 22, 23}));
    EXPECT_EQ(values(data, 0, 1), std::vector<float>{7});
    EXPECT_EQ(values(data, 2, 1), std::vector<float>{9});
  }
}

TEST_F(Idx, ReadsEveryElementType) {
  auto check = [&](uint8_t code, const std::string& elements, const std::vector<float>& wanted) {
    auto made = read(idx_file(code, {1, 2}, elements));
    ASSERT_TRUE(made) << made.error().text;
    auto data = join({*std::move(made)});
    ASSERT_TRUE(data);
    EXPECT_EQ(values(**data, 0), wanted) << int{code};
  };
  check(0x08, "\xff\x01", {255, 1});
  check(0x09, "\xff\x01", {-1, 1});
  check(0x0b, high_first<int16_t>(-300) + high_first<int16_t>(300), {-300, 300});
  check(0x0c, high_first<int32_t>(-70000) + high_first<int32_t>(70000), {-70000, 70000});
  check(0x0d, high_first(0.25F) + high_first(-3e38F), {0.25F, -3e38F});
  check(0x0e, high_first(0.1) + high_first(-1e10), {0.1F, -1e10F});
}

TEST_F(Idx, NaNIsAValue) {
  auto made = read(idx_file(0x0d, {1}, high_first(NAN)));
  ASSERT_TRUE(made);
  auto data = join({*std::move(made)});
  EXPECT_TRUE(std::isnan(values(**data, 0)[0]));
}

TEST_F(Idx, NamesWhatCannotBeOpened) {
  expect_error(read_idx({"x", path("none")}), errc::not_found, path("none") + " cannot be opened");
  expect_error(read_idx({"x", scratch_.path}), errc::invalid, "no regular file");
}

TEST_F(Idx, RefusesHostileFiles) {
  auto refused = [&](const std::string& content, const std::string& why) {
    expect_error(read(content), errc::corrupt, why);
    expect_error(read(gzipped(content)), errc::corrupt, why);
  };
  refused("", "too early");
  refused(good_images.substr(0, 3), "too early");
  refused(good_images.substr(0, 8), "too early");
  refused(idx_file(8, {3, 2, 4}, counting(23)), "too early");
  refused(idx_file(8, {3, 2, 4}, counting(25)), "longer");
  refused(idx_file(0x0a, {3}, counting(3)), "no IDX header");
  refused(std::string("\1") + good_images.substr(1), "no IDX header");
  refused(good_images.substr(0, 1) + "\1" + good_images.substr(2), "no IDX header");
  refused(idx_file(8, {0, 2, 4}, ""), "is empty");
  refused(idx_file(8, {3, 0, 4}, ""), "is empty");
  // Products that overflow 32 and 64 bits, and claims that are just not true.
  refused(idx_file(8, {0xffffffff, 0xffffffff, 0xffffffff}, counting(24)), "too early");
  refused(idx_file(8, {0x80000000, 0x80000000, 4}, counting(24)), "too early");
  refused(idx_file(0x0e, {3}, counting(23)), "too early");
  expect_error(read(idx_file(8, {}, "\1")), errc::invalid, "single value");
}

TEST_F(Idx, RefusesFilesThatDoNotFitEachOther) {
  expect_error(open(good_images, idx_file(8, {2}, "ab")), errc::corrupt, "2 samples in label");
  const std::array<named_file, 2> same{
    {{"x", write("a", good_labels)}, {"x", write("b", good_labels)}}};
  expect_error(open_idx(same), errc::invalid, "Two arrays have the name x");
  expect_error(open_idx({}), errc::invalid, "at least one array");
}

TEST_F(Idx, RefusesMoreThanFitsIntoTheMemoryAllowed) {
  auto packed = write("x", gzipped(idx_file(8, {100, 100}, std::string(10000, '\0'))));
  EXPECT_TRUE(read_idx({"x", packed}, 10012));
  expect_error(read_idx({"x", packed}, 10011), errc::invalid, "more than the 10011 bytes");
}

TEST_F(Idx, AFileThatWasCutShortMeanwhileIsAnErrorOfTheRead) {
  auto data = open(good_images, good_labels);
  ASSERT_TRUE(data);
  std::filesystem::resize_file(path("images"), 20);
  EXPECT_EQ(failure(**data, 0).code, errc::corrupt);
  EXPECT_NE(failure(**data, 0).text.find("has become shorter"), std::string::npos);
}

TEST_F(Idx, RefusesEachTruncationAndEachDamagedByteOfTheCompressedData) {
  const auto whole = gzipped(good_images);
  for (size_t size = 0; size < whole.size(); ++size)
    expect_error(read(whole.substr(0, size)), errc::corrupt, path("x"));
  for (size_t i = 0; i < whole.size(); ++i) {
    auto damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    auto got = read(damaged);
    // A few bits of the format mean nothing; then the data is what it was.
    if (got) {
      auto data = join({*std::move(got)});
      EXPECT_EQ(values(**data, 2), (std::vector<float>{16, 17, 18, 19, 20, 21, 22, 23})) << i;
    } else {
      EXPECT_EQ(got.error().code, errc::corrupt) << i;
    }
  }
}

} // namespace
} // namespace troupe::training
