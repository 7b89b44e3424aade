#include "actors/lineage/bundle_client.hpp"
#include "actors/lineage/bundle_messages.hpp"
#include "actors/lineage/desk_question.hpp"
#include "runtime/base/random.hpp"

#include <algorithm>

namespace troupe {

result<void> cluster_objects::put_once(std::string_view name, std::string_view bytes) {
  put_object_msg x;
  x.name = name;
  x.upload = unforeseen_number();
  do {
    auto part = bytes.substr(x.offset, object_part_max);
    x.bytes = bytes_of(part);
    x.last = x.offset + part.size() == bytes.size();
    TROUPE_TRY(ask<done_msg>(desk_, x));
    x.offset += part.size();
  } while (!x.last);
  return {};
}

result<void> cluster_objects::put(std::string_view name, std::string_view bytes) {
  TROUPE_TRY(storage::check_object_name(name));
  if (bytes.size() > storage::object_size_max)
    return {errc::invalid, "the object " + std::string(name) + " has "
                             + std::to_string(bytes.size()) + " bytes; at most "
                             + std::to_string(storage::object_size_max) + " are kept: divide it"};
  auto done = put_once(name, bytes);
  // Another master knows no parts: they are sent again, once.
  return !done && done.error().code == errc::invalid ? put_once(name, bytes) : done;
}

result<std::string> cluster_objects::get(std::string_view name, uint64_t offset,
                                         uint64_t count) const {
  get_object_msg x;
  x.name = name;
  std::string out;
  do {
    x.offset = offset + out.size();
    x.count = std::max<uint64_t>(std::min<uint64_t>(count - out.size(), object_part_max), 1);
    auto part = ask<object_bytes_msg>(desk_, x);
    if (!part)
      return part.error();
    if (!part->found)
      return {errc::not_found,
              "the cluster has no object " + printable(name) + "; list those that it has"};
    if (part->bytes.empty())
      break;
    out += view_of(part->bytes);
    if (out.size() >= count || offset + out.size() >= part->size)
      break;
  } while (true);
  out.resize(std::min<uint64_t>(out.size(), count));
  return out;
}

result<std::optional<uint64_t>> cluster_objects::size(std::string_view name) const {
  get_object_msg x;
  x.name = name;
  auto got = ask<object_bytes_msg>(desk_, x);
  if (!got)
    return got.error();
  return got->found ? std::optional<uint64_t>(got->size) : std::nullopt;
}

result<void> cluster_objects::list(std::string_view prefix, const visitor& visit) const {
  list_objects_msg x;
  x.prefix = prefix;
  for (bool more = true; more;) {
    auto page = ask<object_list_msg>(desk_, x);
    if (!page)
      return page.error();
    for (const auto& each : page->objects)
      if (!visit(each->name, each->size))
        return {};
    more = page->more && !page->objects.empty();
    if (more)
      x.after = page->objects.back()->name;
  }
  return {};
}

result<void> cluster_objects::remove(std::string_view name) {
  remove_object_msg x;
  x.name = name;
  TROUPE_TRY(ask<done_msg>(desk_, x));
  return {};
}

} // namespace troupe
