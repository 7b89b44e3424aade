// Objects in a directory: the object NAME is the file DIRECTORY/NAME.
//
// What is half written has a name with '~' in it, which no object has: PART/part~XXXXXX beside its
// place. It gets its name by rename, after fsync of the file and before fsync of the folders.
// Guarantees: those of object_store.hpp. A put that fails, on a full disk too, leaves nothing
// behind; one that is killed leaves such a file, which open() removes when it is old. What is no
// plain file, and what is reached by a symbolic link below DIRECTORY, is no object: links are not
// followed. Several processes may use one directory at once.
// Limits: a part of a name has at most 255 bytes; where "a" is an object, "a/b" is none.
// Threads: as object_store.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "storage/bytes/object_store.hpp"

#include <chrono>
#include <memory>

namespace troupe::storage {

// Which half-written files open() removes: those not written to for `age` before `now_ns`
// (nanoseconds since 1970). 0: none.
struct leftovers {
  int64_t now_ns = 0;
  std::chrono::seconds age = std::chrono::hours{24};
};

class directory_objects final : public object_store {
public:
  // The directory is made where it is not there.
  static result<std::unique_ptr<directory_objects>> open(const std::string& directory,
                                                         const leftovers& remove = {});

  result<void> put(std::string_view name, std::string_view bytes) override;
  result<std::string> get(std::string_view name, uint64_t offset = 0,
                          uint64_t count = to_the_end) const override;
  result<std::optional<uint64_t>> size(std::string_view name) const override;
  result<void> list(std::string_view prefix, const visitor& visit) const override;
  result<void> list_names(std::string_view prefix, const name_visitor& visit) const override;
  result<void> remove(std::string_view name) override;

private:
  directory_objects(std::string directory, owned_fd root);

  const std::string directory_; // for error texts
  const owned_fd root_;
};

} // namespace troupe::storage
