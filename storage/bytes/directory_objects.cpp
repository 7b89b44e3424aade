#include "storage/bytes/directory_objects.hpp"

#include "runtime/base/file_text.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace troupe::storage {

namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int depth_max = static_cast<int>(object_name_max) / 2;

struct close_listing {
  void operator()(DIR* x) const { ::closedir(x); }
};

error failure(const char* doing, const std::string& what, int number) {
  auto text = std::string{"cannot "}.append(doing).append(" '").append(what).append("': ").append(
    std::strerror(number));
  if (number == ENOENT)
    return {errc::not_found, text + "; check the path"};
  if (number == ENOSPC || number == EDQUOT || number == EFBIG)
    return {errc::io, text + "; free some room on its disk, and try again"};
  if (number == EACCES || number == EPERM || number == EROFS)
    return {errc::refused, text + "; allow this user to read and write there"};
  if (number == ENAMETOOLONG || number == ENOTDIR || number == ELOOP || number == EISDIR)
    return {errc::invalid, text
                             + "; a part of a name has at most 255 bytes and is no link, "
                               "and below an object there is none"};
  return {errc::io, text + "; check the disk"};
}

bool is_temporary(std::string_view part) {
  return part.starts_with("part~");
}

// A folder below another one and the last part of a name in it.
struct place {
  owned_fd folder; // invalid, with errno: there is none
  std::string last;
  std::vector<owned_fd> made_in; // folders that got a new folder
};

// Opens the folders of a name one by one, so that no link is followed.
place find(int root, std::string_view name, bool make) {
  place out;
  owned_fd here{::openat(root, ".", folder_flags)};
  for (size_t begin = 0; here;) {
    auto end = name.find('/', begin);
    if (end == std::string_view::npos) {
      out.last = name.substr(begin);
      break;
    }
    std::string part{name.substr(begin, end - begin)};
    begin = end + 1;
    owned_fd next{::openat(here.get(), part.c_str(), folder_flags)};
    if (!next && errno == ENOENT && make) {
      if (::mkdirat(here.get(), part.c_str(), 0777) != 0 && errno != EEXIST)
        return out;
      next = owned_fd{::openat(here.get(), part.c_str(), folder_flags)};
      if (!next)
        return out;
      out.made_in.push_back(std::move(here));
    }
    here = std::move(next);
  }
  out.folder = std::move(here);
  return out;
}

bool sync_folders(const place& where) {
  if (::fsync(where.folder.get()) != 0)
    return false;
  return std::all_of(where.made_in.begin(), where.made_in.end(),
                     [](const owned_fd& each) { return ::fsync(each.get()) == 0; });
}

// A new file "part~XXXXXX" in the folder, and its name.
std::pair<owned_fd, std::string> make_temporary(int folder) {
  auto path = "/proc/self/fd/" + std::to_string(folder) + "/part~XXXXXX";
  owned_fd file{::mkostemp(path.data(), O_CLOEXEC)};
  return {std::move(file), path.substr(path.rfind('/') + 1)};
}

struct listed {
  std::string part;
  bool is_folder;
  struct stat facts; // where they are wanted
};

enum class want : uint8_t { facts, names };

// Whether it is a file or a folder that is still there.
bool look_at(int folder, const dirent& entry, want what, listed& into) {
  if (what == want::names && (entry.d_type == DT_REG || entry.d_type == DT_DIR)) {
    into.is_folder = entry.d_type == DT_DIR;
    return true;
  }
  if (::fstatat(folder, entry.d_name, &into.facts, AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  into.is_folder = S_ISDIR(into.facts.st_mode);
  return into.is_folder || S_ISREG(into.facts.st_mode);
}

// What stands in a folder, in the order that the names below it have.
result<std::vector<listed>> read_folder(int folder, const std::string& shown, want what) {
  std::vector<listed> out;
  auto copy = ::openat(folder, ".", folder_flags);
  std::unique_ptr<DIR, close_listing> listing{copy < 0 ? nullptr : ::fdopendir(copy)};
  if (!listing)
    return failure("list", shown, errno);
  for (errno = 0; auto* entry = ::readdir(listing.get()); errno = 0) {
    listed each{entry->d_name, false, {}};
    if (each.part != "." && each.part != ".." && look_at(folder, *entry, what, each))
      out.push_back(std::move(each));
  }
  if (errno != 0)
    return failure("list", shown, errno);
  auto key = [](const listed& x) { return x.is_folder ? x.part + "/" : x.part; };
  std::sort(out.begin(), out.end(),
            [&](const listed& a, const listed& b) { return key(a) < key(b); });
  return out;
}

using file_visitor = std::function<bool(int folder, const std::string& name, const listed& file)>;

// Visits the files below a folder; false: the visitor has enough.
result<bool> walk(int folder, const std::string& above, std::string_view prefix, int depth,
                  want what, const file_visitor& visit) {
  auto found = read_folder(folder, above, what);
  if (!found)
    return found.error().code == errc::not_found ? result<bool>{true} : found.error();
  for (auto& each : *found) {
    auto name = above + each.part;
    if (each.is_folder)
      name += '/';
    auto both = std::min(name.size(), prefix.size());
    if (name.compare(0, both, prefix.substr(0, both)) != 0
        || (!each.is_folder && name.size() < prefix.size()))
      continue;
    if (!each.is_folder) {
      if (!visit(folder, name, each))
        return false;
      continue;
    }
    owned_fd below{::openat(folder, each.part.c_str(), folder_flags)};
    if (!below && errno == ENOENT)
      continue;
    if (!below)
      return failure("open", name, errno);
    auto on = depth < depth_max ? walk(below.get(), name, prefix, depth + 1, what, visit) : true;
    if (!on || !*on)
      return on;
  }
  return true;
}

} // namespace

directory_objects::directory_objects(std::string directory, owned_fd root)
  : directory_(std::move(directory)), root_(std::move(root)) {}

result<std::unique_ptr<directory_objects>> directory_objects::open(const std::string& directory,
                                                                   const leftovers& remove) {
  if (::mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST)
    return failure("make", directory, errno);
  owned_fd root{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!root)
    return failure("open", directory, errno);
  auto before = remove.now_ns - std::chrono::nanoseconds{remove.age}.count();
  if (remove.now_ns > 0)
    TROUPE_TRY(walk(
      root.get(), "", "", 0, want::facts, [&](int folder, const std::string&, const listed& file) {
        auto& time = file.facts.st_mtim;
        if (is_temporary(file.part) && time.tv_sec * 1'000'000'000 + time.tv_nsec <= before)
          ::unlinkat(folder, file.part.c_str(), 0);
        return true;
      }));
  return std::unique_ptr<directory_objects>{new directory_objects{directory, std::move(root)}};
}

result<void> directory_objects::put(std::string_view name, std::string_view bytes) {
  TROUPE_TRY(check_object_name(name));
  auto shown = directory_ + "/" + std::string{name};
  if (bytes.size() > object_size_max)
    return {errc::invalid, "the object '" + shown + "' has more than 256 MiB; put it in pieces"};
  auto where = find(root_.get(), name, true);
  if (!where.folder)
    return failure("make the folder of", shown, errno);
  struct stat there {};
  if (::fstatat(where.folder.get(), where.last.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(there.st_mode))
      return failure("write", shown, EISDIR);
    // Whoever renamed it may have died before it synced the folder.
    return sync_folders(where) ? result<void>{} : failure("sync the folder of", shown, errno);
  }
  auto [file, temporary] = make_temporary(where.folder.get());
  if (!file)
    return failure("create", shown, errno);
  auto doing = "write";
  auto good = write_all(file.get(), bytes);
  if (good) {
    doing = "sync";
    good = ::fchmod(file.get(), 0444) == 0 && ::fsync(file.get()) == 0;
  }
  if (good) {
    doing = "rename";
    auto folder = where.folder.get();
    good = ::renameat(folder, temporary.c_str(), folder, where.last.c_str()) == 0;
  }
  if (!good) {
    auto number = errno;
    ::unlinkat(where.folder.get(), temporary.c_str(), 0);
    return failure(doing, shown, number);
  }
  if (!sync_folders(where))
    return failure("sync the folder of", shown, errno);
  return {};
}

result<std::string> directory_objects::get(std::string_view name, uint64_t offset,
                                           uint64_t count) const {
  TROUPE_TRY(check_object_name(name));
  auto shown = directory_ + "/" + std::string{name};
  auto where = find(root_.get(), name, false);
  if (!where.folder)
    return failure("read", shown, errno == ENOTDIR || errno == ELOOP ? ENOENT : errno);
  owned_fd file{::openat(where.folder.get(), where.last.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0)
    return failure("read", shown, errno == ELOOP ? ENOENT : errno);
  if (!S_ISREG(facts.st_mode))
    return failure("read", shown, ENOENT);
  auto size = static_cast<uint64_t>(facts.st_size);
  auto left = std::min(count, size - std::min(offset, size));
  std::string out(left, '\0');
  for (size_t done = 0; done < out.size();) {
    auto n = ::pread(file.get(), out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return failure("read", shown, n < 0 ? errno : EIO);
    done += static_cast<size_t>(n);
  }
  return out;
}

result<std::optional<uint64_t>> directory_objects::size(std::string_view name) const {
  TROUPE_TRY(check_object_name(name));
  auto where = find(root_.get(), name, false);
  struct stat facts {};
  if (where.folder
      && ::fstatat(where.folder.get(), where.last.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0)
    return S_ISREG(facts.st_mode) ? std::optional{static_cast<uint64_t>(facts.st_size)}
                                  : std::nullopt;
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
    return std::optional<uint64_t>{};
  return failure("ask for the size of", directory_ + "/" + std::string{name}, errno);
}

result<void> directory_objects::list(std::string_view prefix, const visitor& visit) const {
  auto done = walk(
    root_.get(), "", prefix, 0, want::facts, [&](int, const std::string& name, const listed& file) {
      return !check_object_name(name) || visit(name, static_cast<uint64_t>(file.facts.st_size));
    });
  return done ? result<void>{} : done.error();
}

result<void> directory_objects::list_names(std::string_view prefix,
                                           const name_visitor& visit) const {
  auto done = walk(root_.get(), "", prefix, 0, want::names,
                   [&](int, const std::string& name, const listed&) {
                     if (check_object_name(name))
                       visit(name);
                     return true;
                   });
  return done ? result<void>{} : done.error();
}

result<void> directory_objects::remove(std::string_view name) {
  TROUPE_TRY(check_object_name(name));
  auto where = find(root_.get(), name, false);
  struct stat there {};
  if (where.folder
      && ::fstatat(where.folder.get(), where.last.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0
      && (!S_ISREG(there.st_mode) || ::unlinkat(where.folder.get(), where.last.c_str(), 0) == 0))
    return {};
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
    return {};
  return failure("remove", directory_ + "/" + std::string{name}, errno);
}

} // namespace troupe::storage
