#include "storage/checkpoint_file.hpp"

#include "runtime/base/owned_fd.hpp"
#include "storage/record.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#define XXH_STATIC_LINKING_ONLY // for the size of its state
#include <xxhash.h>

namespace troupe::storage {

namespace {

constexpr std::string_view magic = "TROUPECK";
constexpr uint32_t version = 1;
constexpr size_t rank_max = 8;
constexpr size_t tensors_max = 100'000;
constexpr size_t text_max = 4096;
constexpr size_t piece = 4 << 20; // bytes of one read or write
constexpr uint64_t checksum_size = sizeof(uint64_t);

error failure(const char* doing, const std::string& path, int number) {
  auto text = std::string("cannot ") + doing + " " + path + ": " + std::strerror(number);
  if (number == ENOENT)
    return {errc::not_found, text + "; check the path"};
  if (number == ENOSPC || number == EDQUOT || number == EFBIG)
    return {errc::io, text + "; free some space, or keep fewer checkpoints"};
  return {errc::io, text + "; mend the disk or its permissions"};
}

error damaged(const std::string& path, const char* why) {
  return {errc::corrupt, "the checkpoint " + path + " " + why + "; use an older one"};
}

// Writes bytes and sums them up.
class summed_writer {
public:
  summed_writer(int file, const std::string& path) : file_(file), path_(path) {
    XXH3_64bits_reset(&sum_);
  }

  result<void> write(std::string_view bytes) {
    XXH3_64bits_update(&sum_, bytes.data(), bytes.size());
    return write_plain(bytes);
  }

  result<void> finish() {
    field_writer end;
    end.number(XXH3_64bits_digest(&sum_));
    TROUPE_TRY(write_plain(end.take()));
    if (::fsync(file_) != 0)
      return failure("sync", path_, errno);
    return {};
  }

private:
  result<void> write_plain(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = ::write(file_, bytes.data(), std::min(bytes.size(), piece));
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return failure("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  int file_;
  const std::string& path_;
  XXH3_state_t sum_;
};

// Reads untrusted bytes, sums them up, and never goes beyond where the checksum begins.
class summed_reader {
public:
  static result<summed_reader> open(const std::string& path) {
    owned_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
      return failure("open", path, errno);
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0)
      return failure("read", path, errno);
    if (!S_ISREG(status.st_mode))
      return {errc::invalid, path + " is not a file; give the path of a checkpoint"};
    auto size = static_cast<uint64_t>(status.st_size);
    if (size < magic.size() + checksum_size)
      return damaged(path, "is cut short");
    return summed_reader{std::move(file), path, size};
  }

  uint64_t left() const noexcept { return left_; }

  result<void> read(void* to, uint64_t size) {
    if (size > left_)
      return damaged(path_, "is cut short");
    TROUPE_TRY(read_plain(static_cast<char*>(to), size));
    XXH3_64bits_update(&sum_, to, size);
    left_ -= size;
    return {};
  }

  template <class T>
  result<T> number() {
    T x = 0;
    TROUPE_TRY(read(&x, sizeof x));
    return x;
  }

  result<std::string> text() {
    auto size = number<uint32_t>();
    if (!size)
      return size.error();
    if (*size > text_max)
      return damaged(path_, "has a text that is too long");
    std::string x(*size, '\0');
    TROUPE_TRY(read(x.data(), x.size()));
    return x;
  }

  // After the last byte before the checksum.
  result<void> finish() {
    if (left_ != 0)
      return damaged(path_, "has bytes behind its end");
    uint64_t written = 0;
    TROUPE_TRY(read_plain(reinterpret_cast<char*>(&written), sizeof written));
    if (written != XXH3_64bits_digest(&sum_))
      return damaged(path_, "fails its checksum");
    return {};
  }

private:
  summed_reader(owned_fd file, const std::string& path, uint64_t size)
    : file_(std::move(file)), path_(path), left_(size - checksum_size) {
    XXH3_64bits_reset(&sum_);
  }

  result<void> read_plain(char* to, uint64_t size) {
    while (size > 0) {
      auto n = ::read(file_.get(), to, std::min<uint64_t>(size, piece));
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return failure("read", path_, errno);
      if (n == 0)
        return damaged(path_, "is cut short");
      to += n;
      size -= static_cast<uint64_t>(n);
    }
    return {};
  }

  owned_fd file_;
  const std::string& path_;
  uint64_t left_;
  XXH3_state_t sum_;
};

// The number of values of a shape; empty where it overflows or has too many dimensions.
std::optional<uint64_t> values_of(const std::vector<uint64_t>& shape) {
  uint64_t n = 1;
  if (shape.size() > rank_max)
    return std::nullopt;
  for (auto extent : shape)
    if (__builtin_mul_overflow(n, extent, &n) || n > UINT64_MAX / sizeof(float))
      return std::nullopt;
  return n;
}

result<void> check(std::span<const tensor_view> tensors,
                   const std::map<std::string, std::string>& meta) {
  if (tensors.size() > tensors_max)
    return {errc::invalid, "a checkpoint of " + std::to_string(tensors.size())
                             + " tensors is above the limit of 100000; join some"};
  for (const auto& x : tensors) {
    if (x.name.empty() || x.name.size() > text_max)
      return {errc::invalid, "a tensor's name is empty or above 4096 bytes; choose another"};
    if (values_of(x.shape) != x.values.size())
      return {errc::invalid, "the shape of the tensor " + x.name + " does not give its "
                               + std::to_string(x.values.size()) + " values; mend the shape"};
  }
  for (const auto& [key, value] : meta)
    if (key.size() > text_max || value.size() > text_max)
      return {errc::invalid, "a meta text of a checkpoint is above 4096 bytes; shorten it"};
  return {};
}

result<void> write_content(summed_writer& to, uint64_t attempt, uint64_t step,
                           std::span<const tensor_view> tensors,
                           const std::map<std::string, std::string>& meta) {
  field_writer head;
  head.count(version);
  head.number(attempt);
  head.number(step);
  head.map(meta);
  head.count(static_cast<uint32_t>(tensors.size()));
  TROUPE_TRY(to.write(magic));
  TROUPE_TRY(to.write(head.take()));
  for (const auto& x : tensors) {
    field_writer fields;
    fields.text(x.name);
    fields.count(static_cast<uint32_t>(x.shape.size()));
    for (auto extent : x.shape)
      fields.number(extent);
    TROUPE_TRY(to.write(fields.take()));
    TROUPE_TRY(to.write({reinterpret_cast<const char*>(x.values.data()), x.values.size_bytes()}));
  }
  return to.finish();
}

result<checkpoint> read_head(summed_reader& from, const std::string& path) {
  std::string mark(magic.size(), '\0');
  TROUPE_TRY(from.read(mark.data(), mark.size()));
  if (mark != magic)
    return damaged(path, "does not begin as one");
  auto found = from.number<uint32_t>();
  if (!found)
    return found.error();
  if (*found != version)
    return damaged(path, "has a version that this program does not know");
  checkpoint out;
  TROUPE_TRY(from.read(&out.attempt, sizeof out.attempt));
  TROUPE_TRY(from.read(&out.step, sizeof out.step));
  auto count = from.number<uint32_t>();
  if (!count)
    return count.error();
  for (uint32_t i = 0; i < *count; ++i) {
    auto key = from.text();
    if (!key)
      return key.error();
    auto value = from.text();
    if (!value)
      return value.error();
    out.meta.insert_or_assign(*key, *value);
  }
  return out;
}

result<tensor> read_tensor(summed_reader& from, const std::string& path) {
  tensor out;
  auto name = from.text();
  if (!name)
    return name.error();
  out.name = *name;
  auto rank = from.number<uint32_t>();
  if (!rank)
    return rank.error();
  if (*rank > rank_max)
    return damaged(path, "has a tensor of too many dimensions");
  out.shape.resize(*rank);
  TROUPE_TRY(from.read(out.shape.data(), *rank * sizeof(uint64_t)));
  auto values = values_of(out.shape);
  if (!values || *values > from.left() / sizeof(float))
    return damaged(path, "has a tensor that is larger than the file");
  out.values.resize(*values);
  TROUPE_TRY(from.read(out.values.data(), *values * sizeof(float)));
  return out;
}

} // namespace

result<void> write_checkpoint_file(const std::string& path, uint64_t attempt, uint64_t step,
                                   std::span<const tensor_view> tensors,
                                   const std::map<std::string, std::string>& meta) {
  TROUPE_TRY(check(tensors, meta));
  owned_fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file)
    return failure("make", path, errno);
  summed_writer to(file.get(), path);
  return write_content(to, attempt, step, tensors, meta);
}

result<checkpoint> verify_checkpoint_file(const std::string& path) {
  auto opened = summed_reader::open(path);
  if (!opened)
    return opened.error();
  auto& from = *opened;
  auto head = read_head(from, path);
  if (!head)
    return head;
  std::string bytes(std::min<uint64_t>(from.left(), piece), '\0');
  while (from.left() > 0)
    TROUPE_TRY(from.read(bytes.data(), std::min<uint64_t>(from.left(), bytes.size())));
  TROUPE_TRY(from.finish());
  return head;
}

result<void> sync_directory(const std::string& path) {
  owned_fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return failure("sync", path, errno);
  return {};
}

result<void> make_directory(const std::string& name) {
  const std::filesystem::path path{name};
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed))
    return {};
  if (path.has_parent_path() && path != path.root_path())
    TROUPE_TRY(make_directory(path.parent_path().string()));
  std::filesystem::create_directory(path, failed);
  if (failed)
    return failure("make", name, failed.value());
  return sync_directory(path.has_parent_path() ? path.parent_path().string() : ".");
}

result<checkpoint> read_checkpoint(const std::string& path) {
  auto opened = summed_reader::open(path);
  if (!opened)
    return opened.error();
  auto& from = *opened;
  auto out = read_head(from, path);
  if (!out)
    return out;
  auto count = from.number<uint32_t>();
  if (!count)
    return count.error();
  for (uint32_t i = 0; i < *count; ++i) {
    auto x = read_tensor(from, path);
    if (!x)
      return x.error();
    out->tensors.push_back(std::move(*x));
  }
  TROUPE_TRY(from.finish());
  return out;
}

} // namespace troupe::storage
