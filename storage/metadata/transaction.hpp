// What a change set does to the keys of the metadata store: plain code, no I/O but reads.
//
// A transaction is used once: `run` gives the receipt, or an error, and then nothing of it is to
// be written. A node that is put as it is already changes nothing; so does a set of such nodes.
// Threads: one.
// Errors: errc::invalid (malformed, too large, an id that does not exist, a cycle, a clock ahead of
// ours), errc::already_exists (a name, an external id, an event), errc::not_found (a type),
// errc::refused (not the version that was expected), and those of the store.
#pragma once

#include "storage/metadata/change_set.hpp"
#include "storage/metadata/layer.hpp"

#include <set>

namespace troupe::storage {

class transaction {
public:
  // `before`: the store, with what is on its way. It and the types outlive this.
  transaction(const reader& before, const type_catalog& types, metadata_counters counters,
              uint64_t now_ns);

  result<receipt> run(const change_set& set);

  // After it ran.
  layer::values take_writes() { return local_.take(); }
  const metadata_counters& counters() const noexcept { return counters_; }
  const change_record& changes() const noexcept { return changes_; }
  const std::vector<node_type>& types_put() const noexcept { return types_put_; } // or evolved

private:
  using node_key_pair = std::pair<node_kind, uint64_t>;

  result<void> put_types(const change_set& set);
  result<void> put_node(const node_put& x);
  result<void> put_event(const event_put& x, bool keep, bool clamp);
  result<void> put_link(const link_put& x);
  result<void> put_subscription(const subscription_put& x);
  result<void> put_claim(const claim_put& x);

  const type_catalog& types() const noexcept { return own_types_ ? *own_types_ : types_; }
  result<uint64_t> type_of(const node_put& x) const;
  result<uint64_t> existing(const node_put& x, uint64_t type) const;
  result<node> load(node_kind kind, uint64_t id) const;
  result<void> check_unique(const node& now) const;
  void write(const node* before, node now);
  result<uint64_t> resolve(const node_ref& x, node_kind kind);

  const type_catalog& types_;
  std::optional<type_catalog> own_types_; // where the set puts types
  metadata_counters counters_;
  const uint64_t now_ns_;
  const uint64_t sequence_; // of this transaction, if it changes something
  layer local_;
  change_record changes_;
  std::set<node_key_pair> noted_; // that have an entry in it
  std::vector<node_type> types_put_;
  std::map<node_key_pair, bool> known_; // nodes that exist; whether this set made them
  std::vector<event> events_;           // those that were added
  std::vector<uint64_t> children_;      // contexts that got parents
  std::vector<node_key_pair> placed_;   // the set's nodes, in their order
  receipt receipt_;
};

} // namespace troupe::storage
