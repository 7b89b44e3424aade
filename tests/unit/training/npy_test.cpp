// The NPY reader against good files and hostile ones.
#include "actors/training/input/npy.hpp"
#include "tests/unit/training/input_files.hpp"

#include <array>
#include <cmath>

namespace troupe::training {
namespace {

const std::vector<float> six{1.5F, -2, 3e-3F, 4, 5, 6};

class Npy : public InputFiles {
protected:
  result<array> read(const std::string& content) const {
    return read_npy({"x", write("x.npy", content)});
  }

  std::unique_ptr<dataset> open(const std::string& content) const {
    auto made = read(content);
    EXPECT_TRUE(made) << made.error().text;
    if (!made)
      return nullptr;
    auto data = join({*std::move(made)});
    EXPECT_TRUE(data);
    return data ? *std::move(data) : nullptr;
  }
};

TEST_F(Npy, ReadsEveryVersionOfTheHeader) {
  for (char version : {'\1', '\2', '\3'}) {
    auto data = open(npy_file(npy_header("<f4", "(3, 2)"), low_first(six), version));
    ASSERT_TRUE(data);
    EXPECT_EQ(data->size(), 3u);
    EXPECT_EQ(data->fields()[0].name, "x");
    EXPECT_EQ(data->fields()[0].type, element_type::f32);
    EXPECT_EQ(data->fields()[0].shape, std::vector<size_t>{2});
    EXPECT_EQ(values(*data, 0), (std::vector<float>{1.5F, -2}));
    EXPECT_EQ(values(*data, 2), (std::vector<float>{5, 6}));
  }
}

TEST_F(Npy, ReadsHeadersAsOtherWritersWriteThem) {
  for (const auto* header :
       {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}",
        "{\"shape\":(3,2,),\"fortran_order\":False,\"descr\":\"=f4\"}      ",
        " { 'shape' : ( 3L , 2L ) , 'descr' : '<f4' , 'fortran_order' : False , } "}) {
    auto data = open(npy_file(header, low_first(six)));
    ASSERT_TRUE(data) << header;
    EXPECT_EQ(values(*data, 1), (std::vector<float>{3e-3F, 4})) << header;
  }
}

TEST_F(Npy, ReadsEveryElementType) {
  auto check = [&](const std::string& type, const std::string& elements, float wanted) {
    auto data = open(npy_file(npy_header(type, "(1,)"), elements));
    ASSERT_TRUE(data) << type;
    EXPECT_EQ(values(*data, 0), std::vector<float>{wanted}) << type;
    EXPECT_TRUE(data->fields()[0].shape.empty());
  };
  check("|b1", "\1", 1);
  check("|u1", "\xff", 255);
  check("|i1", "\xff", -1);
  check("<u2", low_first<uint16_t>(65535), 65535);
  check("<i2", low_first<int16_t>(-5), -5);
  check("<u4", low_first<uint32_t>(4294967295), 4294967296.0F);
  check("<i4", low_first<int32_t>(-5), -5);
  check("<u8", low_first<uint64_t>(1ULL << 63), 9223372036854775808.0F);
  check("<i8", low_first<int64_t>(-5), -5);
  check("<f4", low_first(0.1F), 0.1F);
  check("<f8", low_first(0.1), 0.1F);
  check(">i4", high_first<int32_t>(-5), -5);
  check(">f8", high_first(0.1), 0.1F);
}

TEST_F(Npy, InfinityAndNaNAreValues) {
  auto data = open(npy_file(npy_header("<f4", "(2,)"), low_first(std::vector{NAN, INFINITY})));
  ASSERT_TRUE(data);
  EXPECT_TRUE(std::isnan(values(*data, 0)[0]));
  EXPECT_TRUE(std::isinf(values(*data, 1)[0]));
}

TEST_F(Npy, FortranOrderIsReadWhereItIsNoOther) {
  const std::string fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': ";
  auto data = open(npy_file(fortran + "(6,)}", low_first(six)));
  ASSERT_TRUE(data);
  EXPECT_EQ(values(*data, 1), std::vector<float>{-2});
  expect_error(read(npy_file(fortran + "(3, 2)}", low_first(six))), errc::invalid,
               "numpy.ascontiguousarray");
}

TEST_F(Npy, RefusesHostileFiles) {
  auto refused = [&](const std::string& content, const std::string& why) {
    expect_error(read(content), errc::corrupt, why);
  };
  auto dictionary = [&](const std::string& text) {
    refused(npy_file(text, low_first(six)), "no header of NumPy's");
  };
  const auto good = npy_file(npy_header("<f4", "(3, 2)"), low_first(six));
  for (size_t size = 0; size < good.size(); ++size)
    refused(good.substr(0, size), "too early");
  refused(good + "x", "longer");
  refused(std::string("\x92") + good.substr(1), "no header of NumPy's");
  refused(npy_file(npy_header("<f4", "(3, 2)"), low_first(six), 4), "no header of NumPy's");
  refused(npy_file(npy_header("<f4", "(3, 0)"), ""), "is empty");
  refused(npy_file(npy_header("<f4", "(4294967295, 4294967296, 4294967296)"), low_first(six)),
          "too early");
  refused(npy_file(npy_header("<f8", "(3, 2)"), low_first(six)), "too early");
  dictionary("");
  dictionary("{");
  dictionary("{}");
  dictionary("{'descr': '<f4', 'shape': (3, 2)}");
  dictionary("{'descr': '<f4', 'fortran_order': False}");
  dictionary("{'fortran_order': False, 'shape': (3, 2)}");
  dictionary(npy_header("<f4", "(3, 2)") + "x");
  dictionary(npy_header("<f4", "(3, -2)"));
  dictionary(npy_header("<f4", "(3 2)"));
  dictionary(npy_header("<f4", "(3, 2"));
  dictionary(npy_header("<f4", "(3, 99999999999999999999)"));
  dictionary("{'descr': '<f4, 'fortran_order': False, 'shape': (3, 2)}");
  dictionary("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 2)}");
  dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'more': 1}");
}

TEST_F(Npy, RefusesWhatItDoesNotReadAndSaysWhatToDo) {
  for (const auto* type : {"<f2", "<c8", "|O", "<U4", "|S4", "<M8[ns]", "", "f4", "<f"})
    expect_error(read(npy_file(npy_header(type, "(6,)"), low_first(six))), errc::invalid,
                 "astype(\"float32\")");
  expect_error(read(npy_file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }",
                             low_first(six))),
               errc::invalid, "structured");
  expect_error(read(npy_file(npy_header("<f4", "()"), low_first(1.0F))), errc::invalid,
               "single value");
  expect_error(read(npy_file(npy_header("<f4", "(4294967296,)"), low_first(six))), errc::invalid,
               "split it");
  expect_error(read_npy({"x", path("none")}), errc::not_found, "cannot be opened");
}

TEST_F(Npy, SeveralFilesAreOneDataset) {
  const std::array<named_file, 2> files{
    {{"x", write("x.npy", npy_file(npy_header("<f4", "(3, 2)"), low_first(six)))},
     {"y", write("y.npy", npy_file(npy_header("|u1", "(3,)"), "\1\2\3"))}}};
  auto data = open_npy(files);
  ASSERT_TRUE(data) << data.error().text;
  EXPECT_EQ(values(**data, 1, 0), (std::vector<float>{3e-3F, 4}));
  EXPECT_EQ(values(**data, 1, 1), std::vector<float>{2});
}

} // namespace
} // namespace troupe::training
