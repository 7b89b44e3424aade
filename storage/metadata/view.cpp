#include "storage/metadata/view.hpp"

#include "storage/metadata/keys.hpp"
#include "storage/metadata/stored.hpp"
#include "storage/record.hpp"

namespace troupe::storage {

result<metadata_counters> metadata_view::counters() const {
  auto found = find_record(*from_, counters_key(), read_counters);
  if (!found)
    return found.error();
  return found->value_or(metadata_counters());
}

// The version that the view shows; empty where the node was not there yet.
result<std::optional<node>> metadata_view::as_it_was(node current, uint64_t as_of) const {
  if (current.sequence <= as_of)
    return std::optional(std::move(current));
  std::optional<node> found;
  auto prefix = versions_prefix(current.kind, current.id);
  TROUPE_TRY(scan_records(*from_, prefix, prefix + big_endian(as_of + 1),
                          [&](std::string_view key, std::string_view value) -> result<bool> {
                            auto x = read_node(key, value);
                            if (!x)
                              return x.error();
                            if (x->sequence <= as_of)
                              found = std::move(*x);
                            return false;
                          }));
  return found;
}

result<node> metadata_view::get(node_kind kind, uint64_t id, uint64_t as_of) const {
  auto found = find_record(*from_, node_key(kind, id), read_node);
  if (found && *found)
    found = as_it_was(std::move(**found), as_of);
  if (!found)
    return found.error();
  if (*found)
    return std::move(**found);
  return {errc::not_found, "there is no " + std::string(name_of(kind)) + " " + std::to_string(id)
                             + "; list those that there are"};
}

result<std::optional<node>> metadata_view::at_name(node_kind kind, const std::string& key) const {
  auto id = find_record(*from_, key, read_id);
  if (!id)
    return id.error();
  if (!*id)
    return std::optional<node>();
  auto found = get(kind, **id);
  if (found)
    return std::optional(std::move(*found));
  if (found.error().code == errc::not_found)
    return std::optional<node>();
  return found.error();
}

result<std::optional<node>> metadata_view::named(node_kind kind, uint64_t type,
                                                 std::string_view name) const {
  return at_name(kind, name_key(kind, type, name));
}

result<std::optional<node>> metadata_view::by_external_id(node_kind kind,
                                                          std::string_view external_id) const {
  return at_name(kind, external_id_key(kind, external_id));
}

result<std::vector<node>> metadata_view::versions(node_kind kind, uint64_t id) const {
  auto out = all_records(*from_, versions_prefix(kind, id), read_node, shown());
  if (!out)
    return out.error();
  auto current = get(kind, id);
  if (!current)
    return current.error();
  if (out->empty() || out->back().version != current->version)
    out->push_back(std::move(*current));
  return out;
}

result<std::vector<event>> metadata_view::events(node_kind kind, uint64_t id) const {
  return all_records(*from_, events_prefix(kind, id), read_event, shown());
}

result<std::vector<link>> metadata_view::links(link_kind kind, bool from_context,
                                               uint64_t id) const {
  return all_records(*from_, links_prefix(kind, from_context, id), read_link, shown());
}

result<metadata_view::neighbourhood> metadata_view::around(node_kind kind, uint64_t id) const {
  neighbourhood out;
  auto own = node_key(kind, id);
  TROUPE_TRY(scan_records(*from_, own, {},
                          [&](std::string_view key, std::string_view value) -> result<bool> {
                            if (key.size() == own.size()) {
                              auto current = read_node(key, value);
                              if (!current)
                                return current.error();
                              out.at = std::move(*current);
                              return true;
                            }
                            if (key[own.size()] < 'e') // links of contexts
                              return true;
                            if (key[own.size()] > 'e')
                              return false;
                            auto x = read_event(key, value);
                            if (!x)
                              return x.error();
                            if (x->sequence <= as_of_)
                              out.events.push_back(std::move(*x));
                            return true;
                          }));
  if (!out.at)
    return out;
  auto then = as_it_was(std::move(*out.at), as_of_);
  if (!then)
    return then.error();
  out.at = std::move(*then);
  return out;
}

result<std::vector<subscription>> metadata_view::subscriptions() const {
  return all_records(*from_, subscriptions_prefix(), read_subscription,
                     [](const subscription&) { return true; });
}

result<std::optional<subscription>> metadata_view::subscription_named(std::string_view name) const {
  return find_record(*from_, subscription_key(name), read_subscription);
}

result<std::vector<claim>> metadata_view::claims(std::string_view consumer) const {
  return all_records(*from_, claims_prefix(consumer), read_claim,
                     [](const claim&) { return true; });
}

result<void> metadata_view::changes(uint64_t from, const change_visitor& visit) const {
  return scan_records(*from_, changes_prefix(), change_key(from),
                      [&](std::string_view key, std::string_view value) -> result<bool> {
                        auto sequence = sequence_of_change(key);
                        if (sequence > as_of_)
                          return false;
                        auto x = read_change(key, value);
                        if (!x)
                          return x.error();
                        return visit(sequence, *x);
                      });
}

result<std::vector<uint64_t>> metadata_view::indexed(std::string_view prefix, std::string_view from,
                                                     std::string_view end, size_t limit,
                                                     bool backwards) const {
  std::vector<uint64_t> out;
  auto visit = [&](std::string_view key, std::string_view) {
    if (backwards ? key < from : !end.empty() && key >= end)
      return false;
    out.push_back(other_of(key));
    return true;
  };
  TROUPE_TRY(backwards ? from_->scan_back(prefix, end, limit, visit)
                       : from_->scan(prefix, from, limit, visit));
  return out;
}

} // namespace troupe::storage
