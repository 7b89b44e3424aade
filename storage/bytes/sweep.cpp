#include "storage/bytes/sweep.hpp"

#include "storage/bytes/tree.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

namespace troupe::storage {

namespace {

constexpr std::string_view index_folder = "index/";
constexpr std::string_view condemned_folder = "condemned/";
constexpr size_t small_index = 20'000; // chunks

using chunk_set = std::unordered_set<chunk_id, content_id_hash>;

enum class fate { keep, drop, rewrite };

struct known_pack {
  pack_section section;
  uint64_t size = 0; // of the bodies
  uint64_t live = 0; // of those that are needed
  bool was_condemned = false;
  fate what = fate::keep;
  std::vector<size_t> wanted; // which entries are needed, and nowhere else
};

struct index_object {
  std::string name;
  std::vector<pack_id> packs;
  size_t chunks = 0;
  bool replaced = false;
};

class sweeper {
public:
  sweeper(chunk_store& store, const sweep_options& options)
    : store_(store), objects_(store.objects()), options_(options) {}

  result<swept> run(std::span<const tree_id> roots) {
    TROUPE_TRY(load());
    TROUPE_TRY(store_.refresh());
    TROUPE_TRY(mark(roots));
    TROUPE_TRY(place());
    decide();
    choose_index();
    if (!options_.dry_run)
      TROUPE_TRY(rewrite());
    TROUPE_TRY(publish());
    TROUPE_TRY(condemn());
    if (!options_.dry_run)
      for (auto& each : index_)
        if (each.replaced && !put_.contains(each.name))
          TROUPE_TRY(objects_.remove(each.name));
    TROUPE_TRY(expire());
    if (!options_.dry_run)
      TROUPE_TRY(store_.refresh());
    return out_;
  }

private:
  // Packs first: one that a writer names meanwhile is then known as named.
  result<void> load() {
    TROUPE_TRY(objects_.list("packs/", [&](std::string_view name, uint64_t bytes) {
      if (auto id = content_id::parse(name.substr(name.rfind('/') + 1)))
        listed_.emplace(*id, bytes);
      return true;
    }));
    TROUPE_TRY(load_index());
    std::vector<std::string> names;
    TROUPE_TRY(objects_.list(condemned_folder, [&](std::string_view name, uint64_t) {
      names.emplace_back(name);
      return true;
    }));
    for (auto& each : names) {
      auto bytes = objects_.get(each);
      if (!bytes)
        return bytes.error();
      auto record
        = decode_condemned(std::string_view{each}.substr(condemned_folder.size()), *bytes);
      if (!record)
        return record.error();
      condemned_.emplace(each, std::move(*record));
    }
    return {};
  }

  // Reads the index objects that are not known yet.
  result<void> load_index() {
    std::vector<std::string> names;
    TROUPE_TRY(objects_.list(index_folder, [&](std::string_view name, uint64_t) {
      names.emplace_back(name);
      return true;
    }));
    for (auto& each : names) {
      if (put_.contains(each) || !seen_.insert(each).second)
        continue;
      auto bytes = objects_.get(each);
      if (!bytes)
        return bytes.error();
      auto sections = decode_index(std::string_view{each}.substr(index_folder.size()), *bytes);
      if (!sections)
        return sections.error();
      index_object found{each, {}, 0, false};
      for (auto& section : *sections) {
        found.packs.push_back(section.name);
        found.chunks += section.entries.size();
        auto name = section.name;
        packs_.try_emplace(name, known(std::move(section), false));
      }
      index_.push_back(std::move(found));
    }
    return {};
  }

  static known_pack known(pack_section section, bool was_condemned) {
    known_pack out;
    for (auto& each : section.entries)
      out.size += each.stored;
    out.section = std::move(section);
    out.was_condemned = was_condemned;
    return out;
  }

  result<void> mark(std::span<const tree_id> roots) {
    for (auto& id : roots) {
      auto what = read_tree(store_, id);
      if (!what)
        return what.error();
      live_.insert(what->structure.begin(), what->structure.end());
      for (auto& each : what->items)
        for (auto& chunk : each.content())
          live_.insert(chunk);
    }
    out_.chunks_live = live_.size();
    return {};
  }

  // Finds one pack for each chunk that is needed, a condemned one where no other has it.
  result<void> place() {
    auto left = live_;
    for (auto& [name, pack] : packs_)
      TROUPE_TRY(take(pack, left));
    for (auto& [object, record] : condemned_)
      for (auto& section : record.sections) {
        if (left.empty())
          return {};
        auto pack = known(section, true);
        TROUPE_TRY(take(pack, left));
        if (pack.live > 0 && packs_.try_emplace(section.name, std::move(pack)).second)
          ++out_.packs_kept_again;
      }
    if (left.empty())
      return {};
    return {errc::not_found, "the chunk " + left.begin()->digits()
                               + " of a tree is not in the store: nothing was swept; fetch the "
                                 "tree again from where it is"};
  }

  result<void> take(known_pack& pack, chunk_set& left) {
    for (size_t i = 0; i < pack.section.entries.size(); ++i)
      if (left.contains(pack.section.entries[i].id))
        pack.wanted.push_back(i);
    if (pack.wanted.empty())
      return {};
    auto there = listed_.contains(pack.section.name);
    if (!there) { // lost, or put since they were listed
      auto size = objects_.size(pack_object(pack.section.name));
      if (!size)
        return size.error();
      there = size->has_value();
    }
    if (!there)
      pack.wanted.clear();
    std::erase_if(pack.wanted,
                  [&](size_t i) { return left.erase(pack.section.entries[i].id) == 0; });
    for (auto i : pack.wanted)
      pack.live += pack.section.entries[i].stored;
    return {};
  }

  void decide() {
    size_t joined = 0;
    auto is_small = [&](const known_pack& x) { return x.size < store_.options().pack_bytes / 4; };
    for (auto& [name, pack] : packs_) {
      if (pack.live == 0)
        pack.what = fate::drop;
      else if (pack.live < pack.size / 2)
        pack.what = fate::rewrite;
      if (pack.what == fate::rewrite || (pack.what == fate::keep && is_small(pack)))
        ++joined;
    }
    for (auto& [name, pack] : packs_) {
      if (pack.what == fate::keep && is_small(pack) && joined > 1)
        pack.what = fate::rewrite;
      if (pack.what != fate::keep && !pack.was_condemned)
        out_.chunks_dropped += pack.section.entries.size() - pack.wanted.size();
    }
  }

  // Which index objects go: those that name what goes, and small ones where they are several.
  void choose_index() {
    std::set<pack_id> named;
    size_t small = 0;
    for (auto& each : index_) {
      for (auto& pack : each.packs)
        each.replaced
          = each.replaced || packs_.at(pack).what != fate::keep || !named.insert(pack).second;
      small += each.replaced || each.chunks < small_index ? 1 : 0;
    }
    for (auto& each : index_)
      each.replaced = each.replaced || (small > 1 && each.chunks < small_index);
    out_.index_before = index_.size();
  }

  result<void> rewrite() {
    pack_builder builder;
    chunk_opener opener;
    for (auto& [name, pack] : packs_) {
      if (pack.what != fate::rewrite)
        continue;
      auto bytes = objects_.get(pack_object(name));
      if (!bytes)
        return bytes.error();
      size_t offset = pack_head_size, entry = 0;
      for (auto at : pack.wanted) {
        for (; entry < at; ++entry)
          offset += chunk_entry_size + pack.section.entries[entry].stored;
        auto& chunk = pack.section.entries[at];
        auto body = std::string_view{*bytes}.substr(
          std::min(offset + chunk_entry_size, bytes->size()), chunk.stored);
        if (auto content = opener.open(chunk.id, chunk.size, body, name); !content)
          return content.error();
        builder.add(chunk, body);
        if (builder.size() >= store_.options().pack_bytes)
          TROUPE_TRY(put(builder));
      }
    }
    return builder.empty() ? result<void>{} : put(builder);
  }

  // Under a name that neither a pack that goes has nor one that went.
  result<void> put(pack_builder& builder) {
    auto pack = builder.take([&](const pack_id& x) {
      return listed_.contains(x) || packs_.contains(x) || store_.is_condemned(x);
    });
    out_.bytes_rewritten += pack.bytes.size();
    TROUPE_TRY(objects_.put(pack_object(pack.section.name), pack.bytes));
    fresh_.push_back(std::move(pack.section));
    return {};
  }

  // Puts the index of what stays and is not named otherwise.
  result<void> publish() {
    std::vector<pack_section> sections = std::move(fresh_);
    std::set<pack_id> named;
    for (auto& each : index_)
      if (!each.replaced)
        named.insert(each.packs.begin(), each.packs.end());
    for (auto& [name, pack] : packs_)
      if (pack.what == fate::keep && named.insert(name).second)
        sections.push_back(pack.section);
    for (auto& each : sections)
      named_.insert(each.name);
    named_.merge(named);
    out_.index_after = static_cast<uint64_t>(std::count_if(
      index_.begin(), index_.end(), [](const index_object& x) { return !x.replaced; }));
    if (options_.dry_run) {
      out_.index_after += sections.empty() ? 0 : 1;
      return {};
    }
    auto names = store_.add(sections);
    if (!names)
      return names.error();
    put_.insert(names->begin(), names->end());
    out_.index_after += names->size();
    return {};
  }

  // Notes what no index names from now on, and packs that none named so far.
  result<void> condemn() {
    condemned_record record{options_.now_s, {}};
    std::set<pack_id> noted;
    for (auto& [object, old] : condemned_)
      for (auto& section : old.sections)
        noted.insert(section.name);
    for (auto& [name, pack] : packs_)
      if (pack.what != fate::keep && !pack.was_condemned)
        record.sections.push_back(pack.section);
    for (auto& [name, bytes] : listed_)
      if (!packs_.contains(name) && !named_.contains(name) && !noted.contains(name))
        record.sections.push_back({name, {}});
    if (record.sections.empty())
      return {};
    out_.packs_condemned = record.sections.size();
    for (auto& each : record.sections)
      if (auto found = listed_.find(each.name); found != listed_.end())
        out_.bytes_condemned += found->second;
    auto bytes = encode_condemned(record);
    auto object = std::string{condemned_folder} + sha256(bytes);
    if (!options_.dry_run)
      TROUPE_TRY(objects_.put(object, bytes));
    condemned_.emplace(std::move(object), std::move(record));
    return {};
  }

  // Removes what was condemned for long enough, and no writer names again.
  result<void> expire() {
    if (!options_.dry_run)
      TROUPE_TRY(name_again());
    std::set<pack_id> waiting;
    auto is_over = [&](const condemned_record& x) {
      return options_.now_s - x.time_s >= options_.guard.count();
    };
    for (auto& [object, record] : condemned_)
      if (!is_over(record))
        for (auto& section : record.sections)
          if (!named_.contains(section.name) && listed_.contains(section.name))
            waiting.insert(section.name);
    std::set<pack_id> removed;
    for (auto& [object, record] : condemned_) {
      bool needed = false;
      for (auto& section : record.sections) {
        auto& name = section.name;
        needed = needed || (waiting.contains(name) && !is_over(record));
        if (named_.contains(name) || waiting.contains(name) || !removed.insert(name).second)
          continue;
        if (auto found = listed_.find(name); found != listed_.end()) {
          ++out_.packs_removed;
          out_.bytes_removed += found->second;
        }
        if (!options_.dry_run)
          TROUPE_TRY(objects_.remove(pack_object(name)));
      }
      if (!needed && !options_.dry_run)
        TROUPE_TRY(objects_.remove(object));
    }
    return {};
  }

  // Index objects that came since the first look.
  result<void> name_again() {
    auto before = index_.size();
    TROUPE_TRY(load_index());
    for (auto i = before; i < index_.size(); ++i)
      named_.insert(index_[i].packs.begin(), index_[i].packs.end());
    return {};
  }

  chunk_store& store_;
  object_store& objects_;
  const sweep_options& options_;
  std::map<pack_id, uint64_t> listed_; // packs that are there, with their sizes
  std::map<pack_id, known_pack> packs_;
  std::vector<index_object> index_;
  std::set<std::string> seen_; // index objects that were read
  std::set<std::string> put_;  // index objects that are new
  std::map<std::string, condemned_record> condemned_;
  chunk_set live_;
  std::vector<pack_section> fresh_;
  std::set<pack_id> named_; // packs that an index names from now on
  swept out_;
};

} // namespace

result<swept> sweep(chunk_store& store, std::span<const tree_id> roots,
                    const sweep_options& options) {
  return sweeper{store, options}.run(roots);
}

} // namespace troupe::storage
