// Files of samples that a test writes, and what a reader makes of them.
#pragma once

#include "actors/training/input/dataset.hpp"
#include "tests/support/input_bytes.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace troupe::training {

class InputFiles : public testing::Test {
protected:
  std::string path(const std::string& name) const { return scratch_.path + "/" + name; }

  // The path.
  std::string write(const std::string& name, const std::string& content) const {
    // A file that is cut to nothing and written again waits for the disk on some file systems.
    std::filesystem::remove(path(name));
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  std::string content_of(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  scratch_directory scratch_;
};

// One field of one sample.
inline std::vector<float> values(const dataset& of, uint32_t sample, size_t field = 0) {
  std::vector<float> row(of.fields()[field].values(), -12345.0F);
  std::vector<std::span<float>> into(of.fields().size());
  into[field] = row;
  std::vector<std::byte> scratch;
  auto done = of.read(sample, into, scratch);
  EXPECT_TRUE(done) << done.error().text;
  return row;
}

// The error, when all of a sample is read.
inline error failure(const dataset& of, uint32_t sample) {
  std::vector<std::vector<float>> rows;
  std::vector<std::span<float>> into;
  for (const auto& each : of.fields())
    rows.emplace_back(each.values());
  for (auto& each : rows)
    into.emplace_back(each);
  std::vector<std::byte> scratch;
  auto done = of.read(sample, into, scratch);
  return done ? error{} : done.error();
}

template <class T>
void expect_error(const result<T>& got, errc code, const std::string& why) {
  ASSERT_FALSE(got) << why;
  EXPECT_EQ(got.error().code, code) << got.error().text;
  EXPECT_NE(got.error().text.find(why), std::string::npos) << got.error().text;
}

} // namespace troupe::training
