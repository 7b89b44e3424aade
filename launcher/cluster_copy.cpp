#include "launcher/cluster_copy.hpp"

#include "runtime/base/owned_fd.hpp"
#include "storage/bytes/directory_objects.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr int tries_max = 10;

error cannot(const char* doing, const std::string& path, int number) {
  return {errc::io, std::string("cannot ").append(doing).append(" ").append(path) + ": "
                      + std::strerror(number)
                      + "; see to the disk and its permissions, or choose another directory"};
}

// A new directory beside the place of the copy, then at that place; it goes, unless it is kept.
class unfinished {
public:
  explicit unfinished(const std::string& beside)
    : path(beside + "~XXXXXX"), made_(::mkdtemp(path.data()) != nullptr) {}
  unfinished(const unfinished&) = delete;
  unfinished& operator=(const unfinished&) = delete;
  ~unfinished() {
    std::error_code ignored;
    if (made_)
      fs::remove_all(path, ignored);
  }

  bool made() const { return made_; }

  // False, with errno.
  bool move_to(const std::string& place) {
    if (::rename(path.c_str(), place.c_str()) != 0)
      return false;
    path = place;
    return true;
  }

  void keep() { made_ = false; }

  std::string path;

private:
  bool made_;
};

class objects_copy {
public:
  objects_copy(const storage::directory_objects& from, storage::directory_objects& to,
               std::string from_path, std::string to_path)
    : from_(from), to_(to), from_path_(std::move(from_path)), to_path_(std::move(to_path)) {}

  // A sweep may run meanwhile. It puts a new index before it removes the old one, and condemns a
  // pack before it removes it: an index object that goes between its listing and its copying means
  // that there is another one, and packs come last.
  result<void> run() {
    auto whole = false;
    for (int tries = 0; tries < tries_max && !whole; ++tries) {
      auto copied = copy("index/");
      if (!copied)
        return copied.error();
      whole = *copied;
    }
    if (!whole)
      return {errc::unavailable,
              "the index of the objects changed each time it was copied; try again"};
    for (const auto* rest : {"condemned/", ""})
      if (auto copied = copy(rest); !copied)
        return copied.error();
    return {};
  }

private:
  // False: one of them went meanwhile.
  result<bool> copy(std::string_view prefix) {
    auto whole = true;
    result<void> good;
    TROUPE_TRY(from_.list(prefix, [&](std::string_view name, uint64_t) {
      auto copied = copy_one(std::string(name));
      if (!copied)
        good = copied.error();
      else
        whole = *copied && whole;
      return bool{good};
    }));
    TROUPE_TRY(std::move(good));
    return whole;
  }

  result<bool> copy_one(const std::string& name) {
    auto from = from_path_ + "/" + name;
    fs::path to = to_path_ + "/" + name;
    std::error_code failed;
    fs::create_directories(to.parent_path(), failed);
    if (failed)
      return cannot("make", to.parent_path().string(), failed.value());
    if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST)
      return true;
    if (errno == ENOENT)
      return false;
    // Another disk, or one without links.
    auto bytes = from_.get(name);
    if (!bytes && bytes.error().code == errc::not_found)
      return false;
    if (!bytes)
      return bytes.error();
    TROUPE_TRY(to_.put(name, *bytes));
    return true;
  }

  const storage::directory_objects& from_;
  storage::directory_objects& to_;
  const std::string from_path_, to_path_;
};

result<void> copy_objects(const std::string& from_path, const std::string& to_path) {
  auto from = storage::directory_objects::open(from_path);
  if (!from)
    return from.error();
  auto to = storage::directory_objects::open(to_path);
  if (!to)
    return to.error();
  return objects_copy(**from, **to, from_path, to_path).run();
}

// False, with errno.
bool sync(const std::string& directory, int (*how)(int)) {
  owned_fd opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return opened && how(opened.get()) == 0;
}

} // namespace

result<void> copy_cluster(const storage::rocksdb_store& store, const std::string& directory,
                          std::string to) {
  if (std::error_code failed; fs::exists(to, failed))
    return {errc::already_exists, to + " is there already; choose another directory"};
  to.resize(to.find_last_not_of('/') + 1);
  unfinished copy(to);
  if (!copy.made())
    return cannot("make a directory beside", to, errno);
  // The store first: a bundle's record is written after its bytes, so that those of every record
  // in it are there when the objects are listed.
  TROUPE_TRY(store.copy_to(copy.path + "/store"));
  TROUPE_TRY(copy_objects(directory + "/objects", copy.path + "/objects"));
  if (!sync(copy.path, ::syncfs)) // the links and their folders, all at once
    return cannot("sync", copy.path, errno);
  if (!copy.move_to(to))
    return cannot("rename a directory to", to, errno);
  auto parent = fs::path(to).parent_path().string();
  if (!sync(parent.empty() ? "." : parent, ::fsync))
    return cannot("sync", parent, errno);
  copy.keep();
  return {};
}

} // namespace troupe::launcher
