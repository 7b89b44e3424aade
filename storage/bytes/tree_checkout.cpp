#include "storage/bytes/tree_checkout.hpp"

#include "runtime/base/file_text.hpp"
#include "runtime/base/owned_fd.hpp"
#include "storage/bytes/parallel.hpp"
#include "storage/unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unordered_set>

namespace troupe::storage {

namespace {

constexpr uint64_t batch_bytes = 8u << 20; // of small files that are read together
constexpr size_t batch_files = 4096;
constexpr size_t window_chunks = 64; // of a large file

error failure(const char* doing, const std::string& path, int number) {
  auto text = std::string{"cannot "}.append(doing).append(" '").append(path).append("': ");
  text.append(std::strerror(number));
  if (number == EEXIST || number == ENOTEMPTY)
    return {errc::already_exists, text + "; remove it, or check out elsewhere"};
  return {errc::io, text + "; check the room on its disk"};
}

class restorer {
public:
  restorer(const chunk_store& from, const tree& what, int into)
    : from_(from), items_(what.items), into_(into) {}

  result<void> run(unsigned threads) {
    TROUPE_TRY(make_folders());
    auto ends = batches();
    TROUPE_TRY(in_parallel(ends.size(), 1, threads, [&](size_t begin, size_t) {
      return restore(begin == 0 ? 0 : ends[begin - 1], ends[begin]);
    }));
    for (auto& each : items_) // last: until then nothing in the tree leads anywhere
      if (each.kind == item_kind::link
          && ::symlinkat(each.target.c_str(), into_, each.path.c_str()) != 0)
        return failure("link", each.path, errno);
    return {};
  }

private:
  result<void> make_folders() const {
    std::unordered_set<std::string_view> made;
    for (auto& each : items_) {
      std::string_view path{each.path};
      auto own = each.kind == item_kind::folder;
      auto last = path.rfind('/');
      if (!own && (last == std::string_view::npos || made.contains(path.substr(0, last))))
        continue;
      for (size_t end = 0; end != std::string_view::npos;) {
        end = path.find('/', end + 1);
        auto folder = path.substr(0, end);
        if ((end == std::string_view::npos && !own) || !made.insert(folder).second)
          continue;
        if (::mkdirat(into_, std::string{folder}.c_str(), 0777) != 0)
          return failure("make", std::string{folder}, errno);
      }
    }
    return {};
  }

  // Where each batch of items ends.
  std::vector<size_t> batches() const {
    std::vector<size_t> out;
    uint64_t bytes = 0;
    size_t begin = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      bytes += items_[i].size;
      if (bytes < batch_bytes && i + 1 - begin < batch_files && i + 1 < items_.size())
        continue;
      out.push_back(i + 1);
      bytes = 0;
      begin = i + 1;
    }
    return out;
  }

  result<void> restore(size_t begin, size_t end) const {
    std::vector<chunk_id> ids;
    std::vector<size_t> owners;
    for (auto i = begin; i < end; ++i) {
      auto& item = items_[i];
      if (!item.chunks.empty()) {
        if (auto done = restore_large(item); !done)
          return done;
      } else if (item.is_file() && item.size == 0) {
        if (auto done = write(item, {}); !done)
          return done;
      } else if (item.is_file()) {
        ids.push_back(item.hash);
        owners.push_back(i);
      }
    }
    return from_.read(
      ids, [&](const chunk_store::read_chunk& x) { return write(items_[owners[x.at]], x.bytes); });
  }

  owned_fd create(const tree_item& item) const {
    return owned_fd{::openat(into_, item.path.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             item.kind == item_kind::program ? 0755 : 0644)};
  }

  static error unlike(const tree_item& item) {
    return {errc::corrupt, "the file '" + printable(item.path)
                             + "' is not what the tree says; fetch the tree again from where it "
                               "is"};
  }

  result<void> write(const tree_item& item, std::string_view bytes) const {
    if (bytes.size() != item.size)
      return unlike(item);
    auto file = create(item);
    if (!file || !write_all(file.get(), bytes))
      return failure("write", item.path, errno);
    return {};
  }

  // Chunk after chunk: its hash is that of the bytes in their order.
  result<void> restore_large(const tree_item& item) const {
    auto file = create(item);
    if (!file)
      return failure("write", item.path, errno);
    sha256_stream hash;
    uint64_t size = 0;
    for (size_t begin = 0; begin < item.chunks.size(); begin += window_chunks) {
      auto count = std::min(window_chunks, item.chunks.size() - begin);
      std::vector<std::string> parts(count);
      TROUPE_TRY(from_.read(std::span{item.chunks}.subspan(begin, count),
                            [&](const chunk_store::read_chunk& x) {
                              parts[x.at] = x.bytes;
                              return result<void>{};
                            }));
      for (auto& each : parts) {
        hash.add(each);
        size += each.size();
        if (!write_all(file.get(), each))
          return failure("write", item.path, errno);
      }
    }
    return size == item.size && hash.digest() == item.hash.digest ? result<void>{} : unlike(item);
  }

  const chunk_store& from_;
  const std::vector<tree_item>& items_;
  const int into_;
};

// Gives it its name, which nobody may have taken meanwhile.
result<void> publish(const std::string& made, const std::string& directory) {
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, directory.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  struct stat there {};
  if (errno == EINVAL && ::lstat(directory.c_str(), &there) != 0 // not on every file system
      && ::rename(made.c_str(), directory.c_str()) == 0)
    return {};
  return failure("make", directory, errno);
}

result<void> restore_into(const chunk_store& from, const tree& what, const std::string& place,
                          const std::string& directory, const checkout_options& options) {
  auto made = place + "/tree"; // with the modes that the umask gives, unlike `place`
  if (::mkdir(made.c_str(), 0777) != 0)
    return failure("make", made, errno);
  owned_fd into{::open(made.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!into)
    return failure("open", made, errno);
  TROUPE_TRY(restorer(from, what, into.get()).run(options.threads));
  if (options.durable && ::syncfs(into.get()) != 0)
    return failure("sync", directory, errno);
  TROUPE_TRY(publish(made, directory));
  auto slash = directory.rfind('/');
  auto above = slash == std::string::npos ? "." : directory.substr(0, slash + 1);
  owned_fd folder{::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (options.durable && (!folder || ::fsync(folder.get()) != 0))
    return failure("sync", above, errno);
  return {};
}

} // namespace

result<void> checkout(const chunk_store& from, const tree_id& id, const std::string& directory,
                      const checkout_options& options) {
  auto into = directory;
  while (into.size() > 1 && into.ends_with('/'))
    into.pop_back();
  struct stat there {};
  if (::lstat(into.c_str(), &there) == 0)
    return failure("check out into", into, EEXIST);
  auto what = read_tree(from, id);
  if (!what)
    return what.error();
  auto place = into + ".part-XXXXXX";
  if (!::mkdtemp(place.data()))
    return failure("make", place, errno);
  auto done = restore_into(from, *what, place, into, options);
  remove_tree(place);
  return done;
}

} // namespace troupe::storage
