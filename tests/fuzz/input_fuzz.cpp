// Damaged files of samples: each reader refuses them or gives what the fields say, and asks for no
// more memory than such a file is worth.
#include "actors/training/input/csv.hpp"
#include "actors/training/input/npy.hpp"
#include "actors/training/input/tfrecord.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/support/input_bytes.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

namespace troupe::testing {
namespace {

using namespace troupe::training;

// Windows and pieces of fixed size make the most of it.
constexpr size_t memory_max = size_t{16} << 20;

class FuzzInput : public ::testing::Test {
protected:
  std::string path_of(const std::string& name) const { return scratch.path + "/" + name; }

  std::string write(const std::string& name, const std::string& bytes) const {
    // A file that is cut to nothing and written again waits for the disk on some file systems.
    std::filesystem::remove(path_of(name));
    std::ofstream{path_of(name), std::ios::binary} << bytes;
    return path_of(name);
  }

  scratch_directory scratch;
};

std::string damaged(const std::string& text, random_source& random) {
  byte_vector bytes{text.begin(), text.end()};
  mutate(bytes, byte_vector(bytes), random);
  return {bytes.begin(), bytes.end()};
}

// Reads every sample; what was refused is no more than that.
void read_all(const result<std::unique_ptr<dataset>>& opened) {
  if (!opened)
    return;
  const auto& data = **opened;
  std::vector<std::vector<float>> rows;
  std::vector<std::span<float>> into;
  for (const auto& each : data.fields()) {
    ASSERT_LT(each.values(), size_t{1} << 20);
    rows.emplace_back(each.values());
  }
  for (auto& each : rows)
    into.emplace_back(each);
  std::vector<std::byte> scratch;
  ASSERT_LT(data.size(), size_t{1} << 20);
  for (uint32_t i = 0; i < data.size(); ++i)
    if (auto done = data.read(i, into, scratch); !done) {
      EXPECT_EQ(done.error().code, errc::corrupt) << done.error().text;
    }
}

template <class Open>
void check(Open open) {
  auto before = allocated();
  read_all(open());
  EXPECT_LE(allocated() - before, memory_max);
}

TEST_F(FuzzInput, DamagedIdxFilesAreRefusedOrWhole) {
  fuzz("DamagedIdxFilesAreRefusedOrWhole", 500, [this](random_source& random) {
    auto count = static_cast<uint32_t>(1 + random.below(20));
    auto images = idx_file(8, {count, 4, 4}, std::string(16 * count, '\7'));
    auto labels = idx_file(8, {count}, std::string(count, '\3'));
    auto packed = random.chance(0.5);
    std::array<named_file, 2> files{
      {{"image", write("images", damaged(packed ? gzipped(images) : images, random))},
       {"label", write("labels", random.chance(0.3) ? damaged(labels, random) : labels)}}};
    if (packed && random.chance(0.5))
      write("images", gzipped(damaged(images, random)));
    check([&] { return open_idx(files); });
  });
}

TEST_F(FuzzInput, DamagedArraysOfNumPyAreRefusedOrWhole) {
  fuzz("DamagedArraysOfNumPyAreRefusedOrWhole", 2000, [this](random_source& random) {
    auto file = npy_file(npy_header("<f4", "(3, 2)"), std::string(24, '\7'),
                         static_cast<char>(1 + random.below(3)));
    std::array<named_file, 1> files{{{"x", write("x.npy", damaged(file, random))}}};
    check([&] { return open_npy(files); });
  });
}

TEST_F(FuzzInput, DamagedArchivesOfNumPyAreRefusedOrWhole) {
  fuzz("DamagedArchivesOfNumPyAreRefusedOrWhole", 2000, [this](random_source& random) {
    auto array = npy_file(npy_header("|u1", "(3, 2)"), "abcdef");
    auto inner = random.chance(0.2) ? damaged(array, random) : array;
    auto file = zip_file({{"x.npy", array, random.chance(0.5), random.chance(0.5)},
                          {"y.npy", inner, random.chance(0.5), random.chance(0.5)}},
                         random.chance(0.5));
    auto at = write("x.npz", damaged(file, random));
    check([&] { return open_npz(at, {}); });
  });
}

TEST_F(FuzzInput, DamagedTablesAreRefusedOrNumbers) {
  const std::string whole = "a,\"b\",c\r\n1,2.5e3,\"x\"\n-3,\"4\",\"y\"\"\n,z\"\n\n5,nan,x";
  fuzz("DamagedTablesAreRefusedOrNumbers", 3000, [&](random_source& random) {
    auto text = random.chance(0.1) ? hostile_text(random, 1000) : damaged(whole, random);
    auto at = write("t.csv", random.chance(0.1) ? damaged(gzipped(text), random) : text);
    csv_options options{.header = random.chance(0.7)};
    if (options.header && random.chance(0.7))
      options.category_columns["c"] = {};
    check([&]() -> result<std::unique_ptr<dataset>> {
      auto table = open_csv(at, options);
      if (!table)
        return table.error();
      return std::move(table->samples);
    });
  });
}

TEST_F(FuzzInput, DamagedRecordsAreRefusedOrExamples) {
  const std::vector<field> fields{{"image", element_type::u8, {2, 2}},
                                  {"weight", element_type::f32, {2}},
                                  {"label", element_type::i64, {}}};
  fuzz("DamagedRecordsAreRefusedOrExamples", 3000, [&](random_source& random) {
    auto record
      = example(feature("label", ints_feature({3})) + feature("image", bytes_feature("abcd"))
                + feature("weight", floats_feature({1, 2})));
    // The checksums are right and what is in them is not, or the other way round.
    auto file = tfrecord(record) + tfrecord(damaged(record, random)) + tfrecord(record);
    std::array<std::string, 1> paths{write("r", random.chance(0.3) ? damaged(file, random) : file)};
    check([&] { return open_tfrecord(paths, fields); });
  });
}

} // namespace
} // namespace troupe::testing
