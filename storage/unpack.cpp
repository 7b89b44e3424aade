#include "storage/unpack.hpp"

#include "runtime/base/owned_fd.hpp"
#include "storage/tree_links.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string_view>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

constexpr size_t read_block = 256 << 10;
constexpr size_t part_max = 255;
constexpr size_t shown_max = 200; // bytes of a name in an error text

// A name as a terminal may show it.
std::string shown(std::string_view name) {
  std::string out{name.substr(0, shown_max)};
  std::replace_if(
    out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

error bad(std::string_view entry, const std::string& why) {
  return {errc::invalid, "the archive is refused: its entry '" + shown(entry) + "' " + why};
}

error cannot(const char* what, const std::string& path) {
  return {errc::io, std::string{"cannot "} + what + " '" + shown(path)
                      + "': " + std::strerror(errno) + "; check the room on its disk"};
}

struct free_reader {
  void operator()(archive* x) const { archive_read_free(x); }
};

// One archive on its way into one directory.
class unpacker {
public:
  unpacker(std::string into, const unpack_limits& limits, const std::function<bool()>& go_on)
    : into_(std::move(into)), limits_(limits), go_on_(go_on), from_(archive_read_new()) {}

  result<unpacked> run(const std::string& path) {
    TROUPE_TRY(open(path));
    for (archive_entry* entry = nullptr;;) {
      auto got = archive_read_next_header(from_.get(), &entry);
      if (got == ARCHIVE_EOF)
        break;
      if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
        return damaged();
      TROUPE_TRY(add(entry));
    }
    TROUPE_TRY(make_links());
    TROUPE_TRY(close_directories());
    return done_;
  }

private:
  result<void> open(const std::string& path) {
    std::error_code failed;
    packed_ = fs::file_size(path, failed);
    auto* from = from_.get();
    TROUPE_ASSERT(from);
    archive_read_support_format_tar(from);
    archive_read_support_format_zip(from);
    archive_read_support_filter_gzip(from);
    archive_read_support_filter_xz(from);
    archive_read_support_filter_zstd(from);
    archive_read_support_filter_bzip2(from);
    if (failed || archive_read_open_filename(from, path.c_str(), read_block) != ARCHIVE_OK)
      return damaged();
    if (::mkdir(into_.c_str(), 0700) != 0)
      return cannot("make", into_);
    return {};
  }

  error damaged() const {
    auto* why = archive_error_string(from_.get());
    return {errc::invalid,
            "the archive is damaged, or no tar (plain, gzip, xz, zstd, bzip2) or zip: "
              + shown(why ? why : "it cannot be read") + "; make it anew"};
  }

  // The path below the root, without "." and empty parts; "" is the root itself.
  result<std::string> path_of(const char* given) const {
    if (!given)
      return bad("?", "has a name that cannot be read; rename it");
    std::string_view name{given};
    if (name.starts_with('/'))
      return bad(name, "has an absolute path; pack it with relative ones");
    if (name.size() > limits_.path)
      return bad(name,
                 "has a path of more than " + std::to_string(limits_.path) + " bytes; shorten it");
    std::string out;
    for (size_t begin = 0; begin <= name.size();) {
      auto end = std::min(name.find('/', begin), name.size());
      auto part = name.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty() || part == ".")
        continue;
      if (part == "..")
        return bad(name, "has a path with \"..\"; pack it without");
      if (part.size() > part_max)
        return bad(name, "has a name of more than 255 bytes; shorten it");
      if (!out.empty())
        out += '/';
      out += part;
    }
    return out;
  }

  result<void> add(archive_entry* entry) {
    auto* given = archive_entry_pathname(entry);
    if (!given)
      given = archive_entry_pathname_utf8(entry);
    auto name = path_of(given);
    if (!name)
      return name.error();
    if (++done_.entries > limits_.entries)
      return bad(*name, "is one more than the " + std::to_string(limits_.entries)
                          + " that an archive may have; ship less");
    if (!go_on_())
      return {errc::aborted, "the unpacking was stopped on request"};
    auto kind = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry))
      return add_hard_link(*name, archive_entry_hardlink(entry));
    if (kind == AE_IFDIR)
      return add_directory(*name);
    if (name->empty())
      return bad(".", "is no directory; pack what is below it");
    if (kind == AE_IFLNK)
      return add_link(*name, entry);
    if (kind == AE_IFREG)
      return add_file(*name, entry);
    return bad(*name, "is no file, directory or link; leave it out");
  }

  // Every folder above it, which must be one.
  result<void> make_parents(const std::string& name) {
    for (auto end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
      TROUPE_TRY(add_directory(name.substr(0, end)));
    return {};
  }

  result<void> add_directory(const std::string& name) {
    if (name.empty() || directories_.contains(name))
      return {};
    TROUPE_TRY(make_parents(name));
    TROUPE_TRY(claim(name));
    if (::mkdir((into_ + "/" + name).c_str(), 0700) != 0)
      return cannot("make", name);
    directories_.insert(name);
    return {};
  }

  // No other entry may have the name, and none may be below a link: links are made last.
  result<void> claim(const std::string& name) const {
    if (links_.contains(name) || files_.contains(name) || directories_.contains(name))
      return bad(name, "comes twice, or is below what is no directory; pack it once");
    return {};
  }

  result<void> add_hard_link(const std::string& name, const char* given) {
    auto target = path_of(given);
    if (!target)
      return bad(name, "is a hard link out of the archive; pack it as a file");
    TROUPE_TRY(make_parents(name));
    TROUPE_TRY(claim(name));
    if (name.empty() || !files_.contains(*target))
      return bad(name, "is a hard link to '" + shown(*target)
                         + "', which is no file before it; pack it as a file");
    if (::link((into_ + "/" + *target).c_str(), (into_ + "/" + name).c_str()) != 0)
      return cannot("link", name);
    files_.insert(name);
    return {};
  }

  result<void> add_link(const std::string& name, archive_entry* entry) {
    auto* given = archive_entry_symlink(entry);
    if (!given)
      given = archive_entry_symlink_utf8(entry);
    if (!given || *given == '\0' || std::strlen(given) > limits_.path)
      return bad(name, "is a link to nowhere, or with a long target; pack what it leads to");
    TROUPE_TRY(make_parents(name));
    TROUPE_TRY(claim(name));
    links_.add(name, given);
    return {};
  }

  result<void> add_file(const std::string& name, archive_entry* entry) {
    TROUPE_TRY(make_parents(name));
    TROUPE_TRY(claim(name));
    auto size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    if (size < 0)
      return bad(name, "has no size; make the archive anew");
    TROUPE_TRY(check_size(name, static_cast<uint64_t>(size)));
    auto path = into_ + "/" + name;
    owned_fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file)
      return cannot("create", name);
    files_.insert(name);
    auto written = copy(file.get(), name);
    if (!written)
      return written.error();
    auto whole = std::max(*written, static_cast<uint64_t>(size)); // it may end with a hole
    done_.bytes += whole;
    if (::ftruncate(file.get(), static_cast<off_t>(whole)) != 0)
      return cannot("write", name);
    auto program = (archive_entry_perm(entry) & 0111) != 0;
    timespec times[2] = {{0, UTIME_OMIT}, {archive_entry_mtime(entry), 0}};
    if (archive_entry_mtime_is_set(entry) && archive_entry_mtime(entry) > 0)
      ::futimens(file.get(), times); // what was compiled from it is compared with it
    if (::fchmod(file.get(), program ? 0555 : 0444) != 0)
      return cannot("write", name);
    return {};
  }

  result<void> check_size(const std::string& name, uint64_t size) const {
    if (size > limits_.bytes - done_.bytes)
      return bad(name, "is beyond the " + std::to_string(limits_.bytes)
                         + " bytes that an archive may hold; ship less");
    auto all = done_.bytes + size;
    if (all > limits_.ratio_free && all / limits_.ratio > packed_)
      return bad(name, "brings the content to more than " + std::to_string(limits_.ratio)
                         + " times the archive's size; pack it with less compression");
    return {};
  }

  // The bytes up to the end of the last piece.
  result<uint64_t> copy(int file, const std::string& name) {
    uint64_t end = 0;
    for (;;) {
      const void* bytes = nullptr;
      size_t size = 0;
      la_int64_t at = 0;
      auto got = archive_read_data_block(from_.get(), &bytes, &size, &at);
      if (got == ARCHIVE_EOF)
        return end;
      if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
        return damaged();
      if (at < 0)
        return bad(name, "has a piece before its beginning; make the archive anew");
      TROUPE_TRY(check_size(name, static_cast<uint64_t>(at)));
      end = static_cast<uint64_t>(at) + size;
      TROUPE_TRY(check_size(name, end));
      if (!go_on_())
        return {errc::aborted, "the unpacking was stopped on request"};
      TROUPE_TRY(write_at(file, name, {static_cast<const char*>(bytes), size}, at));
    }
  }

  static result<void> write_at(int file, const std::string& name, std::string_view bytes,
                               int64_t at) {
    while (!bytes.empty()) {
      auto put = ::pwrite(file, bytes.data(), bytes.size(), at);
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0)
        return cannot("write", name);
      at += put;
      bytes.remove_prefix(static_cast<size_t>(put));
    }
    return {};
  }

  result<void> make_links() {
    for (auto& [name, target] : links_.all())
      if (!links_.stays_inside(name))
        return bad(name, "is a link to '" + shown(target)
                           + "', out of the archive; pack what it leads to");
    for (auto& [name, target] : links_.all())
      if (::symlink(target.c_str(), (into_ + "/" + name).c_str()) != 0)
        return cannot("link", name);
    return {};
  }

  result<void> close_directories() {
    for (auto each = directories_.rbegin(); each != directories_.rend(); ++each)
      if (::chmod((into_ + "/" + *each).c_str(), 0555) != 0)
        return cannot("close", *each);
    if (::chmod(into_.c_str(), 0555) != 0)
      return cannot("close", into_);
    return {};
  }

  const std::string into_;
  const unpack_limits& limits_;
  const std::function<bool()>& go_on_;
  std::unique_ptr<archive, free_reader> from_;
  uint64_t packed_ = 0; // bytes of the archive
  std::set<std::string> directories_;
  std::set<std::string> files_;
  tree_links links_; // made last: until then nothing in the tree leads anywhere
  unpacked done_;
};

} // namespace

result<unpacked> unpack(const std::string& archive, const std::string& into,
                        const unpack_limits& limits, const std::function<bool()>& go_on) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(into, ignored)))
    return {errc::already_exists, "'" + into + "' is there; remove it, or unpack elsewhere"};
  auto done = unpacker{into, limits, go_on}.run(archive);
  if (!done)
    remove_tree(into);
  return done;
}

bool remove_tree(const std::string& path) {
  std::error_code failed;
  if (fs::is_directory(fs::symlink_status(path, failed))) {
    ::chmod(path.c_str(), 0700);
    fs::recursive_directory_iterator i{path, fs::directory_options::skip_permission_denied, failed};
    for (; !failed && i != fs::recursive_directory_iterator{}; i.increment(failed))
      if (std::error_code none; i->is_directory(none) && !i->is_symlink(none))
        ::chmod(i->path().c_str(), 0700);
  }
  fs::remove_all(path, failed);
  return !fs::exists(fs::symlink_status(path, failed));
}

} // namespace troupe::storage
