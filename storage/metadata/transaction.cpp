#include "storage/metadata/transaction.hpp"

#include "storage/metadata/cycles.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/metadata/node_mask.hpp"
#include "storage/metadata/stored.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

// A writer's clock may be ahead of the store's by that much.
constexpr uint64_t clock_skew_max_ns = 300'000'000'000;

error no_such_node(node_kind kind, uint64_t id) {
  return {errc::invalid, "there is no " + std::string(name_of(kind)) + " " + std::to_string(id)
                           + "; put it first, or in the same change set"};
}

error taken(const node& x, const std::string& what, uint64_t by) {
  auto kind = std::string(name_of(x.kind));
  return {errc::already_exists, "the " + what + " is that of the " + kind + " " + std::to_string(by)
                                  + "; choose another, or change that " + kind};
}

bool differs(const node& a, const node& b) {
  auto said = [](const node& x) {
    return std::tie(x.name, x.external_id, x.state, x.uri, x.hash, x.fingerprint, x.properties,
                    x.custom);
  };
  return said(a) != said(b);
}

} // namespace

transaction::transaction(const reader& before, const type_catalog& types,
                         metadata_counters counters, uint64_t now_ns)
  : types_(types), counters_(counters), now_ns_(std::max(now_ns, counters.time_ns)),
    sequence_(counters.sequence + 1), local_(before) {}

result<receipt> transaction::run(const change_set& set) {
  auto size = set.types.size() + set.nodes.size() + set.events.size() + set.links.size()
              + set.subscriptions.size() + set.claims.size();
  if (size > metadata_limits::changes_max)
    return error{errc::invalid, "the change set has " + std::to_string(size) + " parts; at most "
                                  + std::to_string(metadata_limits::changes_max)
                                  + " are written at once: divide it"};
  TROUPE_TRY(put_types(set));
  for (const auto& x : set.nodes)
    TROUPE_TRY(put_node(x));
  for (const auto& x : set.events)
    TROUPE_TRY(put_event(x, set.keep_events, set.clamp_times));
  for (const auto& x : set.links)
    TROUPE_TRY(put_link(x));
  auto fresh = [this](node_kind kind, uint64_t id) {
    auto found = known_.find({kind, id});
    return found != known_.end() && found->second;
  };
  TROUPE_TRY(check_cycles(local_, events_, fresh));
  TROUPE_TRY(check_parents(local_, children_, fresh));
  receipt_.sequence = counters_.sequence;
  if (!local_.own().empty()) {
    receipt_.sequence = counters_.sequence = sequence_;
    counters_.time_ns = changes_.time_ns = now_ns_;
    local_.put(change_key(sequence_), encode(change_key(sequence_), changes_));
    local_.put(counters_key(), encode(counters_key(), counters_));
  }
  for (const auto& x : set.subscriptions)
    TROUPE_TRY(put_subscription(x));
  for (const auto& x : set.claims)
    TROUPE_TRY(put_claim(x));
  size_t bytes = 0;
  for (const auto& [key, value] : local_.own())
    bytes += key.size() + (value ? value->size() : 0);
  if (bytes > metadata_limits::set_bytes_max)
    return error{errc::invalid, "the change set takes " + std::to_string(bytes) + " bytes; at most "
                                  + std::to_string(metadata_limits::set_bytes_max)
                                  + " are written at once: divide it"};
  return std::move(receipt_);
}

result<void> transaction::put_types(const change_set& set) {
  if (set.types.empty())
    return {};
  own_types_ = types_;
  for (const auto& x : set.types) {
    auto kept = own_types_->put(x, set.evolution, counters_.types + 1);
    if (!kept)
      return kept.error();
    receipt_.types.push_back(kept->stored->id);
    if (!kept->changed)
      continue;
    counters_.types = std::max(counters_.types, kept->stored->id);
    auto key = type_key(kept->stored->id);
    local_.put(key, encode(key, *kept->stored));
    types_put_.push_back(*kept->stored);
  }
  return {};
}

// The type that the put gives, 0 where it gives none.
result<uint64_t> transaction::type_of(const node_put& x) const {
  if (x.what.id != 0 || (x.what.type == 0 && x.type_name.empty()))
    return x.what.type;
  auto by_name = x.what.type == 0;
  const auto* found = by_name ? types().find(x.what.kind, x.type_name) : types().find(x.what.type);
  if (found != nullptr && found->kind == x.what.kind)
    return found->id;
  return {errc::not_found, "there is no type "
                             + (by_name ? printable(x.type_name) : std::to_string(x.what.type))
                             + " of " + std::string(name_of(x.what.kind)) + "s; put it first"};
}

// The node that the put means, 0 where there is none yet.
result<uint64_t> transaction::existing(const node_put& x, uint64_t type) const {
  if (x.what.id != 0)
    return x.what.id;
  if (x.existing == on_existing::refuse)
    return uint64_t{0};
  if (!x.what.external_id.empty()) {
    auto found = find_record(local_, external_id_key(x.what.kind, x.what.external_id), read_id);
    if (!found)
      return found.error();
    if (*found)
      return **found;
  }
  if (x.what.name.empty() || type == 0)
    return uint64_t{0};
  auto found = find_record(local_, name_key(x.what.kind, type, x.what.name), read_id);
  if (!found)
    return found.error();
  return found->value_or(0);
}

result<node> transaction::load(node_kind kind, uint64_t id) const {
  auto found = find_record(local_, node_key(kind, id), read_node);
  if (!found)
    return found.error();
  if (!*found)
    return no_such_node(kind, id);
  return std::move(**found);
}

result<void> transaction::put_node(const node_put& x) {
  TROUPE_TRY(check(x.what));
  auto type = type_of(x);
  if (!type)
    return type.error();
  auto id = existing(x, *type);
  if (!id)
    return id.error();
  auto now = x.what;
  now.type = *type;
  std::optional<node> before;
  if (*id != 0) {
    auto stored = load(now.kind, *id);
    if (!stored)
      return stored.error();
    before = std::move(*stored);
    if (x.what.id == 0 && *type != 0 && *type != before->type)
      return {errc::invalid, "the external id " + x.what.external_id + " is that of the "
                               + std::string(name_of(now.kind)) + " " + std::to_string(*id)
                               + ", which is of another type; choose another"};
    auto changed = changed_node(*before, x);
    if (!changed)
      return changed.error();
    now = std::move(*changed);
  } else if (now.type == 0) {
    return {errc::invalid, "a new " + std::string(name_of(now.kind)) + " has no type; give one"};
  } else {
    now.id = ++counters_.of(now.kind);
  }
  placed_.emplace_back(now.kind, now.id);
  known_.try_emplace(placed_.back(), !before);
  receipt_.ids.push_back(now.id);
  if (before && !differs(*before, now)) {
    receipt_.versions.push_back(before->version);
    return {};
  }
  if (before)
    TROUPE_TRY(check(now));
  if (now.kind == node_kind::context)
    TROUPE_TRY(check_name(now.name, "the name of the context"));
  const auto* declared = types().find(now.type);
  TROUPE_ASSERT(declared != nullptr);
  TROUPE_TRY(check_against(now, *declared));
  TROUPE_TRY(check_unique(now));
  write(before ? &*before : nullptr, std::move(now));
  return {};
}

result<void> transaction::check_unique(const node& now) const {
  auto names = {std::pair(now.name, name_key(now.kind, now.type, now.name)),
                std::pair(now.external_id, external_id_key(now.kind, now.external_id))};
  auto what = std::string("name ");
  for (const auto& [name, key] : names) {
    if (!name.empty()) {
      auto owner = find_record(local_, key, read_id);
      if (!owner)
        return owner.error();
      if (*owner && **owner != now.id)
        return taken(now, what + name, **owner);
    }
    what = "external id ";
  }
  return {};
}

void transaction::write(const node* before, node now) {
  auto again = before != nullptr && before->sequence == sequence_; // twice in this set
  now.version = before == nullptr ? 1 : before->version + (again ? 0 : 1);
  now.sequence = sequence_;
  now.created_ns = before == nullptr ? now_ns_ : before->created_ns;
  now.updated_ns = now_ns_;
  auto key = node_key(now.kind, now.id);
  if (before != nullptr) {
    if (!again) {
      auto old = version_key(now.kind, now.id, sequence_);
      local_.put(old, encode(old, *before));
    }
    for (auto& index : index_keys(*before))
      local_.erase(std::move(index));
    if (!before->name.empty())
      local_.erase(name_key(now.kind, now.type, before->name));
    if (!before->external_id.empty())
      local_.erase(external_id_key(now.kind, before->external_id));
  }
  for (auto& index : index_keys(now)) {
    auto value = seal(index, {});
    local_.put(std::move(index), std::move(value));
  }
  for (auto& name : {now.name.empty() ? "" : name_key(now.kind, now.type, now.name),
                     now.external_id.empty() ? "" : external_id_key(now.kind, now.external_id)})
    if (!name.empty())
      local_.put(name, encode_id(name, now.id));
  local_.put(key, encode(key, now));
  receipt_.versions.push_back(now.version);
  if (noted_.insert({now.kind, now.id}).second)
    changes_.nodes.push_back({before == nullptr ? change_kind::created : change_kind::updated,
                              now.kind, now.id, now.type, now.version});
}

result<uint64_t> transaction::resolve(const node_ref& x, node_kind kind) {
  if (x.id == 0) {
    if (x.index >= placed_.size() || placed_[x.index].first != kind)
      return {errc::invalid, "the node " + std::to_string(x.index) + " of the change set is no "
                               + std::string(name_of(kind)) + "; name one that is"};
    return placed_[x.index].second;
  }
  if (!known_.contains({kind, x.id})) {
    auto value = local_.get(node_key(kind, x.id));
    if (!value)
      return value.error();
    if (!*value)
      return no_such_node(kind, x.id);
    known_.emplace(node_key_pair{kind, x.id}, false);
  }
  return x.id;
}

result<void> transaction::put_event(const event_put& x, bool keep, bool clamp) {
  auto execution = resolve(x.execution, node_kind::execution);
  if (!execution)
    return execution.error();
  auto artifact = resolve(x.artifact, node_kind::artifact);
  if (!artifact)
    return artifact.error();
  TROUPE_TRY(check_path(x.path));
  if (x.time_ns > now_ns_ + clock_skew_max_ns && !clamp)
    return {errc::invalid, "the time of an event is "
                             + std::to_string((x.time_ns - now_ns_) / 1'000'000'000)
                             + " s ahead of the store's clock; set the writer's clock"};
  auto key = event_key(node_kind::execution, *execution, x.type, *artifact);
  auto there = local_.get(key);
  if (!there)
    return there.error();
  if (*there && keep)
    return {};
  if (*there)
    return {errc::already_exists, "the execution " + std::to_string(*execution) + " has the event "
                                    + std::string(name_of(x.type)) + " of the artifact "
                                    + std::to_string(*artifact) + "; leave it out"};
  event added{*execution,
              *artifact,
              x.type,
              x.path,
              x.time_ns == 0 || (clamp && x.time_ns > now_ns_) ? now_ns_ : x.time_ns,
              sequence_};
  local_.put(key, encode(key, added));
  auto back = event_key(node_kind::artifact, *artifact, x.type, *execution);
  local_.put(back, encode(back, added));
  events_.push_back(std::move(added));
  return {};
}

result<void> transaction::put_link(const link_put& x) {
  auto context = resolve(x.context, node_kind::context);
  if (!context)
    return context.error();
  auto kind = other_end(x.kind);
  auto other = resolve(x.other, kind);
  if (!other)
    return other.error();
  auto key = link_key(x.kind, true, *context, *other);
  auto there = local_.get(key);
  if (!there)
    return there.error();
  if (*there && x.kind != link_kind::parent)
    return {};
  if (*there)
    return {errc::already_exists, "the context " + std::to_string(*other)
                                    + " is a parent of the context " + std::to_string(*context)
                                    + " already; leave it out"};
  if (x.kind == link_kind::parent)
    children_.push_back(*context);
  link added{x.kind, *context, *other, sequence_};
  local_.put(key, encode(key, added));
  auto back = link_key(x.kind, false, *other, *context);
  local_.put(back, encode(back, added));
  if (x.kind == link_kind::parent || !noted_.insert({kind, *other}).second)
    return {};
  auto what = load(kind, *other);
  if (!what)
    return what.error();
  changes_.nodes.push_back({change_kind::linked, kind, *other, what->type, what->version});
  return {};
}

} // namespace troupe::storage
