#include "tests/unit/storage/metadata_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr uint64_t types_of_a_kind = 2;

uint64_t first_type(node_kind kind) {
  return kind == node_kind::artifact ? 1 : kind == node_kind::execution ? 3 : 5;
}

bool says_the_same(const node& a, const node& b) {
  auto c = a;
  c.version = b.version;
  c.sequence = b.sequence;
  return c == b;
}

template <class T>
const T& one_of(random_source& chance, const std::vector<T>& all) {
  return all[chance.below(all.size())];
}

node_kind random_kind(random_source& chance) {
  return node_kinds[chance.below(3)];
}

std::string numbered(char letter, uint64_t number) {
  return std::string(1, letter).append(std::to_string(number));
}

std::string random_name(random_source& chance) {
  return chance.chance(0.4) ? std::string() : numbered('n', chance.below(20));
}

node_put random_put(random_source& chance, const metadata_model& now) {
  node_put x;
  x.what.kind = random_kind(chance);
  auto kind = x.what.kind;
  x.what.type = first_type(kind) + chance.below(types_of_a_kind);
  x.what.name = random_name(chance);
  if (kind == node_kind::context && x.what.name.empty())
    x.what.name = numbered('c', chance.below(30));
  if (chance.chance(0.3))
    x.what.external_id = numbered('e', chance.below(15));
  if (kind == node_kind::artifact) {
    x.what.uri = numbered('u', chance.below(5));
    x.what.state = chance.chance(0.5) ? node_state::live : node_state::none;
  }
  if (kind == node_kind::execution && chance.chance(0.5))
    x.what.state = chance.chance(0.5) ? node_state::running : node_state::complete;
  x.what.properties["i"] = static_cast<int64_t>(chance.below(6)) - 2;
  if (chance.chance(0.5))
    x.what.properties["d"] = 0.5 * static_cast<double>(chance.below(6)) - 1;
  if (chance.chance(0.5))
    x.what.custom["s"] = numbered('v', chance.below(4));
  x.existing = static_cast<on_existing>(chance.below(3));
  if (chance.chance(0.4)) {
    uint64_t last = 1;
    for (const auto& [at, each] : now.nodes)
      last = at.first == kind ? std::max(last, at.second + 1) : last;
    x.what.id = 1 + chance.below(last + 1); // may be none
    x.what.type = 0;
    if (kind != node_kind::context)
      x.what.name.clear();
    if (chance.chance(0.5))
      x.mask = {one_of<std::string>(
        chance, {"uri", "state", "properties", "properties.i", "custom_properties.s", "nothing"})};
    if (chance.chance(0.2))
      x.if_version = 1 + chance.below(3);
  }
  return x;
}

node_ref random_end(random_source& chance, const change_set& set, node_kind kind, uint64_t last) {
  for (size_t i = 0; i < set.nodes.size(); ++i)
    if (set.nodes[i].what.kind == kind && chance.chance(0.5))
      return node_ref::put(i);
  return node_ref::stored(1 + chance.below(last + 1));
}

} // namespace

uint64_t metadata_model::last_of(node_kind kind) const {
  uint64_t last = 0;
  for (const auto& [at, each] : nodes)
    last = at.first == kind ? std::max(last, at.second) : last;
  return last;
}

bool metadata_model::clashes(const node& x) const {
  return std::any_of(nodes.begin(), nodes.end(), [&](const auto& each) {
    const auto& y = each.second;
    return y.kind == x.kind && y.id != x.id
           && ((!x.name.empty() && y.type == x.type && y.name == x.name)
               || (!x.external_id.empty() && y.external_id == x.external_id));
  });
}

std::optional<metadata_model::place> metadata_model::put(const node_put& x) {
  const node* there = nullptr;
  if (x.what.id != 0) {
    auto found = nodes.find({x.what.kind, x.what.id});
    if (found == nodes.end() || (x.if_version != 0 && x.if_version != found->second.version))
      return std::nullopt;
    there = &found->second;
  }
  if (x.what.id == 0 && x.existing != on_existing::refuse) {
    for (auto by_name : {false, true})
      for (const auto& [at, y] : nodes)
        if (there == nullptr && y.kind == x.what.kind
            && (by_name ? !x.what.name.empty() && y.name == x.what.name && y.type == x.what.type
                        : !x.what.external_id.empty() && y.external_id == x.what.external_id))
          there = &y;
    if (there != nullptr && there->type != x.what.type)
      return std::nullopt;
    if (there != nullptr && x.existing == on_existing::keep)
      return place(there->kind, there->id);
    if (there != nullptr && x.if_version != 0 && x.if_version != there->version)
      return std::nullopt;
  }
  auto now = x.what;
  if (there == nullptr) {
    now.id = last_of(now.kind) + 1;
  } else if (!x.mask.empty()) {
    now = *there;
    const auto& field = x.mask[0];
    if (field == "uri")
      now.uri = x.what.uri;
    else if (field == "state")
      now.state = x.what.state;
    else if (field == "properties")
      now.properties = x.what.properties;
    else if (field == "properties.i")
      now.properties["i"] = x.what.properties.at("i");
    else if (field == "custom_properties.s" && x.what.custom.contains("s"))
      now.custom["s"] = x.what.custom.at("s");
    else if (field == "custom_properties.s")
      now.custom.erase("s");
  } else {
    if (now.kind != node_kind::context && !now.name.empty() && now.name != there->name)
      return std::nullopt;
    if (now.kind != node_kind::context)
      now.name = there->name;
    now.id = there->id;
    now.type = there->type;
  }
  if (clashes(now))
    return std::nullopt;
  if (there != nullptr && says_the_same(now, *there))
    return place(now.kind, now.id);
  now.version = there == nullptr ? 1 : there->version + (there->sequence == sequence + 1 ? 0 : 1);
  now.sequence = sequence + 1;
  nodes[{now.kind, now.id}] = now;
  return place(now.kind, now.id);
}

std::optional<metadata_model> metadata_model::after(const change_set& set) const {
  auto out = *this;
  std::vector<place> ids;
  for (const auto& x : set.nodes) {
    auto put = out.put(x);
    if (!put)
      return std::nullopt;
    ids.push_back(*put);
  }
  auto end = [&](const node_ref& x, node_kind kind) {
    return x.id == 0 ? ids[x.index].second : out.nodes.contains({kind, x.id}) ? x.id : 0;
  };
  for (const auto& x : set.events) {
    event added{end(x.execution, node_kind::execution),
                end(x.artifact, node_kind::artifact),
                x.type,
                x.path,
                0,
                sequence + 1};
    if (added.execution == 0 || added.artifact == 0)
      return std::nullopt;
    auto fresh = out.events.try_emplace({added.execution, added.artifact, x.type}, added).second;
    if (!fresh && !set.keep_events)
      return std::nullopt;
  }
  for (const auto& x : set.links) {
    auto context = end(x.context, node_kind::context);
    auto other = end(x.other, other_end(x.kind));
    if (context == 0 || other == 0)
      return std::nullopt;
    if (x.kind == link_kind::parent && (context == other || out.is_above(context, other)))
      return std::nullopt;
    if (!out.links.emplace(x.kind, context, other).second && x.kind == link_kind::parent)
      return std::nullopt;
  }
  if (out.has_cycle())
    return std::nullopt;
  if (!(out == *this))
    ++out.sequence;
  return out;
}

// Whether `other` is below `context`.
bool metadata_model::is_above(uint64_t context, uint64_t other) const {
  return std::any_of(links.begin(), links.end(), [&](const auto& x) {
    auto [kind, child, parent] = x;
    return kind == link_kind::parent && child == other
           && (parent == context || is_above(context, parent));
  });
}

std::vector<metadata_model::place> metadata_model::next_to(place at, lineage_direction way) const {
  std::vector<place> out;
  for (const auto& [key, x] : events) {
    place from{is_input(x.type) ? node_kind::artifact : node_kind::execution,
               is_input(x.type) ? x.artifact : x.execution};
    place to{is_input(x.type) ? node_kind::execution : node_kind::artifact,
             is_input(x.type) ? x.execution : x.artifact};
    if (from == at && way != lineage_direction::upstream)
      out.push_back(to);
    if (to == at && way != lineage_direction::downstream)
      out.push_back(from);
  }
  return out;
}

std::map<metadata_model::place, uint32_t> metadata_model::reachable(place start,
                                                                    lineage_direction way) const {
  std::map<place, uint32_t> seen{{start, 0}};
  std::vector<place> left{start};
  for (size_t i = 0; i < left.size(); ++i)
    for (auto next : next_to(left[i], way))
      if (seen.try_emplace(next, seen[left[i]] + 1).second)
        left.push_back(next);
  return seen;
}

bool metadata_model::has_cycle() const {
  return std::any_of(nodes.begin(), nodes.end(), [&](const auto& x) {
    auto next = next_to(x.first, lineage_direction::downstream);
    return std::any_of(next.begin(), next.end(), [&](const auto& y) {
      return reachable(y, lineage_direction::downstream).contains(x.first);
    });
  });
}

std::set<uint64_t> metadata_model::matching(node_kind kind,
                                            const std::function<bool(const node&)>& wanted) const {
  std::set<uint64_t> out;
  for (const auto& [at, x] : nodes)
    if (x.kind == kind && wanted(x))
      out.insert(x.id);
  return out;
}

change_set random_set(random_source& chance, const metadata_model& now) {
  change_set out;
  for (auto n = chance.below(4); n > 0; --n)
    out.nodes.push_back(random_put(chance, now));
  uint64_t last[3] = {0, 0, 0};
  for (const auto& [at, x] : now.nodes)
    for (size_t i = 0; i < 3; ++i)
      last[i] = at.first == node_kinds[i] ? std::max(last[i], at.second) : last[i];
  for (auto n = chance.below(4); n > 0; --n)
    out.events.push_back({random_end(chance, out, node_kind::execution, last[1]),
                          random_end(chance, out, node_kind::artifact, last[0]),
                          static_cast<event_type>(1 + chance.below(event_type_last))});
  if (chance.chance(0.4)) {
    auto kind = static_cast<link_kind>(chance.below(3));
    auto other = other_end(kind);
    auto which = other == node_kind::artifact ? 0 : other == node_kind::execution ? 1 : 2;
    out.links.push_back({kind, random_end(chance, out, node_kind::context, last[2]),
                         random_end(chance, out, other, last[which])});
  }
  out.keep_events = chance.chance(0.5);
  return out;
}

namespace {

void add_links(metadata_model& to, const metadata_view& in, uint64_t context) {
  for (auto kind : {link_kind::attribution, link_kind::association, link_kind::parent}) {
    auto links = in.links(kind, true, context);
    ASSERT_TRUE(links);
    for (const auto& each : *links)
      to.links.emplace(kind, each.context, each.other);
  }
}

void add_events(metadata_model& to, const metadata_view& in, node_kind kind, uint64_t id) {
  auto events = in.events(kind, id);
  ASSERT_TRUE(events);
  for (auto& each : *events) {
    each.time_ns = 0;
    auto [at, fresh] = to.events.try_emplace({each.execution, each.artifact, each.type}, each);
    EXPECT_TRUE(at->second == each) << "both ends say the same";
  }
}

} // namespace

metadata_model model_of(const metadata_view& in) {
  metadata_model out;
  auto counters = in.counters();
  EXPECT_TRUE(counters);
  out.sequence = std::min(counters->sequence, in.as_of());
  for (auto kind : node_kinds)
    for (uint64_t id = 1; id <= counters->of(kind); ++id) {
      auto x = in.get(kind, id);
      if (!x) {
        EXPECT_EQ(x.error().code, errc::not_found) << x.error().text;
        EXPECT_NE(in.as_of(), latest) << "the ids have no gaps";
        continue;
      }
      x->created_ns = x->updated_ns = 0;
      out.nodes[{kind, id}] = *x;
      if (kind == node_kind::context)
        add_links(out, in, id);
      else
        add_events(out, in, kind, id);
    }
  return out;
}

} // namespace troupe::storage
