// Ours in the benchmark input: input_troupe FORMAT FILE... opens the files, and brings every sample
// once, shuffled, normalised and in batches of 64, with two threads that read. It prints samples a
// second from before the files are opened, samples a second of the epoch after, and a sum over all
// inputs and targets that shows that the work was done.
//
//   idx IMAGES LABELS    npy IMAGES LABELS    npz FILE    csv FILE    tfrecord FILE
//
// The arrays of an archive, and the features of a record, are "image" (28 by 28 bytes in a record)
// and "label".
#include "actors/training/epoch_order.hpp"
#include "actors/training/input/csv.hpp"
#include "actors/training/input/npy.hpp"
#include "actors/training/input/pipeline.hpp"
#include "actors/training/input/tfrecord.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace troupe::bench {
namespace {

using namespace troupe::training;
using steady = std::chrono::steady_clock;

struct opened {
  std::unique_ptr<dataset> samples;
  std::string inputs = "image";
};

result<opened> with(result<std::unique_ptr<dataset>> samples) {
  if (!samples)
    return samples.error();
  return opened{*std::move(samples)};
}

result<opened> open(const std::string& format, const std::vector<std::string>& files) {
  if (files.size() == 2 && (format == "idx" || format == "npy")) {
    const std::array<named_file, 2> named{{{"image", files[0]}, {"label", files[1]}}};
    return with(format == "idx" ? open_idx(named) : open_npy(named));
  }
  if (files.size() == 1 && format == "csv") {
    auto table = open_csv(files[0], {.label = "label"});
    if (!table)
      return table.error();
    return opened{std::move(table->samples), "inputs"};
  }
  if (files.size() == 1 && format == "npz") {
    const std::array<std::string, 2> names{"image", "label"};
    return with(open_npz(files[0], names));
  }
  if (files.size() == 1 && format == "tfrecord")
    return with(open_tfrecord(
      files, {{"image", element_type::u8, {28, 28}}, {"label", element_type::i64, {}}}));
  return {errc::invalid, "usage: input_troupe idx|npy|npz|csv|tfrecord FILE..."};
}

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

// In sixteen parts: one would make the benchmark one of additions that wait for each other.
double sum_of(std::span<const float> values) {
  std::array<float, 16> parts{};
  auto whole = values.size() / parts.size() * parts.size();
  for (size_t i = 0; i < whole; i += parts.size())
    for (size_t j = 0; j < parts.size(); ++j)
      parts[j] += values[i + j];
  double sum = 0;
  for (auto each : parts)
    sum += static_cast<double>(each);
  for (auto each : values.subspan(whole))
    sum += static_cast<double>(each);
  return sum;
}

// The sum of all that it brought.
result<double> bring(const opened& from, uint64_t epoch) {
  auto order = epoch_order(static_cast<uint32_t>(from.samples->size()), 1, epoch);
  auto input = pipeline::make(*from.samples, std::move(order),
                              {.inputs = from.inputs,
                               .targets = "label",
                               .batch = 64,
                               .workers = 2,
                               .map = scale(1 / 127.5F, -1)});
  if (!input)
    return input.error();
  double sum = 0;
  for (;;) {
    auto next = (*input)->next();
    if (!next)
      return next.error();
    if (!*next)
      return sum;
    const auto& got = **next;
    sum += sum_of(got.inputs.first(got.inputs.size() / 64 * got.valid));
    sum += sum_of(got.targets.first(got.valid));
  }
}

result<void> run(const std::string& format, const std::vector<std::string>& files) {
  auto start = steady::now();
  auto from = open(format, files);
  if (!from)
    return from.error();
  auto sum = bring(*from, 0);
  if (!sum)
    return sum.error();
  auto whole = seconds_since(start);
  start = steady::now();
  TROUPE_TRY(bring(*from, 1));
  auto epoch = seconds_since(start);
  auto count = static_cast<double>(from->samples->size());
  std::printf("%.6g %.6g %.6g\n", count / whole, count / epoch, *sum);
  return {};
}

} // namespace
} // namespace troupe::bench

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  auto format = words.empty() ? std::string() : words.front();
  if (!words.empty())
    words.erase(words.begin());
  auto done = troupe::bench::run(format, words);
  if (done)
    return 0;
  std::fprintf(stderr, "%s\n", done.error().text.c_str());
  return 1;
}
