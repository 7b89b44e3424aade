#include "storage/metadata/change_feed.hpp"

#include "storage/metadata/filter_demand.hpp"
#include "storage/metadata/filter_match.hpp"
#include "storage/metadata/keys.hpp"

#include <algorithm>
#include <span>

namespace troupe::storage {

namespace {

constexpr size_t ahead_max = 4096; // nodes that are read at once

// The next changes, of which the last one may be cut.
result<std::vector<std::pair<uint64_t, change_record>>> changes_from(const metadata_view& in,
                                                                     uint64_t first, size_t max) {
  std::vector<std::pair<uint64_t, change_record>> out;
  size_t nodes = 0;
  TROUPE_TRY(in.changes(first, [&](uint64_t sequence, const change_record& what) {
    out.emplace_back(sequence, what);
    nodes += what.nodes.size();
    return out.size() < max && nodes < ahead_max;
  }));
  return out;
}

// Visits the nodes of these ids, as they are now. What was made one after another lies together,
// and one scan is far cheaper than as many searches; where much else lies between, it ends early.
result<void> read_run(const reader& from, node_kind kind, std::span<const uint64_t> ids,
                      const std::function<void(node)>& visit) {
  constexpr size_t others = 16; // keys of a node beside its record, on average
  const auto own = node_key(kind, 0).size();
  result<void> outcome;
  TROUPE_TRY(from.scan(nodes_prefix(kind), node_key(kind, ids.front()), others * ids.size(),
                       [&](std::string_view key, std::string_view value) {
                         auto id = id_of_node_key(key);
                         if (id > ids.back())
                           return false;
                         if (key.size() != own || !std::binary_search(ids.begin(), ids.end(), id))
                           return true;
                         auto found = read_node(key, value);
                         if (!found)
                           outcome = found.error();
                         else
                           visit(std::move(*found));
                         return static_cast<bool>(outcome);
                       }));
  return outcome;
}

// Of ids in their order, those that lie together.
std::vector<std::span<const uint64_t>> runs_of(const std::vector<uint64_t>& ids) {
  constexpr uint64_t gap_max = 4;
  constexpr size_t run_min = 8; // fewer are searched for
  std::vector<std::span<const uint64_t>> out;
  for (size_t begin = 0, end = 1; begin < ids.size(); begin = end++) {
    while (end < ids.size() && ids[end] - ids[end - 1] <= gap_max)
      ++end;
    if (end - begin >= run_min)
      out.push_back(std::span(ids).subspan(begin, end - begin));
  }
  return out;
}

} // namespace

result<void> change_feed::attach(const subscription& x) {
  auto wanted = parse_filter(x.kind, x.filter);
  if (!wanted)
    return wanted.error();
  subscriber added;
  added.what = x;
  added.wanted = std::move(*wanted);
  if (const auto* type = text_equal_to(demands_of(added.wanted), filter_field::type))
    added.type = *type;
  all_.insert_or_assign(x.name, std::move(added));
  return {};
}

void change_feed::detach(const std::string& name) {
  all_.erase(name);
}

void change_feed::grant(const std::string& name, uint64_t credits) {
  if (auto found = all_.find(name); found != all_.end())
    found->second.credits += credits;
}

std::optional<change_place> change_feed::place_of(const std::string& name) const {
  auto found = all_.find(name);
  return found == all_.end() ? std::nullopt : std::optional(found->second.what.next);
}

bool change_feed::may_match(const metadata_view& in, const subscriber& to,
                            const node_change& what) {
  if (what.kind != to.what.kind || to.type.empty())
    return what.kind == to.what.kind;
  const auto* type = in.types().find(what.type);
  return type != nullptr && type->name == to.type;
}

// What it will be told of, as far as it lies together and there are credits for it.
result<change_feed::nodes> change_feed::read_ahead(const metadata_view& in, const subscriber& to,
                                                   const numbered_changes& changes) {
  nodes out;
  std::vector<uint64_t> ids;
  for (const auto& [sequence, what] : changes)
    for (auto i = to.what.next.sequence == sequence ? to.what.next.index : 0;
         i < what.nodes.size() && ids.size() < std::min<uint64_t>(to.credits, ahead_max); ++i)
      if (may_match(in, to, what.nodes[i]))
        ids.push_back(what.nodes[i].id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  auto kind = to.what.kind;
  for (auto run : runs_of(ids))
    TROUPE_TRY(read_run(in.source(), kind, run, [&](node x) {
      auto id = x.id;
      out.emplace(std::pair(kind, id), std::make_shared<const node>(std::move(x)));
    }));
  return out;
}

// Whether it was told of all that it wants to know of this change; else its credits are used up.
result<bool> change_feed::tell(const metadata_view& in, subscriber& to, uint64_t sequence,
                               const change_record& what, const nodes& now, nodes& read) {
  auto& next = to.what.next;
  auto i = next.sequence == sequence ? next.index : 0;
  for (; i < what.nodes.size(); ++i) {
    const auto& each = what.nodes[i];
    next = {sequence, i}; // what is told here is not told again, also after an error
    if (!may_match(in, to, each))
      continue;
    auto& known = read[{each.kind, each.id}];
    if (auto ahead = now.find({each.kind, each.id});
        !known && ahead != now.end() && ahead->second->sequence <= sequence)
      known = ahead->second;
    if (!known) {
      auto found = in.get(each.kind, each.id, sequence); // as the change left it
      if (!found)
        return found.error();
      known = std::make_shared<const node>(std::move(*found));
    }
    auto matches = filter_matcher(to.wanted, in).matches(*known);
    if (!matches)
      return matches.error();
    if (!*matches)
      continue;
    if (to.credits == 0) {
      to.behind = true;
      return false;
    }
    --to.credits;
    tell_(to.what.name, {{sequence, i}, each.what, known});
  }
  next = {sequence + 1, 0};
  return true;
}

void change_feed::changed(const metadata_view& in, uint64_t sequence, const change_record& what) {
  sequence_ = std::max(sequence_, sequence);
  nodes read;
  for (auto& [name, each] : all_) {
    if (each.behind || sequence < each.what.next.sequence)
      continue;
    each.behind = each.what.next.sequence < sequence;
    if (each.behind)
      continue;
    if (auto told = tell(in, each, sequence, what, {}, read); !told) {
      each.behind = true;
      complain_(name, told.error());
    }
  }
}

// Whether it is behind still.
result<bool> change_feed::tell_missed(const metadata_view& in, subscriber& to, uint64_t last,
                                      size_t changes_max) {
  auto changes = changes_from(in, to.what.next.sequence, changes_max);
  if (!changes)
    return changes.error();
  auto now = read_ahead(in, to, *changes);
  if (!now)
    return now.error();
  for (const auto& [sequence, what] : *changes) {
    nodes read;
    auto all = tell(in, to, sequence, what, *now, read);
    if (!all)
      return all.error();
    if (!*all)
      break;
  }
  to.behind = to.what.next.sequence <= last || last < sequence_;
  return to.behind;
}

result<bool> change_feed::catch_up(const metadata_view& in, size_t changes_max) {
  auto counters = in.counters();
  if (!counters)
    return counters.error();
  auto more = false;
  for (auto& [name, each] : all_) {
    if (!each.behind || each.credits == 0)
      continue;
    auto behind = tell_missed(in, each, counters->sequence, changes_max);
    if (behind)
      more = more || (*behind && each.credits > 0);
    else
      complain_(name, behind.error());
  }
  return more;
}

} // namespace troupe::storage
