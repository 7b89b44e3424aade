#include "storage/bundles/repository_objects.hpp"

#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr std::string_view records = "bundles/";
constexpr std::string_view tags = "tags/";

bool is_ours(std::string_view name) {
  return name.starts_with(records) || name.starts_with(tags);
}

// The parts of such a name behind the first '/': "bundles/CONTEXT/UUID", "tags/CONTEXT/UUID/FILE".
struct record_name {
  bool is_tags = false;
  std::string_view context;
  std::string_view uuid;
  std::string_view file;
};

std::string_view cut(std::string_view& from) {
  auto end = std::min(from.find('/'), from.size());
  auto out = from.substr(0, end);
  from.remove_prefix(std::min(end + 1, from.size()));
  return out;
}

record_name parse(std::string_view name) {
  record_name out;
  out.is_tags = name.starts_with(tags);
  name.remove_prefix(out.is_tags ? tags.size() : records.size());
  out.context = cut(name);
  out.uuid = cut(name);
  out.file = name;
  return out;
}

std::string name_of_record(const kept_bundle& x) {
  return std::string(records).append(x.context).append("/").append(x.what.uuid);
}

std::string name_of_tags(const kept_bundle& x) {
  return std::string(tags).append(x.context).append("/").append(x.what.uuid).append("/")
         + hex(big_endian(x.version)) + "-" + sha256(encode_tags(x.tags)).substr(0, 16);
}

error no_object(std::string_view name) {
  return {errc::not_found, "there is no object " + printable(name) + "; list those that there are"};
}

// The bytes of such an object; errc::not_found: there is none.
result<std::string> text_of(const bundle_repository& from, std::string_view name) {
  auto wanted = parse(name);
  auto x = from.get(wanted.uuid);
  if (!x && x.error().code != errc::not_found)
    return x.error();
  if (!x || x->removed || x->context != wanted.context)
    return no_object(name);
  if (!wanted.is_tags)
    return name == name_of_record(*x) ? result<std::string>(encode(x->what)) : no_object(name);
  return !x->tags.empty() && name == name_of_tags(*x) ? result<std::string>(encode_tags(x->tags))
                                                      : no_object(name);
}

} // namespace

result<void> repository_objects::put_record(std::string_view context, std::string_view uuid,
                                            std::string_view bytes) {
  auto x = read_bundle(bytes);
  if (!x)
    return x.error();
  if (x->uuid != uuid)
    return {errc::invalid, "the record of the bundle " + x->uuid + " is put as that of "
                             + printable(uuid) + "; put it under its own uuid"};
  TROUPE_TRY(bundles_.make_context(context));
  TROUPE_TRY(bundles_.add(context, *x));
  return {};
}

result<void> repository_objects::put_tags(std::string_view uuid, std::string_view bytes) {
  auto wanted = read_tags(bytes);
  if (!wanted)
    return wanted.error();
  auto there = bundles_.get(uuid);
  if (!there)
    return there.error();
  for (const auto& [name, value] : there->tags)
    wanted->try_emplace(name); // an empty value takes it away
  TROUPE_TRY(bundles_.tag(uuid, *wanted));
  return {};
}

result<void> repository_objects::put(std::string_view name, std::string_view bytes) {
  TROUPE_TRY(check_object_name(name));
  if (!is_ours(name))
    return objects_.put(name, bytes);
  auto to = parse(name);
  if (to.is_tags == to.file.empty())
    return {errc::invalid, "no bundle is kept as " + printable(name)
                             + "; its record is bundles/CONTEXT/UUID, its tags are below "
                               "tags/CONTEXT/UUID/"};
  return to.is_tags ? put_tags(to.uuid, bytes) : put_record(to.context, to.uuid, bytes);
}

result<std::string> repository_objects::get(std::string_view name, uint64_t offset,
                                            uint64_t count) const {
  if (!is_ours(name))
    return objects_.get(name, offset, count);
  auto text = text_of(bundles_, name);
  if (!text)
    return text;
  return text->substr(std::min<uint64_t>(offset, text->size()), count);
}

result<std::optional<uint64_t>> repository_objects::size(std::string_view name) const {
  if (!is_ours(name))
    return objects_.size(name);
  auto text = text_of(bundles_, name);
  if (!text && text.error().code == errc::not_found)
    return std::optional<uint64_t>();
  if (!text)
    return text.error();
  return std::optional<uint64_t>(text->size());
}

// The bundles whose names may begin with the prefix.
result<std::vector<kept_bundle>> repository_objects::matching(std::string_view prefix) const {
  std::vector<kept_bundle> out;
  auto wanted = is_ours(prefix) ? parse(prefix) : record_name{};
  if (is_hex(wanted.uuid, 32)) {
    auto x = bundles_.get(wanted.uuid);
    if (!x && x.error().code != errc::not_found)
      return x.error();
    if (x && !x->removed)
      out.push_back(std::move(*x));
    return out;
  }
  auto all = bundles_.contexts();
  if (!all)
    return all.error();
  for (const auto& [context, remote] : *all) {
    if (!context.starts_with(wanted.context))
      continue;
    auto some = bundles_.find({context});
    if (!some)
      return some.error();
    std::ranges::move(*some, std::back_inserter(out));
  }
  return out;
}

result<void> repository_objects::list(std::string_view prefix, const visitor& visit) const {
  std::map<std::string, uint64_t> ours; // names begin with "bundles/" or "tags/"
  if (is_ours(prefix) || records.starts_with(prefix) || tags.starts_with(prefix)) {
    auto some = matching(prefix);
    if (!some)
      return some.error();
    for (const auto& x : *some) {
      ours.emplace(name_of_record(x), encode(x.what).size());
      if (!x.tags.empty())
        ours.emplace(name_of_tags(x), encode_tags(x.tags).size());
    }
    std::erase_if(ours, [&](const auto& each) { return !each.first.starts_with(prefix); });
  }
  auto next = ours.begin();
  bool goes_on = true;
  auto visit_ours = [&](auto is_before) {
    for (; goes_on && next != ours.end() && is_before(next->first); ++next)
      goes_on = visit(next->first, next->second);
  };
  if (!is_ours(prefix))
    TROUPE_TRY(objects_.list(prefix, [&](std::string_view name, uint64_t bytes) {
      visit_ours([&](const std::string& x) { return x < name; });
      if (goes_on && !is_ours(name))
        goes_on = visit(name, bytes);
      return goes_on;
    }));
  visit_ours([](const std::string&) { return true; });
  return {};
}

result<void> repository_objects::remove(std::string_view name) {
  if (!is_ours(name))
    return objects_.remove(name);
  auto from = parse(name);
  if (from.is_tags)
    return {}; // they go with the bundle
  auto x = bundles_.get(from.uuid);
  if (!x && x.error().code == errc::not_found)
    return {};
  if (!x)
    return x.error();
  return x->context == from.context ? bundles_.remove(from.uuid) : result<void>();
}

} // namespace troupe::storage
