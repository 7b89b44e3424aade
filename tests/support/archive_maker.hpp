// Archives for tests, entry by entry, with whatever an honest tool would not write.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

namespace troupe::testing {

struct archive_item {
  std::string name = {};
  std::string content = {};
  unsigned kind = AE_IFREG;
  unsigned mode = 0644;
  std::string symlink = {};
  std::string hardlink = {};
  int64_t size = -1; // that is written; -1: of the content
};

class archive_maker {
public:
  // `format`: "gnutar", "pax", "zip"; `filter`: "none", "gzip", "xz", "zstd", "bzip2".
  explicit archive_maker(const std::string& path, const std::string& format = "gnutar",
                         const std::string& filter = "none")
    : to_(archive_write_new()) {
    archive_write_set_format_by_name(to_, format.c_str());
    if (filter != "none")
      archive_write_add_filter_by_name(to_, filter.c_str());
    archive_write_open_filename(to_, path.c_str());
  }
  ~archive_maker() { archive_write_free(to_); }

  archive_maker(const archive_maker&) = delete;
  archive_maker& operator=(const archive_maker&) = delete;

  archive_maker& add(const archive_item& x) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, x.name.c_str());
    archive_entry_set_filetype(entry, x.kind);
    archive_entry_set_perm(entry, static_cast<mode_t>(x.mode));
    archive_entry_set_size(entry, x.size >= 0 ? x.size : static_cast<int64_t>(x.content.size()));
    archive_entry_set_mtime(entry, 1'000'000'000, 0);
    if (!x.symlink.empty())
      archive_entry_set_symlink(entry, x.symlink.c_str());
    if (!x.hardlink.empty())
      archive_entry_set_hardlink(entry, x.hardlink.c_str());
    archive_write_header(to_, entry);
    archive_write_data(to_, x.content.data(), x.content.size());
    archive_entry_free(entry);
    return *this;
  }

  archive_maker& link(const std::string& name, const std::string& target) {
    return add({name, {}, AE_IFLNK, 0777, target, {}, -1});
  }

  void close() { archive_write_close(to_); }

private:
  archive* to_;
};

inline std::string text_of(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace troupe::testing
