// The CSV reader against good tables and bad ones.
#include "actors/training/input/csv.hpp"
#include "tests/unit/training/input_files.hpp"

#include <cmath>

namespace troupe::training {
namespace {

using rows = std::vector<std::vector<float>>;

class Csv : public InputFiles {
protected:
  result<csv_table> open(const std::string& content, const csv_options& options = {}) const {
    return open_csv(write("t.csv", content), options);
  }

  rows read(const std::string& content, const csv_options& options = {}, size_t field = 0) const {
    auto table = open(content, options);
    EXPECT_TRUE(table) << table.error().text;
    rows all;
    for (uint32_t i = 0; table && i < table->samples->size(); ++i)
      all.push_back(values(*table->samples, i, field));
    return all;
  }

  // `why` follows the path and ", ".
  void refused(const std::string& content, const std::string& why,
               const csv_options& options = {}) const {
    expect_error(open(content, options), errc::corrupt, path("t.csv") + why);
  }
};

const rows two_by_two{{1, 2}, {3, 4}};

TEST_F(Csv, ReadsEveryEndOfALine) {
  for (const auto* text :
       {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r\n1,2\r\n3,4",
        "\xef\xbb\xbf"
        "a,b\n1,2\n3,4\n",
        "\n\na,b\n\n1,2\n\r\n3,4\n\n\n", "\"a\",\"b\"\r\n\"1\",\"2\"\r\n3,\"4\"\r",
        "a,b\n 1 ,\t2\n+3,4e0\n", "\"a\",b\n\"1\",2\n3,\"4\""})
    EXPECT_EQ(read(text), two_by_two) << text;
  EXPECT_EQ(read(gzipped("a,b\n1,2\n3,4\n")), two_by_two);
}

TEST_F(Csv, ReadsTablesWithoutAHeaderAndWithOtherSeparators) {
  EXPECT_EQ(read("1,2\n3,4\n", {.header = false}), two_by_two);
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "1,2\n3,4\n",
                 {.header = false}),
            two_by_two);
  EXPECT_EQ(read("1;2\n3;4\n", {.separator = ';', .header = false}), two_by_two);
  EXPECT_EQ(read("1\t2\n3\t4\n", {.separator = '\t', .header = false}), two_by_two);
}

TEST_F(Csv, ReadsTheNumbersThatFloatsAre) {
  EXPECT_EQ(read("x\n-1.5\n.5\n5.\n1e3\n3.4e38\n1e-50\n16777216\n"),
            (rows{{-1.5F}, {0.5F}, {5}, {1000}, {3.4e38F}, {0}, {16777216}}));
  auto special = read("x\nnan\ninf\n-inf\n");
  EXPECT_TRUE(std::isnan(special[0][0]));
  EXPECT_EQ(special[1][0], INFINITY);
  EXPECT_EQ(special[2][0], -INFINITY);
}

TEST_F(Csv, ReadsTheColumnsThatAreNamed) {
  const std::string text = "a,b,c,d\n1,2,3,x\n5,6,7,y\n";
  csv_options options{.inputs = {"c", "a"}, .label = "b"};
  auto table = open(text, options);
  ASSERT_TRUE(table) << table.error().text;
  ASSERT_EQ(table->samples->fields().size(), 2u);
  EXPECT_EQ(table->samples->fields()[0].name, "inputs");
  EXPECT_EQ(table->samples->fields()[0].shape, std::vector<size_t>{2});
  EXPECT_EQ(table->samples->fields()[1].name, "label");
  EXPECT_EQ(read(text, options), (rows{{3, 1}, {7, 5}}));
  EXPECT_EQ(read(text, options, 1), (rows{{2}, {6}}));
  // Without names the inputs are all but the label.
  EXPECT_EQ(read("a,b,c\n1,2,3\n", {.label = "b"}), (rows{{1, 3}}));
  EXPECT_EQ(read("1,2,3\n", {.header = false, .inputs = {"2"}, .label = "0"}), (rows{{3}}));
  EXPECT_EQ(read("\xef\xbb\xbf\"a\",b\n1,2\n", {.inputs = {"a"}}), (rows{{1}}));
}

TEST_F(Csv, CategoriesBecomeIds) {
  const std::string text = "n,kind\n1,wolf\n2,\"a, \"\"b\"\"\nc\"\n3,cat\n4,wolf\n";
  csv_options options{.label = "kind", .category_columns = {{"kind", {}}}};
  auto table = open(text, options);
  ASSERT_TRUE(table) << table.error().text;
  EXPECT_EQ(table->category_columns.at("kind"), (categories{"a, \"b\"\nc", "cat", "wolf"}));
  EXPECT_EQ(read(text, options, 1), (rows{{2}, {0}, {1}, {2}}));
  // The next file has the same ids, and no others.
  options.category_columns = table->category_columns;
  EXPECT_EQ(read("n,kind\n1,wolf\n", options, 1), (rows{{2}}));
  refused("n,kind\n1,wolf\n2,dog\n",
          ", line 3, column 2 (kind) holds \"dog\", which is none of the categories", options);
  // As an input, beside numbers.
  EXPECT_EQ(read("k,n\nb,5\na,6\n", {.category_columns = {{"k", {}}}}), (rows{{1, 5}, {0, 6}}));
}

TEST_F(Csv, ErrorsNameFileLineAndColumn) {
  refused("a,b\n1,2\n3,4,5\n", ", line 3 has 3 fields and the first line has 2");
  refused("a,b\n1,2\n3\n", ", line 3 has 1 fields");
  refused("a,b\n1,2\n3,x\n", ", line 3, column 2 (b) holds \"x\", which is no number");
  refused("a,b\n1,2\n3,\n", ", line 3, column 2 (b) holds \"\"");
  refused("a,b\n1,2\n\n\n3,1e39\n", ", line 5, column 2 (b) holds \"1e39\"");
  refused("a,b\n1,1e999\n", ", line 2, column 2");
  refused("a,b\n1,0x10\n", ", line 2, column 2");
  refused("a,b\n1,+-1\n", ", line 2, column 2");
  refused("a,b\n1,2 3\n", ", line 2, column 2");
  refused("a,b\n1,2\r3\n", ", line 2, column 2");
  refused(std::string("a,b\n1,2\0\n", 9), ", line 2, column 2");
  refused("a,b\n1,2\n\"3\n\n\n,4\n", ", line 3, column 1 has an open quote");
  refused("a,b\n\"1\n\",\"2\n", ", line 3, column 2 has an open quote");
  refused("a,b\n1,2\"\n", ", line 2, column 2 has a quote in a field without quotes");
  refused("a,b\n1, \"2\"\n", ", line 2, column 2 has a quote in a field");
  refused("a,b\n1,\"2\" \n", ", line 2, column 2 goes on behind its closing quote");
  refused("a,b\n1,\"2\"\r3\n", ", line 2, column 2 goes on behind its closing quote");
  // Lines within quotes count.
  refused("a,b\n\"1\",\"2\"\n\"\n\",2\n3,x\n", ", line 3, column 1");
  refused("", " has no line of data");
  refused("\xef\xbb\xbf", " has no line of data");
  refused("a,b\n", " has no line of data");
  refused("\n\n", " has no line of data", {.header = false});
}

TEST_F(Csv, LinesWithinQuotesCount) {
  refused("k,n\n\"x\ny\",1\n\"z\n\n\",2\nw,bad\n", ", line 7, column 2 (n) holds \"bad\"",
          {.category_columns = {{"k", {}}}});
}

TEST_F(Csv, RefusesOptionsThatDoNotFit) {
  const std::string text = "a,b,b\n1,2,3\n";
  expect_error(open(text, {.inputs = {"z"}}), errc::not_found, "has no column z");
  expect_error(open(text, {.inputs = {"a"}, .label = "z"}), errc::not_found, "has no column z");
  expect_error(open(text), errc::invalid, "two columns b");
  EXPECT_TRUE(open(text, {.inputs = {"a"}}));
  expect_error(open(text, {.inputs = {"a"}, .category_columns = {{"b", {}}}}), errc::invalid,
               "neither an input nor the label");
  expect_error(open("a\n1\n", {.label = "a"}), errc::invalid, "no column but the label");
  expect_error(open(text, {.separator = '"'}), errc::invalid, "another character");
  expect_error(open_csv(path("none"), {}), errc::not_found, "cannot be opened");
}

TEST_F(Csv, ReadsFilesOfManyWindowsAndRecordsLargerThanOne) {
  std::string text = "k,n\n";
  rows wanted;
  const std::string filler(700'000, 'x');
  text += "\"" + filler + "\n\"\"\"," + "0\n";
  for (int i = 1; i < 200'000; ++i) {
    text += "\"q\"\"" + std::to_string(i % 3) + "\"," + std::to_string(i) + "\r\n";
    wanted.push_back({static_cast<float>(i % 3), static_cast<float>(i)});
  }
  wanted.insert(wanted.begin(), std::vector<float>{3, 0});
  EXPECT_TRUE(read(text, {.category_columns = {{"k", {}}}}) == wanted);
}

TEST_F(Csv, RefusesLinesAndColumnsBeyondTheLimits) {
  expect_error(open("a\n\"" + std::string(40 << 20, 'x')), errc::invalid, "longer than 16 MiB");
  EXPECT_TRUE(open(std::string(65535, ',') + "\n" + std::string(65535, ',') + "\n",
                   {.header = false, .inputs = {"7"}, .category_columns = {{"7", {}}}}));
  expect_error(open(std::string(65536, ',') + "\n"), errc::invalid, "65536 columns");
}

TEST_F(Csv, RefusesDamagedGzip) {
  auto packed = gzipped("a,b\n1,2\n3,4\n");
  expect_error(open(packed.substr(0, packed.size() - 1)), errc::corrupt, "too early");
  packed[packed.size() - 5] ^= 1; // of the checksum
  expect_error(open(packed), errc::corrupt, path("t.csv"));
}

} // namespace
} // namespace troupe::training
