#include "storage/bytes/stat_cache.hpp"

#include "runtime/base/file_text.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace troupe::storage {

namespace {

constexpr std::string_view magic = "TROUPES1";
constexpr size_t facts_size = 5 * 8;
constexpr size_t content_size = content_id::bytes + 4; // without the ids
constexpr int64_t second = 1'000'000'000;

template <class T>
T number_at(std::string_view bytes, size_t offset) {
  T out{};
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

void append_number(std::string& out, auto number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

uint64_t sum_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// Whether a file with that time could not be written again at the same time after it was read.
bool is_clearly_before(int64_t time_ns, int64_t taken_ns) {
  auto grain = time_ns % second == 0 ? 2 * second : second / 10;
  return time_ns < taken_ns - grain;
}

// Empty where it cannot be read whole.
std::string content_of(const std::string& path) {
  owned_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    return {};
  std::string out(static_cast<size_t>(facts.st_size), '\0');
  for (size_t done = 0; done < out.size();) {
    auto n = ::read(file.get(), out.data() + done, out.size() - done);
    if (n <= 0)
      return {};
    done += static_cast<size_t>(n);
  }
  return out;
}

} // namespace

stat_cache stat_cache::load(const std::string& file) {
  stat_cache out;
  out.bytes_ = content_of(file);
  if (!out.read())
    out.seen_.clear();
  return out;
}

// False: it is not whole.
bool stat_cache::read() {
  constexpr auto head = magic.size() + sizeof taken_ns_;
  std::string_view rest{bytes_};
  if (!rest.starts_with(magic) || rest.size() < head + sizeof(uint64_t))
    return false;
  auto end = rest.size() - sizeof(uint64_t);
  if (number_at<uint64_t>(rest, end) != sum_of(rest.substr(0, end)))
    return false;
  taken_ns_ = number_at<int64_t>(rest, magic.size());
  rest = rest.substr(head, end - head);
  while (!rest.empty()) {
    auto size = rest.size() < 4 ? UINT32_MAX : number_at<uint32_t>(rest, 0);
    if (rest.size() < 4 + facts_size + content_size + uint64_t{size})
      return false;
    auto path = rest.substr(4, size);
    rest.remove_prefix(4 + path.size());
    auto count = number_at<uint32_t>(rest, facts_size + content_id::bytes);
    auto whole = facts_size + content_size + count * uint64_t{content_id::bytes};
    if (rest.size() < whole || (!seen_.empty() && seen_.back().path >= path))
      return false;
    seen_.push_back({path, rest.substr(0, whole)});
    rest.remove_prefix(whole);
  }
  return true;
}

const stat_cache::seen* stat_cache::at(std::string_view path) const {
  auto found = std::lower_bound(seen_.begin(), seen_.end(), path,
                                [](const seen& x, std::string_view y) { return x.path < y; });
  return found == seen_.end() || found->path != path ? nullptr : &*found;
}

std::optional<file_content> stat_cache::find(std::string_view path, const file_facts& facts) const {
  auto* found = at(path);
  if (!found)
    return std::nullopt;
  auto& rest = found->rest;
  file_facts then{number_at<uint64_t>(rest, 0), number_at<int64_t>(rest, 8),
                  number_at<int64_t>(rest, 16), number_at<uint64_t>(rest, 24),
                  number_at<uint64_t>(rest, 32)};
  if (then != facts || !is_clearly_before(facts.mtime_ns, taken_ns_)
      || !is_clearly_before(facts.ctime_ns, taken_ns_))
    return std::nullopt;
  file_content out{content_id::from_raw(rest.substr(facts_size, content_id::bytes)), {}};
  for (auto ids = rest.substr(facts_size + content_size); !ids.empty();
       ids.remove_prefix(content_id::bytes))
    out.chunks.push_back(content_id::from_raw(ids.substr(0, content_id::bytes)));
  return out;
}

stat_cache_writer::stat_cache_writer(int64_t taken_ns) : bytes_(magic) {
  append_number(bytes_, taken_ns);
}

void stat_cache_writer::add(std::string_view path, const file_facts& facts, const content_id& hash,
                            const std::vector<chunk_id>& chunks) {
  append_number(bytes_, static_cast<uint32_t>(path.size()));
  bytes_.append(path);
  append_number(bytes_, facts.size);
  append_number(bytes_, facts.mtime_ns);
  append_number(bytes_, facts.ctime_ns);
  append_number(bytes_, facts.inode);
  append_number(bytes_, facts.device);
  bytes_.append(hash.raw());
  append_number(bytes_, static_cast<uint32_t>(chunks.size()));
  for (auto& each : chunks)
    bytes_.append(each.raw());
}

result<void> stat_cache_writer::save(const std::string& file) {
  append_number(bytes_, sum_of(bytes_));
  auto path = file + ".part-XXXXXX";
  owned_fd out{::mkostemp(path.data(), O_CLOEXEC)};
  if (out && write_all(out.get(), bytes_) && ::rename(path.c_str(), file.c_str()) == 0)
    return {};
  auto number = errno;
  if (out)
    ::unlink(path.c_str());
  return {errc::io, "cannot write the stat cache " + file + ": " + std::strerror(number)
                      + "; check the room on its disk"};
}

} // namespace troupe::storage
