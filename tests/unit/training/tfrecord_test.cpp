// The TFRecord reader against good files and hostile ones.
#include "actors/training/input/tfrecord.hpp"
#include "tests/unit/training/input_files.hpp"

#include <array>
#include <cmath>

namespace troupe::training {
namespace {

const std::vector<field> fields{{"image", element_type::u8, {2, 2}},
                                {"weight", element_type::f32, {2}},
                                {"label", element_type::i64, {}}};

std::string sample(int64_t number) {
  auto first = static_cast<char>(number);
  return example(feature("label", ints_feature({number}))
                 + feature("image", bytes_feature(std::string{first, 1, 2, '\xff'}))
                 + feature("name", bytes_feature("of no interest"))
                 + feature("weight", floats_feature({0.5F, -1})));
}

class TfRecord : public InputFiles {
protected:
  result<std::unique_ptr<dataset>> open(const std::string& content) const {
    const std::array<std::string, 1> paths{write("r.tfrecord", content)};
    return open_tfrecord(paths, fields);
  }

  // Of one record with these features, and one field.
  result<std::unique_ptr<dataset>> open_one(const std::string& record, const field& wanted) const {
    const std::array<std::string, 1> paths{write("r.tfrecord", tfrecord(record))};
    return open_tfrecord(paths, {wanted});
  }

  std::vector<float> read_one(const std::string& list, const field& wanted) const {
    auto data = open_one(example(feature(wanted.name, list)), wanted);
    EXPECT_TRUE(data) << data.error().text;
    return values(**data, 0);
  }

  void expect_unread(const std::string& record, const field& wanted, const std::string& why) const {
    auto data = open_one(record, wanted);
    ASSERT_TRUE(data) << data.error().text;
    auto got = failure(**data, 0);
    EXPECT_EQ(got.code, errc::corrupt) << why;
    EXPECT_NE(got.text.find(path("r.tfrecord") + ", record 0 " + why), std::string::npos)
      << got.text;
  }
};

TEST_F(TfRecord, ReadsTheFeaturesOfEachRecordOfEachFile) {
  const std::array<std::string, 2> paths{write("a", tfrecord(sample(3)) + tfrecord(sample(-4))),
                                         write("b", tfrecord(sample(5)))};
  auto data = open_tfrecord(paths, fields);
  ASSERT_TRUE(data) << data.error().text;
  ASSERT_EQ((*data)->size(), 3u);
  EXPECT_EQ((*data)->fields()[0].shape, (std::vector<size_t>{2, 2}));
  EXPECT_EQ(values(**data, 0, 0), (std::vector<float>{3, 1, 2, 255}));
  EXPECT_EQ(values(**data, 1, 1), (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(values(**data, 1, 2), std::vector<float>{-4});
  EXPECT_EQ(values(**data, 2, 2), std::vector<float>{5});
  EXPECT_EQ(failure(**data, 2).code, errc::ok);
}

TEST_F(TfRecord, ReadsBytesAsElementsOfAnyType) {
  EXPECT_EQ(
    read_one(bytes_feature(low_first(std::vector<float>{1, 0.5F})), {"x", element_type::f32, {2}}),
    (std::vector<float>{1, 0.5F}));
  EXPECT_EQ(read_one(bytes_feature(low_first<int64_t>(-7)), {"x", element_type::i64, {}}),
            std::vector<float>{-7});
  EXPECT_EQ(read_one(bytes_feature(low_first<uint16_t>(65535)), {"x", element_type::u16, {1}}),
            std::vector<float>{65535});
}

TEST_F(TfRecord, ReadsListsThatAreNotPackedAndSkipsWhatItDoesNotKnow) {
  auto unpacked
    = proto(2, varint(1 << 3 | 5) + low_first(1.5F) + varint(1 << 3 | 5) + low_first(NAN));
  auto floats = read_one(unpacked, {"x", element_type::f32, {2}});
  EXPECT_EQ(floats[0], 1.5F);
  EXPECT_TRUE(std::isnan(floats[1]));
  auto ints = proto(3, varint(1 << 3) + varint(300) + varint(1 << 3) + varint(uint64_t(-1)));
  EXPECT_EQ(read_one(ints, {"x", element_type::i64, {2}}), (std::vector<float>{300, -1}));
  auto unknown = varint(9 << 3 | 1) + low_first<uint64_t>(1) + varint(10 << 3) + varint(5)
                 + varint(11 << 3 | 5) + low_first<uint32_t>(1) + proto(12, "later");
  EXPECT_EQ(read_one(unknown + proto(2, unknown + proto(1, low_first(2.5F))) + unknown,
                     {"x", element_type::f32, {}}),
            std::vector<float>{2.5F});
  // Of two features with one name the last counts.
  auto twice = open_one(example(feature("x", ints_feature({1})) + feature("x", ints_feature({2}))),
                        {"x", element_type::i64, {}});
  ASSERT_TRUE(twice);
  EXPECT_EQ(values(**twice, 0), std::vector<float>{2});
}

TEST_F(TfRecord, RefusesFilesThatAreCutShortOrDamaged) {
  const auto whole = tfrecord(sample(1)) + tfrecord(sample(2));
  const auto first = tfrecord(sample(1)).size();
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size == first)
      continue; // a whole file
    expect_error(open(whole.substr(0, size)), errc::corrupt, path("r.tfrecord"));
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    auto damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    auto data = open(damaged);
    auto sample_of_it = i < first ? 0U : 1U;
    auto in_head = i - (i < first ? 0 : first) < 12;
    EXPECT_EQ(static_cast<bool>(data), !in_head) << i;
    if (!data)
      continue;
    EXPECT_EQ(failure(**data, 1 - sample_of_it).code, errc::ok) << i;
    auto got = failure(**data, sample_of_it);
    EXPECT_EQ(got.code, errc::corrupt) << i;
    EXPECT_NE(got.text.find("record " + std::to_string(sample_of_it) + " fails its checksum"),
              std::string::npos)
      << got.text;
  }
}

TEST_F(TfRecord, RefusesLengthsThatAreNotTrue) {
  for (uint64_t length : {uint64_t{100}, uint64_t{200} << 20}) {
    auto head = low_first(length) + checksum(low_first(length));
    expect_error(open(head + "short"), errc::corrupt, "in the middle of a record");
  }
  for (uint64_t length : {(uint64_t{256} << 20) + 1, uint64_t(-1), uint64_t(-16)}) {
    auto head = low_first(length) + checksum(low_first(length));
    expect_error(open(head + "short"), errc::invalid, "more than 256 MiB");
  }
  expect_error(open(""), errc::corrupt, "is empty");
  expect_error(open(gzipped(tfrecord(sample(1)))), errc::corrupt, "is compressed as a whole");
}

TEST_F(TfRecord, NamesRecordsThatHoldSomethingElse) {
  const field floats{"x", element_type::f32, {2}};
  const field ints{"x", element_type::i64, {2}};
  const field bytes{"x", element_type::u8, {2}};
  auto one = [](const std::string& list) { return example(feature("x", list)); };
  expect_unread(example(feature("y", ints_feature({1, 2}))), ints, "has no feature x");
  expect_unread("", ints, "has no feature x");
  expect_unread(one(""), ints, "has in feature x no values of i64");
  expect_unread(one(ints_feature({1, 2})), floats, "has in feature x no values of f32");
  expect_unread(one(floats_feature({1, 2})), ints, "has in feature x no values of i64");
  expect_unread(one(floats_feature({1, 2})), bytes, "has in feature x no values of u8");
  for (const auto& list : {ints_feature({1}), ints_feature({1, 2, 3}), proto(3, "")})
    expect_unread(one(list), ints, "has in feature x other than 2 values of i64");
  for (const auto& list : {floats_feature({1}), floats_feature({1, 2, 3})})
    expect_unread(one(list), floats, "has in feature x other than 2 values of f32");
  for (const auto* text : {"", "a", "abc"})
    expect_unread(one(bytes_feature(text)), bytes, "has in feature x other than 2 values of u8");
  // Lists whose parts do not end where they say, or are of another kind.
  expect_unread(one(proto(3, proto(1, "\x80\x80"))), ints, "has in feature x other");
  expect_unread(one(proto(3, proto(1, std::string(11, '\x80')))), ints, "has in feature x other");
  expect_unread(one(proto(3, varint(1 << 3 | 5) + "abcd")), ints, "has in feature x other");
  expect_unread(one(proto(2, varint(1 << 3) + varint(5))), floats, "has in feature x other");
  expect_unread(one(proto(2, proto(1, "abc"))), floats, "has in feature x other");
  expect_unread(one(proto(1, varint(1 << 3) + varint(5))), bytes, "has in feature x other");
  expect_unread(one("\x0a\x7f"), bytes, "has in feature x other");
}

TEST_F(TfRecord, RefusesRecordsThatAreNoExamples) {
  const field wanted{"x", element_type::i64, {}};
  for (const auto& record :
       {std::string("text of some kind"), std::string("\x0a"), std::string("\x0a\x05x"),
        std::string("\x0b\x0c"), proto(1, proto(1, "\x0a\x7fx")), proto(1, "\x0f")})
    expect_unread(record, wanted, "is no tf.train.Example");
}

TEST_F(TfRecord, RefusesFeaturesThatMakeNoSense) {
  const std::array<std::string, 1> paths{write("r", tfrecord(sample(1)))};
  auto refused = [&](std::vector<field> wanted) {
    expect_error(open_tfrecord(paths, std::move(wanted)), errc::invalid, "1 to 64 features");
  };
  refused({});
  refused({{"", element_type::u8, {}}});
  refused({{"x", element_type::u8, {0}}});
  refused({{"x", element_type::u8, {size_t{1} << 40, size_t{1} << 40}}});
  refused(std::vector<field>(65, {"x", element_type::u8, {}}));
  expect_error(open_tfrecord({}, fields), errc::invalid, "1 to 64 features");
  const std::array<std::string, 1> none{path("none")};
  expect_error(open_tfrecord(none, fields), errc::not_found, "cannot be opened");
}

TEST_F(TfRecord, IndexesFilesLargerThanItsWindow) {
  std::string file;
  for (int64_t i = 0; i < 5000; ++i)
    file += tfrecord(
      example(feature("label", ints_feature({i}))
              + feature("pad", bytes_feature(std::string(i % 500 == 0 ? 300'000 : 100, 'x')))));
  const std::array<std::string, 1> paths{write("r", file)};
  auto data = open_tfrecord(paths, {{"label", element_type::i64, {}}});
  ASSERT_TRUE(data) << data.error().text;
  ASSERT_EQ((*data)->size(), 5000u);
  for (uint32_t i = 0; i < 5000; ++i)
    ASSERT_EQ(values(**data, i)[0], static_cast<float>(i));
}

// The check value of RFC 3720, B.4, and that of the nine digits.
TEST(Crc32c, IsTheKnownOne) {
  auto both = [](const std::string& text, uint32_t wanted) {
    EXPECT_EQ(crc32c(std::as_bytes(std::span(text))), wanted);
    EXPECT_EQ(portable_crc32c(std::as_bytes(std::span(text))), wanted);
  };
  both("", 0);
  both("123456789", 0xe3069283);
  both(std::string(32, '\0'), 0x8a9136aa);
  both(std::string(32, '\xff'), 0x62a8ab43);
}

} // namespace
} // namespace troupe::training
