#include "launcher/bundle_check.hpp"

#include "storage/bytes/chunk_store.hpp"
#include "storage/bytes/tree.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace troupe::launcher {

namespace {

using storage::chunk_id;
using storage::content_id_hash;

constexpr int tries_max = 10;
constexpr size_t chunks_at_once = 1000; // of one read
constexpr size_t files_told = 20;       // in one sentence

// Something is lost, other than that nobody answers or that it is not allowed.
bool is_damage(const error& x) {
  return x.code == errc::corrupt || x.code == errc::io || x.code == errc::not_found
         || x.code == errc::invalid;
}

// Objects without those that cannot be read: no chunk store opens over them.
class objects_without final : public storage::object_store {
public:
  objects_without(const storage::object_store& all, const std::set<std::string>& broken)
    : all_(all), broken_(broken) {}

  result<void> put(std::string_view, std::string_view) override { return changes_nothing(); }
  result<void> remove(std::string_view) override { return changes_nothing(); }

  result<std::string> get(std::string_view name, uint64_t offset, uint64_t count) const override {
    return all_.get(name, offset, count);
  }

  result<std::optional<uint64_t>> size(std::string_view name) const override {
    return all_.size(name);
  }

  result<void> list(std::string_view prefix, const visitor& visit) const override {
    return all_.list(prefix, [&](std::string_view name, uint64_t bytes) {
      return broken_.contains(std::string(name)) || visit(name, bytes);
    });
  }

private:
  static error changes_nothing() { return {errc::refused, "a check changes nothing"}; }

  const storage::object_store& all_;
  const std::set<std::string>& broken_;
};

class bytes_checker {
public:
  bytes_checker(const storage::object_store& objects, const bytes_check_options& options)
    : objects_(objects), options_(options) {}

  result<bytes_checked> run(const std::vector<bundle_to_check>& bundles) {
    TROUPE_TRY(load());
    auto opened = storage::chunk_store::open(readable_);
    if (!opened)
      return opened.error();
    chunks_ = std::move(*opened);
    TROUPE_TRY(chunks_->refresh()); // what is condemned can be read as well
    for (const auto& each : bundles)
      TROUPE_TRY(look_at(each));
    out_.chunks = sound_.size() + lost_.size();
    return std::move(out_);
  }

private:
  // What a tree has lost; nothing where `why` is empty.
  struct tree_state {
    bool is_here = false;
    lost_bytes lost;
  };

  result<void> load() {
    for (int tries = 0; tries < tries_max; ++tries) {
      auto whole = load_once();
      if (!whole)
        return whole.error();
      if (*whole)
        return {};
    }
    return {errc::unavailable,
            "the index of the chunk store changed each time it was read; try again"};
  }

  // False: a sweep removed an object between its listing and its reading. What it takes out of the
  // index is in a condemned record before, and packs are put before an index names them.
  result<bool> load_once() {
    index_ = {};
    condemned_ = {};
    packs_.clear();
    broken_.clear();
    out_.objects.clear();
    std::vector<std::string> names;
    for (const auto* folder : {"index/", "condemned/"})
      TROUPE_TRY(objects_.list(folder, [&](std::string_view name, uint64_t) {
        names.emplace_back(name);
        return true;
      }));
    for (const auto& each : names) {
      auto whole = load_object(each);
      if (!whole || !*whole)
        return whole;
    }
    TROUPE_TRY(objects_.list("packs/", [&](std::string_view name, uint64_t bytes) {
      if (auto id = storage::pack_id::parse(name.substr(name.rfind('/') + 1)))
        packs_.emplace(*id, bytes);
      return true;
    }));
    return true;
  }

  // False: it is gone.
  result<bool> load_object(const std::string& object) {
    auto bytes = objects_.get(object);
    if (!bytes && bytes.error().code == errc::not_found)
      return false;
    auto read = bytes ? add_sections(object, *bytes) : result<void>(bytes.error());
    if (!read && !is_damage(read.error()))
      return read.error();
    if (!read) {
      broken_.insert(object);
      out_.objects.push_back("the object " + object
                             + " is lost, and with it what only it names: " + read.error().text);
    }
    return true;
  }

  result<void> add_sections(const std::string& object, std::string_view bytes) {
    auto slash = object.rfind('/');
    auto name = std::string_view(object).substr(slash + 1);
    if (!object.starts_with("index/")) {
      auto record = storage::decode_condemned(name, bytes);
      if (!record)
        return record.error();
      for (const auto& each : record->sections)
        condemned_.add(each);
      return {};
    }
    auto sections = storage::decode_index(name, bytes);
    if (!sections)
      return sections.error();
    for (const auto& each : *sections)
      index_.add(each);
    return {};
  }

  result<void> look_at(const bundle_to_check& x) {
    if (x.tree.empty()) {
      ++out_.bundles;
      return {};
    }
    auto [at, is_new] = trees_.try_emplace(x.tree);
    if (is_new) {
      auto seen = look_at_tree(x.tree);
      if (!seen)
        return seen.error();
      at->second = std::move(*seen);
    }
    ++(at->second.is_here ? out_.bundles : out_.elsewhere);
    if (at->second.lost.why.empty())
      return {};
    out_.lost.push_back(at->second.lost);
    out_.lost.back().of = x;
    return {};
  }

  result<tree_state> look_at_tree(const std::string& digits) {
    tree_state out;
    auto id = storage::tree_id::parse(digits);
    if (id && !index_.contains(*id) && !condemned_.contains(*id))
      return out; // it is put last: only the record is here
    out.is_here = true;
    auto files = id ? storage::read_tree(*chunks_, *id) : result<storage::tree>(id.error());
    if (!files) {
      if (!is_damage(files.error()))
        return files.error();
      out.lost.chunks = 1;
      out.lost.why = files.error().text;
      return out;
    }
    sound_.insert(files->structure.begin(), files->structure.end()); // they were read
    TROUPE_TRY(look_at_files(*files, out.lost));
    return out;
  }

  result<void> look_at_files(const storage::tree& x, lost_bytes& into) {
    std::vector<chunk_id> fresh;
    for (const auto& item : x.items)
      for (const auto& id : item.content())
        if (!sound_.contains(id) && !lost_.contains(id))
          fresh.push_back(id);
    std::sort(fresh.begin(), fresh.end());
    fresh.erase(std::unique(fresh.begin(), fresh.end()), fresh.end());
    TROUPE_TRY(options_.read ? read(fresh) : find(fresh));
    std::set<chunk_id> lost;
    for (const auto& item : x.items) {
      if (!item.is_file())
        continue;
      ++into.files_all;
      auto before = into.files.size();
      for (const auto& id : item.content())
        if (auto found = lost_.find(id); found != lost_.end()) {
          lost.insert(id);
          into.why = into.why.empty() ? found->second : into.why;
          if (into.files.size() == before)
            into.files.push_back(item.path);
        }
    }
    into.chunks = lost.size();
    return {};
  }

  // Whether they lie where the index says.
  result<void> find(const std::vector<chunk_id>& ids) {
    for (const auto& id : ids) {
      const auto& names = index_.contains(id) ? index_ : condemned_;
      auto place = names.find(id);
      if (!place) {
        lost_.emplace(id, "the chunk " + id.digits() + " is in no pack");
        continue;
      }
      auto pack = packs_.find(names.pack(place->pack));
      if (pack == packs_.end())
        lost_.emplace(id, "the pack " + names.pack(place->pack).digits() + " is missing");
      else if (pack->second < place->offset + uint64_t{place->stored})
        lost_.emplace(id, "the pack " + pack->first.digits() + " is cut short");
      else
        sound_.insert(id);
    }
    return {};
  }

  result<void> read(std::span<const chunk_id> ids) {
    for (; !ids.empty(); ids = ids.subspan(std::min(ids.size(), chunks_at_once))) {
      TROUPE_TRY(read_some(ids.first(std::min(ids.size(), chunks_at_once))));
      out_.chunks = sound_.size() + lost_.size();
      options_.report(out_);
    }
    return {};
  }

  result<void> read_some(std::span<const chunk_id> ids) {
    auto keep = [&](const chunk_id& id, size_t bytes) {
      if (sound_.insert(id).second)
        out_.bytes_read += bytes;
    };
    auto all = chunks_->read(ids, [&](const storage::chunk_store::read_chunk& x) -> result<void> {
      keep(ids[x.at], x.bytes.size());
      return {};
    });
    for (size_t i = 0; !all && i < ids.size(); ++i) { // which of them are lost
      if (sound_.contains(ids[i]))
        continue;
      auto one = chunks_->get(ids[i]);
      if (one)
        keep(ids[i], one->size());
      else if (is_damage(one.error()))
        lost_.emplace(ids[i], one.error().text);
      else
        return one.error();
    }
    return {};
  }

  const storage::object_store& objects_;
  const bytes_check_options& options_;
  std::set<std::string> broken_; // names of objects
  objects_without readable_{objects_, broken_};
  std::unique_ptr<storage::chunk_store> chunks_;
  storage::chunk_index index_, condemned_;
  std::unordered_map<storage::pack_id, uint64_t, content_id_hash> packs_; // with their sizes
  std::unordered_set<chunk_id, content_id_hash> sound_;
  std::unordered_map<chunk_id, std::string, content_id_hash> lost_; // and why
  std::map<std::string, tree_state> trees_;
  bytes_checked out_;
};

} // namespace

result<bytes_checked> check_bytes(storage::object_store& objects,
                                  const std::vector<bundle_to_check>& bundles,
                                  const bytes_check_options& options) {
  return bytes_checker(objects, options).run(bundles);
}

std::string sentence_of(const lost_bytes& x) {
  auto out
    = "the bundle " + x.of.name + " (" + x.of.uuid + ", context " + x.of.context + ") has lost ";
  if (x.files_all == 0)
    return out + "all of its files, as their list cannot be read: " + x.why;
  out += std::to_string(x.files.size()) + " of its " + std::to_string(x.files_all) + " files: ";
  for (size_t i = 0; i < std::min(x.files.size(), files_told); ++i)
    out.append(i == 0 ? "" : ", ").append(x.files[i]);
  if (x.files.size() > files_told)
    out += " and " + std::to_string(x.files.size() - files_told) + " more";
  out += "; of their chunks " + std::to_string(x.chunks) + " cannot be read, the first because: ";
  return out + x.why;
}

} // namespace troupe::launcher
