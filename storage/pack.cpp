#include "storage/pack.hpp"

#include "runtime/base/owned_fd.hpp"
#include "storage/hash.hpp"
#include "storage/tree_links.hpp"
#include "storage/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

constexpr size_t piece = 1 << 20; // bytes read at a time

error cannot_read(const std::string& path) {
  return {errno == ENOENT ? errc::not_found : errc::io, "cannot read '" + path
                                                          + "' to ship it: " + std::strerror(errno)
                                                          + "; check the path and who may read it"};
}

error cannot_ship(const std::string& path, const std::string& why) {
  return {errc::invalid, "cannot ship '" + path + "': " + why};
}

struct free_entry {
  void operator()(archive_entry* x) const { archive_entry_free(x); }
};

// A tar that is being written.
class writer {
public:
  explicit writer(const byte_sink& into) : into_(into), archive_(archive_write_new()) {
    TROUPE_ASSERT(archive_ && archive_write_set_format_gnutar(archive_.get()) == ARCHIVE_OK
                  && archive_write_set_bytes_per_block(archive_.get(), 64 << 10) == ARCHIVE_OK
                  && archive_write_set_bytes_in_last_block(archive_.get(), 1) == ARCHIVE_OK
                  && archive_write_open(archive_.get(), this, nullptr, &writer::take, nullptr)
                       == ARCHIVE_OK);
  }

  result<void> add_directory(const std::string& name) { return add(name, AE_IFDIR, 0755, 0, {}); }

  result<void> add_link(const std::string& name, const std::string& target) {
    return add(name, AE_IFLNK, 0777, 0, target);
  }

  result<void> add_file(const std::string& name, const std::string& path) {
    owned_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat facts {};
    if (!file || ::fstat(file.get(), &facts) != 0)
      return cannot_read(path);
    if (!S_ISREG(facts.st_mode))
      return cannot_ship(path, "it is no plain file; leave it out");
    auto mode = (facts.st_mode & S_IXUSR) != 0 ? 0755u : 0644u;
    TROUPE_TRY(add(name, AE_IFREG, mode, facts.st_size, {}));
    std::vector<char> buffer(piece);
    for (auto left = facts.st_size; left > 0;) {
      auto want = std::min<off_t>(left, static_cast<off_t>(buffer.size()));
      auto got = ::read(file.get(), buffer.data(), static_cast<size_t>(want));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return cannot_read(path);
      if (got == 0)
        return cannot_ship(path, "it became shorter meanwhile; ship it when it no longer changes");
      if (archive_write_data(archive_.get(), buffer.data(), static_cast<size_t>(got)) != got)
        return failed();
      left -= got;
    }
    return {};
  }

  result<packed> finish() {
    if (archive_write_close(archive_.get()) != ARCHIVE_OK)
      return failed();
    return packed{hash_.digits(), size_};
  }

private:
  struct free_archive {
    void operator()(archive* x) const { archive_write_free(x); }
  };

  result<void> add(const std::string& name, unsigned kind, unsigned mode, int64_t size,
                   const std::string& target) {
    std::unique_ptr<archive_entry, free_entry> entry{archive_entry_new()};
    TROUPE_ASSERT(entry);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), kind);
    archive_entry_set_perm(entry.get(), static_cast<mode_t>(mode));
    archive_entry_set_size(entry.get(), size);
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (!target.empty())
      archive_entry_set_symlink(entry.get(), target.c_str());
    if (archive_write_header(archive_.get(), entry.get()) != ARCHIVE_OK)
      return failed();
    return {};
  }

  static la_ssize_t take(archive*, void* self, const void* bytes, size_t size) {
    auto& me = *static_cast<writer*>(self);
    me.hash_.add({static_cast<const char*>(bytes), size});
    me.size_ += size;
    if (auto taken = me.into_({static_cast<const std::byte*>(bytes), size}); !taken) {
      me.refusal_ = taken;
      return -1;
    }
    return static_cast<la_ssize_t>(size);
  }

  // Why the last call failed.
  error failed() const {
    if (!refusal_)
      return refusal_.error();
    auto* why = archive_error_string(archive_.get());
    return {errc::io, std::string{"cannot pack what is to be shipped: "}.append(why ? why : "")
                        + "; check its names and sizes"};
  }

  const byte_sink& into_;
  sha256_stream hash_;
  uint64_t size_ = 0;
  result<void> refusal_;
  std::unique_ptr<archive, free_archive> archive_; // writes to the others until it is freed
};

struct listed {
  std::string name; // below the root
  fs::file_type type = fs::file_type::none;
};

result<std::vector<listed>> list(const std::string& root, tree_links& links) {
  std::vector<listed> out;
  std::error_code failed;
  fs::recursive_directory_iterator i{root, failed};
  for (; !failed && i != fs::recursive_directory_iterator{}; i.increment(failed)) {
    auto name = i->path().lexically_relative(root).string();
    auto type = i->symlink_status(failed).type();
    if (failed)
      break;
    if (type == fs::file_type::symlink)
      links.add(name, fs::read_symlink(i->path(), failed).string());
    else if (type != fs::file_type::regular && type != fs::file_type::directory)
      return cannot_ship(i->path().string(), "it is no file, directory or link; leave it out");
    if (name.size() > unpack_limits{}.path)
      return cannot_ship(i->path().string().substr(0, 256), "its path is too long; shorten it");
    if (out.size() >= unpack_limits{}.entries)
      return cannot_ship(root, "it has more than " + std::to_string(unpack_limits{}.entries)
                                 + " entries; make an archive of it, or ship less");
    out.push_back({std::move(name), type});
  }
  if (failed) {
    errno = failed.value();
    return cannot_read(root);
  }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return out;
}

result<void> add_link(writer& to, const std::string& root, const std::string& name,
                      const tree_links& links) {
  if (links.stays_inside(name))
    return to.add_link(name, links.all().at(name));
  auto path = root + "/" + name;
  std::error_code failed;
  auto real = fs::canonical(path, failed);
  if (failed || !fs::is_regular_file(real, failed))
    return cannot_ship(path, "this link leads out of the directory, and to no file; remove it");
  return to.add_file(name, real.string());
}

result<void> add(writer& to, const std::string& root, const listed& what, const tree_links& links) {
  switch (what.type) {
  case fs::file_type::directory:
    return to.add_directory(what.name);
  case fs::file_type::symlink:
    return add_link(to, root, what.name, links);
  default:
    return to.add_file(what.name, root + "/" + what.name);
  }
}

} // namespace

result<packed> pack(const std::string& path, const byte_sink& into) {
  std::error_code failed;
  auto root = fs::canonical(path, failed).string();
  if (failed) {
    errno = failed.value();
    return cannot_read(path);
  }
  writer to{into};
  if (!fs::is_directory(root, failed)) {
    TROUPE_TRY(to.add_file("file", root));
    return to.finish();
  }
  tree_links links;
  auto entries = list(root, links);
  if (!entries)
    return entries.error();
  for (auto& each : *entries)
    TROUPE_TRY(add(to, root, each, links));
  return to.finish();
}

} // namespace troupe::storage
