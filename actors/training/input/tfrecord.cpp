#include "actors/training/input/tfrecord.hpp"

#include "actors/training/input/crc32c.hpp"
#include "actors/training/input/file_bytes.hpp"
#include "actors/training/input/little_endian.hpp"
#include "actors/training/input/tf_example.hpp"

#include <algorithm>

namespace troupe::training {

namespace {

constexpr uint64_t record_max = uint64_t{256} << 20;
constexpr size_t length_size = sizeof(uint64_t);
constexpr size_t checksum_size = sizeof(uint32_t);
constexpr size_t head_size = length_size + checksum_size;
constexpr size_t window_size = size_t{256} << 10; // that the index is read in

struct record_place {
  uint64_t offset = 0; // of the data in the file
  uint32_t length = 0;
  uint32_t file = 0;
};

class tfrecord_dataset : public dataset {
public:
  explicit tfrecord_dataset(std::vector<field> features) : features_(std::move(features)) {}

  result<void> add(const std::string& path);

  size_t size() const override { return places_.size(); }
  std::span<const field> fields() const override { return features_; }

  result<void> read(uint32_t index, std::span<const std::span<float>> into,
                    std::vector<std::byte>& scratch) const override {
    TROUPE_ASSERT(index < size() && into.size() == features_.size());
    const auto& at = places_[index];
    const auto& file = *files_[at.file];
    auto bytes = file.view(at.offset, at.length + checksum_size, scratch);
    if (!bytes)
      return bytes.error();
    auto data = bytes->first(at.length);
    auto named = [&](const std::string& why) {
      auto first = std::lower_bound(
        places_.begin(), places_.end(), at.file,
        [](const record_place& each, uint32_t number) { return each.file < number; });
      auto number = static_cast<size_t>(&at - &*first);
      return file.path() + ", record " + std::to_string(number) + " " + why;
    };
    if (masked_crc32c(data) != little_endian<uint32_t>(*bytes, at.length))
      return {errc::corrupt, named("fails its checksum: fetch or write the file again.")};
    if (auto done = read_example(data, features_, into); !done)
      return {done.error().code, named(done.error().text)};
    return {};
  }

private:
  std::vector<field> features_;
  std::vector<std::shared_ptr<const file_bytes>> files_;
  std::vector<record_place> places_;
};

result<void> tfrecord_dataset::add(const std::string& path) {
  auto opened = file_bytes::open(path);
  if (!opened)
    return opened.error();
  const auto& file = **opened;
  std::vector<std::byte> scratch;
  std::span<const std::byte> window;
  uint64_t begin = 0; // of the window
  uint64_t length = 0;
  for (uint64_t at = 0; at < file.size();) {
    if (at < begin || at + head_size > begin + window.size()) {
      // Between large records only what is needed is read.
      auto wanted = length > window_size / 4 ? head_size : window_size;
      auto size = std::min<uint64_t>(file.size() - at, wanted);
      auto viewed = file.view(at, size, scratch);
      if (!viewed)
        return viewed.error();
      window = *viewed;
      begin = at;
    }
    if (window.size() - (at - begin) < head_size)
      return damaged(path, "ends too early, in the middle of a record");
    auto head = window.subspan(at - begin, head_size);
    length = little_endian<uint64_t>(head);
    if (masked_crc32c(head.first(length_size)) != little_endian<uint32_t>(head, length_size))
      return damaged(path, "is no TFRecord file, is compressed as a whole, or has a damaged length "
                           "at byte "
                             + std::to_string(at));
    if (length > record_max)
      return {errc::invalid, path + " has a record of more than 256 MiB: split it."};
    auto data = at + head_size;
    if (file.size() - data < length + checksum_size)
      return damaged(path, "ends too early, in the middle of a record");
    if (places_.size() == samples_max)
      return {errc::invalid, path + " has more records than can be read at once: split it."};
    places_.push_back({data, static_cast<uint32_t>(length), static_cast<uint32_t>(files_.size())});
    at = data + length + checksum_size;
  }
  files_.push_back(*std::move(opened));
  return {};
}

// Overflow of a shape's product is refused here once; a sample cannot be larger than a record.
bool sensible(const field& feature) {
  auto room = record_max;
  for (auto extent : feature.shape) {
    if (extent == 0 || extent > room)
      return false;
    room /= extent;
  }
  return !feature.name.empty();
}

} // namespace

result<std::unique_ptr<dataset>> open_tfrecord(std::span<const std::string> paths,
                                               std::vector<field> features) {
  if (paths.empty() || features.empty() || features.size() > features_max
      || !std::all_of(features.begin(), features.end(), sensible))
    return {errc::invalid, "TFRecord files are read for 1 to 64 features, with names, and extents "
                           "above 0 that fit into a record: name files and features."};
  auto made = std::make_unique<tfrecord_dataset>(std::move(features));
  for (const auto& path : paths)
    TROUPE_TRY(made->add(path));
  if (made->size() == 0)
    return damaged(paths.front(), "is empty, as are all that were named");
  return std::unique_ptr<dataset>(std::move(made));
}

} // namespace troupe::training
