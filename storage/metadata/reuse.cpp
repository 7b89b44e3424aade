#include "storage/metadata/reuse.hpp"

#include "storage/hash.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/record.hpp"

namespace troupe::storage {

namespace {

// The outputs of the execution where its result can be used again.
result<std::optional<reusable>> reusable_of(const metadata_view& in, uint64_t id,
                                            std::string_view fingerprint) {
  auto run = in.get(node_kind::execution, id);
  if (!run)
    return run.error();
  std::optional<reusable> none;
  if (run->fingerprint != fingerprint
      || (run->state != node_state::complete && run->state != node_state::cached))
    return none;
  auto events = in.events(node_kind::execution, id);
  if (!events)
    return events.error();
  reusable out{id, {}};
  for (auto& each : *events) {
    if (each.type != event_type::output)
      continue;
    auto made = in.get(node_kind::artifact, each.artifact);
    if (!made)
      return made.error();
    if (made->state != node_state::live)
      return none;
    out.outputs.push_back(std::move(each));
  }
  return std::optional(std::move(out));
}

} // namespace

std::string fingerprint_of(const execution_facts& x) {
  field_writer all;
  all.text(x.code);
  all.count(static_cast<uint32_t>(x.config.size()));
  for (const auto& [name, value] : x.config) {
    all.text(name);
    all.text(value);
  }
  all.count(static_cast<uint32_t>(x.inputs.size()));
  for (const auto& [name, hashes] : x.inputs) {
    all.text(name);
    all.count(static_cast<uint32_t>(hashes.size()));
    for (const auto& each : hashes)
      all.text(each);
  }
  return sha256(all.take());
}

result<std::optional<reusable>> find_reusable(const metadata_view& in,
                                              std::string_view fingerprint) {
  auto prefix = fingerprint_index(fingerprint);
  auto ids = in.indexed(prefix, prefix, {}, no_limit, true); // the newest first
  if (!ids)
    return ids.error();
  for (auto id : *ids) {
    auto found = reusable_of(in, id, fingerprint);
    if (!found || *found)
      return found;
  }
  return std::optional<reusable>();
}

} // namespace troupe::storage
