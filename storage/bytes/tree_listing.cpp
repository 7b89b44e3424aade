#include "storage/bytes/tree_listing.hpp"

#include "runtime/base/owned_fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace troupe::storage {

namespace {

constexpr size_t target_room = 4098;

struct close_listing {
  void operator()(DIR* x) const { ::closedir(x); }
};

// Walks one directory; folders that wait hold no descriptor.
class lister {
public:
  lister(int directory, const std::string& shown) : directory_(directory), shown_(shown) {}

  result<std::vector<tree_item>> run() {
    for (waiting_.push_back(""); !waiting_.empty();) {
      auto folder = std::move(waiting_.back());
      waiting_.pop_back();
      TROUPE_TRY(list(folder));
    }
    std::sort(found_.begin(), found_.end(),
              [](const tree_item& a, const tree_item& b) { return a.path < b.path; });
    TROUPE_TRY(check_tree_links(found_));
    return std::move(found_);
  }

private:
  error cannot(const char* what, const std::string& path) const {
    auto number = errno;
    auto text = std::string{"cannot "}.append(what).append(" '").append(shown_);
    text.append(path.empty() ? "" : "/").append(printable(path)).append("': ");
    text.append(std::strerror(number));
    if (number == EACCES || number == EPERM)
      return {errc::refused, text + "; allow this user to read it, or leave it out"};
    return {errc::io, text + "; add it again when nothing changes it"};
  }

  // `folder`: "" or a path with '/' at its end.
  result<void> list(const std::string& folder) {
    owned_fd here{::openat(directory_, folder.empty() ? "." : folder.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    auto copy = here ? ::dup(here.get()) : -1;
    std::unique_ptr<DIR, close_listing> listing{copy < 0 ? nullptr : ::fdopendir(copy)};
    if (!listing)
      return cannot("list", folder);
    bool empty = true;
    for (errno = 0; auto* entry = ::readdir(listing.get()); errno = 0) {
      std::string_view name{entry->d_name};
      if (name == "." || name == "..")
        continue;
      empty = false;
      TROUPE_TRY(add(here.get(), folder, *entry));
    }
    if (errno != 0)
      return cannot("list", folder);
    if (empty && !folder.empty())
      found_.push_back({.path = folder.substr(0, folder.size() - 1), .kind = item_kind::folder});
    return {};
  }

  result<void> add(int here, const std::string& folder, const dirent& entry) {
    auto path = folder + entry.d_name;
    TROUPE_TRY(check_tree_path(path));
    auto type = entry.d_type;
    if (struct stat facts{}; type == DT_UNKNOWN) { // some file systems do not say
      if (::fstatat(here, entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return cannot("look at", path);
      type = S_ISDIR(facts.st_mode)   ? DT_DIR
             : S_ISLNK(facts.st_mode) ? DT_LNK
             : S_ISREG(facts.st_mode) ? DT_REG
                                      : DT_UNKNOWN;
    }
    if (type == DT_DIR) {
      waiting_.push_back(path + "/");
    } else if (type == DT_LNK) {
      std::string target(target_room, '\0');
      auto size = ::readlinkat(here, entry.d_name, target.data(), target.size());
      if (size < 0)
        return cannot("read the link", path);
      target.resize(static_cast<size_t>(size));
      found_.push_back({.path = path, .kind = item_kind::link, .target = std::move(target)});
    } else if (type == DT_REG) {
      found_.push_back({.path = std::move(path)});
    } else {
      return {errc::invalid, "the tree is refused: '" + printable(path)
                               + "' is no file, directory or link; leave it out"};
    }
    return {};
  }

  const int directory_;
  const std::string& shown_;
  std::vector<std::string> waiting_;
  std::vector<tree_item> found_;
};

} // namespace

result<std::vector<tree_item>> list_tree(int directory, const std::string& shown) {
  return lister{directory, shown}.run();
}

} // namespace troupe::storage
