#include "storage/metadata/change_feed.hpp"

#include "storage/metadata/filter_demand.hpp"
#include "storage/metadata/filter_match.hpp"

#include <algorithm>

namespace troupe::storage {

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

// Whether it was told of all that it wants to know of this change; else its credits are used up.
result<bool> change_feed::tell(const metadata_view& in, subscriber& to, uint64_t sequence,
                               const change_record& what, nodes& read) {
  auto& next = to.what.next;
  auto i = next.sequence == sequence ? next.index : 0;
  for (; i < what.nodes.size(); ++i) {
    const auto& each = what.nodes[i];
    next = {sequence, i}; // what is told here is not told again, also after an error
    if (each.kind != to.what.kind)
      continue;
    if (const auto* type = in.types().find(each.type);
        !to.type.empty() && (type == nullptr || type->name != to.type))
      continue;
    auto& known = read[{each.kind, each.id}];
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
    if (auto told = tell(in, each, sequence, what, read); !told) {
      each.behind = true;
      complain_(name, told.error());
    }
  }
}

// Whether it is behind still.
result<bool> change_feed::tell_missed(const metadata_view& in, subscriber& to, uint64_t last,
                                      size_t changes_max) {
  result<bool> outcome = true;
  size_t seen = 0;
  TROUPE_TRY(in.changes(to.what.next.sequence, [&](uint64_t sequence, const change_record& what) {
    nodes read;
    outcome = tell(in, to, sequence, what, read);
    return outcome && *outcome && ++seen < changes_max;
  }));
  if (!outcome)
    return outcome.error();
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
