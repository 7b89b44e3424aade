#include "storage/bytes/tree_add.hpp"

#include "runtime/base/owned_fd.hpp"
#include "storage/bytes/parallel.hpp"
#include "storage/bytes/stat_cache.hpp"
#include "storage/bytes/tree_listing.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

namespace troupe::storage {

namespace {

constexpr size_t span_files = 32; // that a thread takes at a time
constexpr size_t buffer_least = 1u << 20;

int64_t nanoseconds(const timespec& x) {
  return x.tv_sec * 1'000'000'000 + x.tv_nsec;
}

file_facts facts_of(const struct stat& x) {
  return {static_cast<uint64_t>(x.st_size), nanoseconds(x.st_mtim), nanoseconds(x.st_ctim),
          x.st_ino, x.st_dev};
}

error failure(const char* doing, const std::string& path, int number) {
  auto text = std::string{"cannot "}.append(doing).append(" '").append(printable(path));
  text.append("': ").append(std::strerror(number));
  if (number == ENOENT)
    return {errc::not_found, text + "; check the path, and that nothing changes it"};
  if (number == EACCES || number == EPERM)
    return {errc::refused, text + "; allow this user to read it, or leave it out"};
  return {errc::io, text + "; check that it is a file and that its disk is well"};
}

error changed(const std::string& path) {
  auto text = std::string{"'"}.append(printable(path));
  return {errc::unavailable,
          text + "' changed while it was read; add it again when nothing writes to it"};
}

// Reads a file through a buffer that always has the longest chunk, or the end.
class content_reader {
public:
  content_reader(int file, uint64_t size, char* buffer, size_t room)
    : file_(file), size_(size), buffer_(buffer), room_(room) {}

  // The bytes from the current position: at least `wanted`, unless the file ends before. Nothing
  // where it cannot be read: see errno.
  std::optional<std::string_view> ahead(size_t wanted) {
    if (end_ - begin_ < wanted && !at_end_) {
      std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    while (end_ - begin_ < wanted && !at_end_) {
      auto n = ::read(file_, buffer_ + end_, room_ - end_);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return std::nullopt;
      end_ += static_cast<size_t>(n);
      total_ += static_cast<size_t>(n);
      at_end_ = n == 0 || total_ == size_; // what had that size is not asked for more
    }
    return std::string_view{buffer_ + begin_, end_ - begin_};
  }

  void skip(size_t size) { begin_ += size; }

private:
  const int file_;
  const uint64_t size_;
  char* const buffer_;
  const size_t room_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t total_ = 0;
  bool at_end_ = false;
};

class tree_adder {
public:
  tree_adder(chunk_writer& into, const add_options& options)
    : into_(into), options_(options),
      room_(std::max(buffer_least, 4 * options.sizes.most)), empty_{sha256_hasher{}.of({})} {}

  result<added_tree> run(const std::string& path) {
    TROUPE_TRY(open(path));
    if (!options_.cache.empty())
      cache_ = stat_cache::load(options_.cache);
    facts_.resize(items_.size());
    TROUPE_TRY(in_parallel(items_.size(), span_files, options_.threads,
                           [this](size_t begin, size_t end) { return add(begin, end); }));
    auto id = put_tree(into_, items_);
    if (!id)
      return id.error();
    added_tree out{.id = *id, .files_read = files_read_};
    for (auto& each : items_) {
      out.files += each.is_file() ? 1 : 0;
      out.bytes += each.size;
    }
    if (!options_.cache.empty() && (files_read_ > 0 || out.files != cache_.size()))
      save_cache();
    return out;
  }

private:
  result<void> open(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0)
      return failure("open", path, errno);
    if (S_ISDIR(facts.st_mode)) {
      directory_ = owned_fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
      if (!directory_)
        return failure("open", path, errno);
      auto items = list_tree(directory_.get(), path);
      if (!items)
        return items.error();
      items_ = std::move(*items);
      return {};
    }
    auto slash = path.rfind('/');
    auto above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    TROUPE_TRY(check_tree_path(name));
    directory_ = owned_fd{::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory_)
      return failure("open", above, errno);
    items_.emplace_back().path = name;
    no_follow_ = 0; // the user named it
    return {};
  }

  result<void> add(size_t begin, size_t end) {
    std::unique_ptr<char[]> buffer;
    for (auto i = begin; i < end; ++i) {
      auto& item = items_[i];
      if (!item.is_file() || is_cached(item, facts_[i]))
        continue;
      if (!buffer)
        buffer.reset(new char[room_]);
      TROUPE_TRY(read(item, facts_[i], buffer.get()));
      ++files_read_;
    }
    return {};
  }

  // Takes a file's content from the cache.
  bool is_cached(tree_item& item, file_facts& facts) const {
    if (cache_.size() == 0 || !cache_.contains(item.path))
      return false;
    struct stat found {};
    auto flags = no_follow_ != 0 ? AT_SYMLINK_NOFOLLOW : 0;
    if (::fstatat(directory_.get(), item.path.c_str(), &found, flags) != 0
        || !S_ISREG(found.st_mode))
      return false;
    facts = facts_of(found);
    auto content = cache_.find(item.path, facts);
    if (!content)
      return false;
    describe(item, found);
    item.hash = content->hash;
    item.chunks = std::move(content->chunks);
    return into_.reuse(item.content());
  }

  static void describe(tree_item& item, const struct stat& found) {
    item.kind = (found.st_mode & 0111) != 0 ? item_kind::program : item_kind::file;
    item.size = static_cast<uint64_t>(found.st_size);
  }

  result<void> read(tree_item& item, file_facts& facts, char* buffer) {
    owned_fd file{::openat(directory_.get(), item.path.c_str(),
                           O_RDONLY | O_NONBLOCK | O_CLOEXEC | no_follow_)};
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0)
      return errno == ELOOP ? changed(item.path) : failure("read", item.path, errno);
    if (!S_ISREG(found.st_mode))
      return error{errc::invalid, "the tree is refused: '" + printable(item.path)
                                    + "' is no file, directory or link; leave it out"};
    facts = facts_of(found);
    describe(item, found);
    item.hash = empty_;
    item.chunks.clear();
    content_reader content{file.get(), item.size, buffer, room_};
    auto total = read_content(item, content);
    if (!total)
      return total.error();
    return *total == item.size ? result<void>{} : changed(item.path);
  }

  // Puts the chunks; the bytes that were read. The one chunk of a short file has its hash.
  result<uint64_t> read_content(tree_item& item, content_reader& content) {
    std::optional<sha256_stream> whole;
    uint64_t total = 0;
    for (;;) {
      auto ahead = content.ahead(options_.sizes.most + 1);
      if (!ahead)
        return failure("read", item.path, errno);
      if (ahead->empty())
        break;
      auto bytes = ahead->substr(0, first_chunk(*ahead, options_.sizes));
      auto id = into_.put(bytes);
      if (!id)
        return id.error();
      if (total == 0 && bytes.size() == ahead->size()) {
        item.hash = *id;
        return bytes.size();
      }
      if (!whole)
        whole.emplace();
      whole->add(bytes);
      item.chunks.push_back(*id);
      total += bytes.size();
      content.skip(bytes.size());
    }
    if (whole)
      item.hash = {whole->digest()};
    return total;
  }

  // Without it everything is read again: that it cannot be written is no reason to fail.
  void save_cache() const {
    stat_cache_writer out{options_.now_ns};
    for (size_t i = 0; i < items_.size(); ++i)
      if (items_[i].is_file())
        out.add(items_[i].path, facts_[i], items_[i].hash, items_[i].chunks);
    (void)out.save(options_.cache);
  }

  chunk_writer& into_;
  const add_options& options_;
  const size_t room_; // bytes of a buffer
  const content_id empty_;
  owned_fd directory_;
  int no_follow_ = O_NOFOLLOW;
  stat_cache cache_;
  std::vector<tree_item> items_;
  std::vector<file_facts> facts_; // of each item
  std::atomic<uint64_t> files_read_{0};
};

} // namespace

result<added_tree> add_tree(chunk_writer& into, const std::string& path,
                            const add_options& options) {
  return tree_adder{into, options}.run(path);
}

} // namespace troupe::storage
