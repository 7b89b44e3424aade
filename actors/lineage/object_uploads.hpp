// Objects that come part by part, in files without a name until the last part is there: what is
// given up, or cut by a crash, leaves nothing.
// Limits: `uploads_max` at a time; one that got no part for `idle_max` is given up.
// Threads: one. Every function blocks.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/bytes/object_store.hpp"

#include <map>

namespace troupe {

class object_uploads {
public:
  static constexpr size_t uploads_max = 64;
  static constexpr duration idle_max = std::chrono::minutes(10);

  // All outlive it. `directory` is made where it is not there.
  object_uploads(std::string directory, storage::object_store& into, const clock& time)
    : directory_(std::move(directory)), into_(into), time_(time) {}

  // A part that came before is taken again. After the last one the object is there and durable.
  // Errors: errc::invalid (a part beyond those that came: begin again), errc::queue_full, those of
  // object_store.
  result<void> put(const put_object_msg& part);

  size_t open() const noexcept { return uploads_.size(); }

private:
  using key = std::pair<std::string, uint64_t>; // name, upload

  struct upload {
    owned_fd file;
    uint64_t size = 0;
    time_point last{};
  };

  result<upload*> find(const put_object_msg& part);
  result<void> finish(const put_object_msg& part, const upload& from);
  error failure(const char* doing, int number) const;

  const std::string directory_;
  storage::object_store& into_;
  const clock& time_;
  std::map<key, upload> uploads_;
};

} // namespace troupe
