#include "storage/bundles/bundle_remote.hpp"

#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::storage {

namespace {

constexpr std::string_view all_records = "bundles/";
constexpr std::string_view all_removed = "removed/";

std::string records_of(std::string_view context) {
  return std::string(all_records).append(context).append("/");
}

std::string removed_of(std::string_view context) {
  return std::string(all_removed).append(context).append("/");
}

std::string tags_of(std::string_view context, std::string_view uuid) {
  return std::string("tags/").append(context).append("/").append(uuid).append("/");
}

std::string uuid_of(std::string_view object) {
  return std::string(object.substr(object.rfind('/') + 1));
}

error no_bundle(const std::string& which, std::string_view context) {
  return {errc::not_found, "the remote has no bundle " + which + " in the context "
                             + std::string(context) + "; list those that it has"};
}

result<std::vector<std::string>> names_of(const object_store& on, std::string_view prefix) {
  std::vector<std::string> out;
  auto listed = on.list(prefix, [&](std::string_view name, uint64_t) {
    out.emplace_back(name);
    return true;
  });
  if (!listed)
    return listed.error();
  return out;
}

result<bundle> read_record(const object_store& on, const std::string& object) {
  auto bytes = on.get(object);
  if (!bytes)
    return bytes.error();
  auto record = read_bundle(*bytes);
  if (!record)
    return error{record.error().code,
                 "the bundle record " + object + " cannot be used: " + record.error().text};
  if (record->uuid != uuid_of(object))
    return error{errc::corrupt, "the bundle record " + object + " is that of " + record->uuid
                                  + "; remove it, and push the bundle again"};
  return record;
}

// The tags of the highest of these objects; none where there is none.
result<text_map> newest_tags(const object_store& on, const std::vector<std::string>& names) {
  if (names.empty())
    return text_map();
  auto bytes = on.get(names.back());
  if (!bytes)
    return bytes.error();
  return read_tags(*bytes);
}

// Of an object of tags; 0 where somebody else put something there.
uint64_t version_of(const std::string& object) {
  uint64_t out = 0;
  auto name = uuid_of(object);
  std::from_chars(name.data(), name.data() + name.size(), out, 16);
  return out;
}

// Puts them behind those that are there, unless they are the same.
result<void> put_tags(object_store& on, const kept_bundle& x) {
  auto prefix = tags_of(x.context, x.what.uuid);
  auto names = names_of(on, prefix);
  if (!names)
    return names.error();
  uint64_t version = 0;
  if (!names->empty()) {
    auto there = newest_tags(on, *names);
    if (!there)
      return there.error();
    if (*there == x.tags)
      return {};
    version = version_of(names->back()) + 1;
  } else if (x.tags.empty()) {
    return {};
  }
  auto bytes = encode_tags(x.tags);
  auto name = hex(big_endian(version)) + "-" + sha256(bytes).substr(0, 16);
  return on.put(prefix + name, bytes);
}

// Records of the remote, each read once, with those of what was removed there.
class shelf {
public:
  shelf(const object_store& on, std::string_view context) : on_(on), context_(context) {}

  result<void> load() {
    // The removed ones come last: what goes in between is seen as one of either.
    for (const auto& prefix : {records_of(context_), removed_of(context_)}) {
      auto names = names_of(on_, prefix);
      if (!names)
        return names.error();
      for (const auto& each : *names)
        objects_.emplace(uuid_of(each), each);
    }
    return {};
  }

  bool is_removed(const std::string& uuid) const {
    auto object = objects_.find(uuid);
    return object != objects_.end() && object->second.starts_with(all_removed);
  }

  std::vector<std::string> uuids() const {
    std::vector<std::string> out;
    for (const auto& [uuid, object] : objects_)
      if (!is_removed(uuid))
        out.push_back(uuid);
    return out;
  }

  // Null where the remote has none.
  result<const bundle*> get(const std::string& uuid) {
    if (auto known = read_.find(uuid); known != read_.end())
      return &known->second;
    auto object = objects_.find(uuid);
    if (object == objects_.end())
      return static_cast<const bundle*>(nullptr);
    auto record = read_record(on_, object->second);
    if (!record)
      return record.error();
    return &read_.emplace(uuid, std::move(*record)).first->second;
  }

private:
  const object_store& on_;
  std::string context_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, bundle> read_;
};

// The bundles that are asked for, and the records that their lineage needs.
struct plan {
  std::set<std::string> wanted;
  std::vector<bundle> records; // the sources of one come before it
};

class planner {
public:
  planner(shelf& from, plan& to) : from_(from), to_(to) {}

  // By hand, not by recursion: a lineage may be long.
  result<void> add(const std::string& uuid) {
    std::vector<std::pair<std::string, bool>> left{{uuid, false}};
    while (!left.empty()) {
      auto [at, sources_done] = left.back();
      left.pop_back();
      auto record = from_.get(at);
      if (!record)
        return record.error();
      if (*record == nullptr)
        continue;
      if (sources_done) {
        to_.records.push_back(**record);
        continue;
      }
      if (!seen_.insert(at).second)
        continue;
      left.emplace_back(at, true);
      for (const auto& each : (*record)->sources)
        left.emplace_back(each.uuid, false);
    }
    return {};
  }

private:
  shelf& from_;
  plan& to_;
  std::set<std::string> seen_;
};

result<plan> plan_of(shelf& from, const pull_request& wanted) {
  plan out;
  auto uuids = wanted.uuids.empty() ? from.uuids() : wanted.uuids;
  planner steps(from, out);
  for (const auto& uuid : uuids) {
    auto record = from.get(uuid);
    if (!record)
      return record.error();
    if (*record == nullptr || from.is_removed(uuid))
      return no_bundle(printable(uuid), wanted.context);
    if (!wanted.name.empty() && (*record)->name != wanted.name)
      continue;
    out.wanted.insert(uuid);
    TROUPE_TRY(steps.add(uuid));
  }
  if (out.wanted.empty() && !wanted.name.empty())
    return no_bundle("named " + printable(wanted.name), wanted.context);
  return out;
}

} // namespace

result<bundles_moved> push_bundles(bundle_repository& from, std::span<const std::string> uuids,
                                   object_store& to, const transfer_options& how) {
  std::vector<kept_bundle> all;
  std::vector<tree_id> trees;
  for (const auto& uuid : uuids) {
    auto x = from.get(uuid);
    if (!x)
      return x.error();
    if (x->removed)
      return error{errc::not_found, "the bundle " + uuid + " was removed; add it again"};
    if (!x->what.tree.empty()) {
      auto tree = tree_id::parse(x->what.tree);
      if (!tree)
        return tree.error();
      trees.push_back(*tree);
    }
    all.push_back(std::move(*x));
  }
  // Sources first: where the remote keeps a lineage, they are there when what was made of them
  // comes.
  std::ranges::sort(all, {}, &kept_bundle::artifact);
  auto chunks = chunk_store::open(to);
  if (!chunks)
    return chunks.error();
  bundles_moved out;
  auto bytes = transfer(from.bytes(), **chunks, trees, how);
  if (!bytes)
    return bytes.error();
  out.bytes = *bytes;
  for (const auto& x : all) {
    auto object = records_of(x.context) + x.what.uuid;
    auto there = to.size(object);
    if (!there)
      return there.error();
    if (!*there) {
      TROUPE_TRY(to.put(object, encode(x.what)));
      ++out.bundles;
    }
    TROUPE_TRY(put_tags(to, x));
  }
  return out;
}

result<bundles_moved> pull_bundles(bundle_repository& into, const pull_request& wanted,
                                   object_store& from, const transfer_options& how) {
  TROUPE_TRY(check_context_name(wanted.context));
  shelf records(from, wanted.context);
  TROUPE_TRY(records.load());
  auto all = plan_of(records, wanted);
  if (!all)
    return all.error();
  bundles_moved out;
  std::vector<tree_id> trees;
  std::vector<const bundle*> missing;
  for (const auto& x : all->records) {
    auto here = into.get(x.uuid);
    if (!here && here.error().code != errc::not_found)
      return here.error();
    auto is_back = here && here->removed && !wanted.uuids.empty() && all->wanted.contains(x.uuid);
    if (!here || is_back)
      missing.push_back(&x);
    else if (here->removed)
      continue;
    if (!wanted.with_bytes || x.tree.empty() || !all->wanted.contains(x.uuid))
      continue;
    auto tree = tree_id::parse(x.tree);
    if (!tree)
      return tree.error();
    trees.push_back(*tree);
  }
  if (!trees.empty()) {
    auto chunks = chunk_store::open(from);
    if (!chunks)
      return chunks.error();
    auto bytes = transfer(**chunks, into.bytes(), trees, how);
    if (!bytes)
      return bytes.error();
    out.bytes = *bytes;
  }
  TROUPE_TRY(into.make_context(wanted.context));
  for (const auto* x : missing) {
    auto names = names_of(from, tags_of(wanted.context, x->uuid));
    if (!names)
      return names.error();
    auto tags = newest_tags(from, *names);
    if (!tags)
      return tags.error();
    if (auto added = into.add(wanted.context, *x, *tags); !added)
      return added.error();
    if (records.is_removed(x->uuid))
      TROUPE_TRY(into.remove(x->uuid));
    ++out.bundles;
  }
  return out;
}

result<std::vector<bundle>> list_bundles(const object_store& on, std::string_view context) {
  TROUPE_TRY(check_context_name(context));
  auto names = names_of(on, records_of(context));
  if (!names)
    return names.error();
  std::vector<bundle> out;
  for (const auto& each : *names) {
    auto record = read_record(on, each);
    if (!record)
      return record.error();
    out.push_back(std::move(*record));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.created_ns > b.created_ns; });
  return out;
}

result<bundle> get_bundle(const object_store& on, std::string_view context, std::string_view uuid) {
  TROUPE_TRY(check_context_name(context));
  auto record = read_record(on, records_of(context).append(uuid));
  if (!record && record.error().code == errc::not_found)
    return no_bundle(printable(uuid), context);
  return record;
}

result<void> remove_bundle(object_store& on, std::string_view context, std::string_view uuid) {
  auto record = get_bundle(on, context, uuid);
  if (!record && record.error().code == errc::not_found)
    return {};
  if (!record && record.error().code != errc::corrupt)
    return record.error();
  if (record) // before the other goes: killed in between, it is not removed yet
    TROUPE_TRY(on.put(removed_of(context).append(uuid), encode(*record)));
  return on.remove(records_of(context).append(uuid));
}

result<std::vector<tree_id>> trees_of_remote(const object_store& on) {
  auto names = names_of(on, all_records);
  if (!names)
    return names.error();
  std::vector<tree_id> out;
  for (const auto& each : *names) {
    auto record = read_record(on, each);
    if (!record)
      return record.error();
    if (record->tree.empty())
      continue;
    auto tree = tree_id::parse(record->tree);
    if (!tree)
      return tree.error();
    out.push_back(*tree);
  }
  return out;
}

} // namespace troupe::storage
