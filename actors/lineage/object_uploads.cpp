#include "actors/lineage/object_uploads.hpp"

#include "actors/lineage/bundle_messages.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace troupe {

namespace {

// False, with errno.
bool write_at(int file, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    auto n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return true;
}

bool read_all(int file, std::string& into) {
  for (size_t done = 0; done < into.size();) {
    auto n = ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

} // namespace

error object_uploads::failure(const char* doing, int number) const {
  return {errc::io, std::string("cannot ").append(doing).append(" an upload in ") + directory_
                      + ": " + std::strerror(number) + "; free some room there, and try again"};
}

result<object_uploads::upload*> object_uploads::find(const put_object_msg& part) {
  auto now = time_.now();
  std::erase_if(uploads_, [&](const auto& x) { return now - x.second.last > idle_max; });
  auto at = uploads_.find({part.name, part.upload});
  if (at == uploads_.end() && part.offset != 0)
    return {errc::invalid, "the upload of " + printable(part.name)
                             + " is not known, as after a restart; begin it again"};
  if (at == uploads_.end()) {
    if (uploads_.size() == uploads_max)
      return {errc::queue_full,
              std::to_string(uploads_max) + " uploads are under way; try again in a moment"};
    ::mkdir(directory_.c_str(), 0700);
    auto path = directory_ + "/upload-XXXXXX";
    owned_fd file{::mkstemp(path.data())};
    if (!file)
      return failure("begin", errno);
    ::unlink(path.c_str());
    at = uploads_.try_emplace({part.name, part.upload}).first;
    at->second.file = std::move(file);
  }
  at->second.last = now;
  return &at->second;
}

result<void> object_uploads::finish(const put_object_msg& part, const upload& from) {
  std::string whole(from.size, '\0');
  if (!read_all(from.file.get(), whole))
    return failure("read", errno);
  return into_.put(part.name, whole);
}

result<void> object_uploads::put(const put_object_msg& part) {
  TROUPE_TRY(storage::check_object_name(part.name));
  auto bytes = view_of(part.bytes);
  if (part.offset > storage::object_size_max
      || part.offset + bytes.size() > storage::object_size_max)
    return {errc::invalid, "the object " + part.name + " has more than "
                             + std::to_string(storage::object_size_max)
                             + " bytes; divide it into several"};
  if (part.last && part.offset == 0)
    return into_.put(part.name, bytes);
  auto known = uploads_.contains({part.name, part.upload});
  if (part.last && !known) { // said again, as its answer was lost
    auto there = into_.size(part.name);
    if (there && *there && **there == part.offset + bytes.size())
      return {};
  }
  auto to = find(part);
  if (!to)
    return to.error();
  auto& x = **to;
  if (part.offset > x.size)
    return {errc::invalid, "a part of " + part.name + " at byte " + std::to_string(part.offset)
                             + " came before that at " + std::to_string(x.size)
                             + "; send them in their order"};
  if (!write_at(x.file.get(), bytes, part.offset)) {
    auto why = failure("write", errno);
    uploads_.erase({part.name, part.upload});
    return why;
  }
  x.size = std::max(x.size, part.offset + bytes.size());
  if (!part.last)
    return {};
  auto done = finish(part, x);
  uploads_.erase({part.name, part.upload});
  return done;
}

} // namespace troupe
