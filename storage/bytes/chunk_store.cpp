#include "storage/bytes/chunk_store.hpp"

#include <algorithm>
#include <tuple>

namespace troupe::storage {

namespace {

constexpr std::string_view index_folder = "index/";
constexpr std::string_view condemned_folder = "condemned/";
constexpr uint64_t run_max = 8u << 20; // bytes of one read
constexpr int tries_max = 10;
constexpr size_t index_chunks_max = 1'000'000; // of one object; one pack may go beyond
constexpr uint64_t gap_max = 128u << 10;       // bytes that are read for nothing, to join two runs

error not_there(const chunk_id& id) {
  return {errc::not_found,
          "the chunk " + id.digits() + " is not in the store; fetch it again from where it is"};
}

result<void> list_names(const object_store& objects, std::string_view folder,
                        std::set<std::string>& into) {
  return objects.list_names(folder, [&](std::string_view name) { into.emplace(name); });
}

} // namespace

result<std::unique_ptr<chunk_store>> chunk_store::open(object_store& objects,
                                                       const chunk_store_options& options) {
  std::unique_ptr<chunk_store> out{new chunk_store{objects, options}};
  TROUPE_TRY(out->load(false));
  return out;
}

result<void> chunk_store::refresh() const {
  return load(true);
}

result<void> chunk_store::load(bool condemned_too) const {
  std::lock_guard one{loading_};
  for (int tries = 0; tries < tries_max; ++tries) {
    auto whole = load_once(condemned_too);
    if (!whole)
      return whole.error();
    if (*whole)
      return {};
  }
  return {errc::unavailable,
          "the index of the chunk store changed each time it was read; try again"};
}

// False: an object went away between its listing and its reading.
result<bool> chunk_store::load_once(bool condemned_too) const {
  std::set<std::string> names;
  // In this order: what a sweep takes out of the index is in a condemned record before.
  TROUPE_TRY(list_names(objects_, index_folder, names));
  if (condemned_too)
    TROUPE_TRY(list_names(objects_, condemned_folder, names));
  std::vector<std::string> fresh;
  std::set_difference(names.begin(), names.end(), contents_.loaded.begin(), contents_.loaded.end(),
                      std::back_inserter(fresh));
  auto all_there
    = std::includes(names.begin(), names.end(), contents_.loaded.begin(), contents_.loaded.end());
  if (fresh.empty() && all_there)
    return true;
  contents next;
  if (all_there) {
    std::shared_lock lock{mutex_};
    next = contents_;
  } else {
    fresh.assign(names.begin(), names.end());
  }
  for (auto& each : fresh) {
    auto done
      = each.starts_with(index_folder) ? load_index(next, each) : load_condemned(next, each);
    if (!done && done.error().code == errc::not_found) // a sweep removed it
      return false;
    if (!done)
      return done.error();
  }
  std::unique_lock lock{mutex_};
  std::swap(contents_, next);
  return true;
}

result<void> chunk_store::load_index(contents& into, const std::string& object) const {
  auto bytes = objects_.get(object);
  if (!bytes)
    return bytes.error();
  auto sections = decode_index(std::string_view{object}.substr(index_folder.size()), *bytes);
  if (!sections)
    return sections.error();
  into.loaded.insert(object);
  into.index.reserve(bytes->size() / chunk_entry_size);
  for (auto& each : *sections)
    into.index.add(each);
  return {};
}

result<void> chunk_store::load_condemned(contents& into, const std::string& object) const {
  auto bytes = objects_.get(object);
  if (!bytes)
    return bytes.error();
  auto record = decode_condemned(std::string_view{object}.substr(condemned_folder.size()), *bytes);
  if (!record)
    return record.error();
  into.loaded.insert(object);
  for (auto& each : record->sections) {
    into.condemned.add(each);
    into.condemned_packs.insert(each.name);
    into.condemned_sections.push_back(std::make_shared<const pack_section>(std::move(each)));
  }
  return {};
}

bool chunk_store::contains(const chunk_id& id) const {
  std::shared_lock lock{mutex_};
  return contents_.index.contains(id);
}

std::vector<size_t> chunk_store::missing(std::span<const chunk_id> ids) const {
  std::vector<size_t> out;
  std::shared_lock lock{mutex_};
  for (size_t i = 0; i < ids.size(); ++i)
    if (!contents_.index.contains(ids[i]))
      out.push_back(i);
  return out;
}

std::shared_ptr<const pack_section> chunk_store::condemned(const chunk_id& id) const {
  std::shared_lock lock{mutex_};
  auto place = contents_.condemned.find(id);
  return place ? contents_.condemned_sections[place->pack] : nullptr;
}

bool chunk_store::is_condemned(const pack_id& pack) const {
  std::shared_lock lock{mutex_};
  return contents_.condemned_packs.contains(pack);
}

void chunk_store::sort_by_place(std::vector<chunk_id>& ids) const {
  std::vector<located> found;
  auto lost = locate(ids, found);
  std::vector<chunk_id> sorted;
  sorted.reserve(ids.size());
  for (auto& each : found)
    sorted.push_back(ids[each.at]);
  for (auto at : lost)
    sorted.push_back(ids[at]);
  ids = std::move(sorted);
}

// Finds them, in the order in which they lie; returns those that are not there.
std::vector<size_t> chunk_store::locate(std::span<const chunk_id> ids,
                                        std::vector<located>& found) const {
  std::vector<size_t> lost;
  found.reserve(ids.size());
  std::shared_lock lock{mutex_};
  for (size_t i = 0; i < ids.size(); ++i) {
    if (auto place = contents_.index.find(ids[i]))
      found.push_back({i, *place, contents_.index.pack(place->pack)});
    else if (auto old = contents_.condemned.find(ids[i]))
      found.push_back({i, *old, contents_.condemned.pack(old->pack)});
    else
      lost.push_back(i);
  }
  std::sort(found.begin(), found.end(), [](const located& a, const located& b) {
    return std::tie(a.pack, a.place.offset, a.at) < std::tie(b.pack, b.place.offset, b.at);
  });
  return lost;
}

result<void> chunk_store::read_located(std::span<const chunk_id> ids, std::vector<located>& found,
                                       const sink& into, std::vector<size_t>& lost) const {
  chunk_opener opener;
  for (size_t begin = 0, end = 0; begin < found.size(); begin = end) {
    auto& first = found[begin];
    uint64_t run_end = 0;
    for (end = begin; end < found.size() && found[end].pack == first.pack; ++end) {
      auto& place = found[end].place;
      if (end > begin
          && (place.offset > run_end + gap_max
              || place.offset + uint64_t{place.stored} - first.place.offset > run_max))
        break;
      run_end = place.offset + uint64_t{place.stored};
    }
    auto bytes
      = objects_.get(pack_object(first.pack), first.place.offset, run_end - first.place.offset);
    if (!bytes && bytes.error().code == errc::not_found) {
      for (auto i = begin; i < end; ++i)
        lost.push_back(found[i].at);
      continue;
    }
    if (!bytes)
      return bytes.error();
    for (auto i = begin; i < end; ++i) {
      auto& [at, place, pack] = found[i];
      // Past the end of a pack that was cut short nothing is left: that is damage too.
      auto from = std::min<size_t>(place.offset - first.place.offset, bytes->size());
      auto body = std::string_view{*bytes}.substr(from, place.stored);
      auto content = opener.open(ids[at], place.size, body, pack);
      if (!content)
        return content.error();
      TROUPE_TRY(into({at, *content, body}));
    }
  }
  return {};
}

result<void> chunk_store::read(std::span<const chunk_id> ids, const sink& into) const {
  std::vector<located> found;
  auto lost = locate(ids, found);
  TROUPE_TRY(read_located(ids, found, into, lost));
  if (lost.empty())
    return {};
  // Another process wrote them since, or a sweep moved them.
  TROUPE_TRY(refresh());
  std::vector<chunk_id> again;
  for (auto at : lost)
    again.push_back(ids[at]);
  std::vector<size_t> gone;
  found.clear();
  gone = locate(again, found);
  TROUPE_TRY(read_located(
    again, found,
    [&](const read_chunk& x) {
      return into({lost[x.at], x.bytes, x.body});
    },
    gone));
  return gone.empty() ? result<void>{} : not_there(again[gone.front()]);
}

result<std::string> chunk_store::get(const chunk_id& id) const {
  std::string out;
  TROUPE_TRY(read({&id, 1}, [&](const read_chunk& x) {
    out = x.bytes;
    return result<void>{};
  }));
  return out;
}

result<std::vector<std::string>> chunk_store::add(std::span<const pack_section> sections) {
  std::vector<std::string> names;
  while (!sections.empty()) {
    size_t count = 0;
    for (size_t chunks = 0; count < sections.size() && chunks < index_chunks_max; ++count)
      chunks += sections[count].entries.size();
    auto some = sections.first(count);
    sections = sections.subspan(count);
    auto bytes = encode_index(some);
    auto object = std::string{index_folder} + sha256(bytes);
    TROUPE_TRY(objects_.put(object, bytes));
    names.push_back(object);
    std::lock_guard one{loading_};
    std::unique_lock lock{mutex_};
    if (contents_.loaded.insert(object).second)
      for (auto& each : some)
        contents_.index.add(each);
  }
  return names;
}

} // namespace troupe::storage
