// Reading the metadata store: one point in time, also one in the past.
//
// Guarantees: everything that a view gives belongs together, whatever is written meanwhile. A view
// of a sequence number shows what the store held when that change was the last one.
// Threads: one at a time. A view may not outlive the store.
// Errors: errc::not_found, errc::corrupt, and those of the store.
#pragma once

#include "storage/metadata/records.hpp"
#include "storage/metadata/type_catalog.hpp"
#include "storage/store.hpp"

#include <limits>
#include <memory>
#include <optional>

namespace troupe::storage {

inline constexpr uint64_t latest = std::numeric_limits<uint64_t>::max();

class metadata_view {
public:
  metadata_view(std::unique_ptr<reader> from, std::shared_ptr<const type_catalog> types,
                uint64_t as_of = latest)
    : from_(std::move(from)), types_(std::move(types)), as_of_(as_of) {}

  const type_catalog& types() const noexcept { return *types_; }

  // The store as the view sees it, for what change sets wrote beside theirs.
  const reader& source() const noexcept { return *from_; }

  uint64_t as_of() const noexcept { return as_of_; }

  // The last change that it shows, and the last id of each kind.
  result<metadata_counters> counters() const;

  result<node> get(node_kind kind, uint64_t id) const { return get(kind, id, as_of_); }
  // As it was when that change was the last one, within what the view shows.
  result<node> get(node_kind kind, uint64_t id, uint64_t as_of) const;

  // By the unique names that they have now; empty where there is none.
  result<std::optional<node>> named(node_kind kind, uint64_t type, std::string_view name) const;
  result<std::optional<node>> by_external_id(node_kind kind, std::string_view external_id) const;

  // All versions of a node, the oldest first.
  result<std::vector<node>> versions(node_kind kind, uint64_t id) const;

  // Of an artifact or an execution, by type and the id of the other end.
  result<std::vector<event>> events(node_kind kind, uint64_t id) const;

  // Of a context, or of what is in it: see link_key. By the id of the other end.
  result<std::vector<link>> links(link_kind kind, bool from_context, uint64_t id) const;

  // A node with its events, which costs little more than one of the two.
  struct neighbourhood {
    std::optional<node> at; // empty: there is none
    std::vector<event> events;
  };
  result<neighbourhood> around(node_kind kind, uint64_t id) const;

  // By name. Subscriptions and claims are those of now, whatever the view is of.
  result<std::vector<subscription>> subscriptions() const;
  result<std::optional<subscription>> subscription_named(std::string_view name) const;
  result<std::vector<claim>> claims(std::string_view consumer) const;

  // The changes with numbers >= `from`, in order, until `visit` returns false.
  using change_visitor = std::function<bool(uint64_t sequence, const change_record& what)>;
  result<void> changes(uint64_t from, const change_visitor& visit) const;

  // The ids that an index names (keys.hpp), in the order of its keys, of keys not below `from` and,
  // where it is not empty, below `end`. An index knows only what nodes say now.
  result<std::vector<uint64_t>> indexed(std::string_view prefix, std::string_view from,
                                        std::string_view end, size_t limit, bool backwards) const;

private:
  // Whether a record is part of what the view shows.
  auto shown() const {
    return [this](const auto& x) { return x.sequence <= as_of_; };
  }

  result<std::optional<node>> as_it_was(node current, uint64_t as_of) const;
  result<std::optional<node>> at_name(node_kind kind, const std::string& key) const;

  std::unique_ptr<reader> from_;
  std::shared_ptr<const type_catalog> types_;
  uint64_t as_of_;
};

} // namespace troupe::storage
