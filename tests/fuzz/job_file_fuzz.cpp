// Job files as people and machines should not write them.
#include "actors/jobs/job_file.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace troupe::testing {
namespace {

constexpr std::string_view sample = R"(name: fashion-mnist
attempts: 3
directory: .
inputs: [data/train.gz, "data/labels.gz"]
outputs: [model.bin]
tasks:
  worker:
    instances: 2
    cpus: 1
    memory: 1.5 GiB
    env: { EPOCHS: 3, DATA: "${DATA}" }
    command: [python3, train.py, --fast]
  server:
    command: exec ./server
    image: docker.io/library/python:3
    mounts: [/data, "/models:/srv/models:ro"]
)";

std::string hostile_yaml(random_source& random) {
  static constexpr std::array<std::string_view, 32> pieces{
    "[",  "]",  "{",   "}",   "&a ",    "*a",    "<<: ",   "? ",
    ": ", "- ", "|\n", ">\n", "!!int ", "---\n", "...\n",  "%TAG ! x\n",
    "\t", "#",  "\"",  "'",   "\\x",    "${",    "}${A}",  "  ",
    "\n", "~",  "..",  "-1",  "1e999",  "nan",   "name: ", "tasks:\n  a:\n"};
  byte_vector bytes{sample.begin(), sample.end()};
  for (auto n = random.below(4); n > 0; --n) {
    std::string piece;
    auto many = random.chance(0.05) ? random.below(50'000) : random.below(4);
    auto text = pieces[random.below(pieces.size())];
    for (uint64_t i = 0; i < many; ++i)
      piece += text;
    auto at = bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size()));
    bytes.insert(at, piece.begin(), piece.end());
  }
  if (random.chance(0.5))
    mutate(bytes, byte_vector(bytes), random);
  return {bytes.begin(), bytes.end()};
}

bool is_below(const std::string& path) {
  auto normal = std::filesystem::path{path}.lexically_normal();
  return normal.is_relative() && *normal.begin() != "..";
}

TEST(FuzzJobFile, IsReadOrRefusedWithASentence) {
  fuzz("IsReadOrRefusedWithASentence", 500, [](random_source& random) {
    job_file_options options;
    options.path = "/jobs/job.yaml";
    options.parameters = {{"DATA", "/data"}};
    if (random.chance(0.2))
      options.overrides
        = {hostile_text(random, 1000), "tasks.worker.cpus=" + hostile_text(random, 9)};
    auto read = parse_job_file(hostile_yaml(random), options);
    if (!read) {
      EXPECT_EQ(read.error().code, errc::invalid);
      EXPECT_FALSE(read.error().text.empty());
      EXPECT_LE(read.error().text.size(), 2000u);
      return;
    }
    EXPECT_FALSE(read->name.empty());
    EXPECT_TRUE(!read->tasks.empty());
    for (auto& type : read->tasks)
      EXPECT_TRUE(type->instances > 0 && type->cpus > 0 && !type->command.empty());
    EXPECT_TRUE(std::all_of(read->outputs.begin(), read->outputs.end(), is_below));
  });
}

} // namespace
} // namespace troupe::testing
