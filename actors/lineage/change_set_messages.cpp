// Change sets on the wire: see record_messages.hpp.
#include "actors/lineage/message_parts.hpp"
#include "actors/lineage/record_messages.hpp"

namespace troupe {

namespace {

std::unique_ptr<record_ref_msg> message_of(const storage::node_ref& x) {
  auto out = std::make_unique<record_ref_msg>();
  out->id = x.id;
  out->index = static_cast<uint32_t>(x.index);
  return out;
}

storage::node_ref ref_of(const record_ref_msg& x) {
  return {x.id, x.index};
}

result<storage::node_put> put_of(const node_put_msg& x) {
  if (x.existing > record_existing::update)
    return no_such("way with existing nodes", static_cast<unsigned>(x.existing));
  auto what = node_of(*x.what);
  if (!what)
    return what.error();
  storage::node_put out;
  out.what = std::move(*what);
  if (x.what->type == 0)
    out.type_name = x.what->type_name;
  out.existing = static_cast<storage::on_existing>(x.existing);
  out.mask = x.mask;
  out.if_version = x.if_version;
  return out;
}

result<storage::event_put> put_of(const event_put_msg& x) {
  auto type = event_type_of(x.type);
  if (!type)
    return type.error();
  return storage::event_put{ref_of(*x.execution), ref_of(*x.artifact), *type, path_of(x.path),
                            x.time_ns};
}

result<storage::link_put> put_of(const link_put_msg& x) {
  auto kind = link_kind_of(x.kind);
  if (!kind)
    return kind.error();
  return storage::link_put{*kind, ref_of(*x.context), ref_of(*x.other)};
}

result<storage::subscription_put> put_of(const subscription_put_msg& x) {
  auto kind = node_kind_of(x.kind);
  if (!kind)
    return kind.error();
  if (x.step > subscription_step::remove)
    return no_such("step of a subscription", static_cast<unsigned>(x.step));
  return storage::subscription_put{static_cast<storage::subscription_step>(x.step),
                                   {x.name, *kind, x.filter, {x.sequence, x.index}}};
}

result<storage::claim_put> put_of(const claim_put_msg& x) {
  if (x.step > claim_step::fail)
    return no_such("step of a claim", static_cast<unsigned>(x.step));
  return storage::claim_put{static_cast<storage::claim_step>(x.step),
                            x.consumer,
                            x.artifact,
                            x.version,
                            x.holder,
                            x.attempt,
                            x.lost_holder};
}

} // namespace

records_written_msg message_of(const storage::receipt& x) {
  records_written_msg out;
  out.sequence = x.sequence;
  out.types = x.types;
  out.ids = x.ids;
  out.versions = x.versions;
  for (const auto& each : x.claims)
    out.claims.push_back(message_of(each));
  return out;
}

storage::receipt receipt_of(const records_written_msg& x) {
  storage::receipt out;
  out.sequence = x.sequence;
  out.types = x.types;
  out.ids = x.ids;
  out.versions = x.versions;
  for (const auto& each : x.claims)
    out.claims.push_back({each->consumer, each->artifact, each->version, each->attempt,
                          static_cast<storage::claim_state>(each->state), each->holder});
  return out;
}

write_records_msg message_of(const storage::change_set& x) {
  write_records_msg out;
  for (const auto& each : x.types)
    out.types.push_back(message_of(each));
  out.may_add = x.evolution.may_add;
  out.may_omit = x.evolution.may_omit;
  for (const auto& each : x.nodes) {
    auto put = std::make_unique<node_put_msg>();
    put->what = message_of(each.what, {});
    if (each.what.type == 0)
      put->what->type_name = each.type_name;
    put->existing = static_cast<record_existing>(each.existing);
    put->mask = each.mask;
    put->if_version = each.if_version;
    out.nodes.push_back(std::move(put));
  }
  for (const auto& each : x.events) {
    auto put = std::make_unique<event_put_msg>();
    put->execution = message_of(each.execution);
    put->artifact = message_of(each.artifact);
    put->type = static_cast<record_event_type>(each.type);
    put->path = message_of(each.path);
    put->time_ns = each.time_ns;
    out.events.push_back(std::move(put));
  }
  for (const auto& each : x.links) {
    auto put = std::make_unique<link_put_msg>();
    put->kind = static_cast<record_link_kind>(each.kind);
    put->context = message_of(each.context);
    put->other = message_of(each.other);
    out.links.push_back(std::move(put));
  }
  out.keep_events = x.keep_events;
  for (const auto& each : x.subscriptions) {
    auto put = std::make_unique<subscription_put_msg>();
    put->step = static_cast<subscription_step>(each.step);
    put->name = each.what.name;
    put->kind = message_of(each.what.kind);
    put->filter = each.what.filter;
    put->sequence = each.what.next.sequence;
    put->index = each.what.next.index;
    out.subscriptions.push_back(std::move(put));
  }
  for (const auto& each : x.claims) {
    auto put = std::make_unique<claim_put_msg>();
    put->step = static_cast<claim_step>(each.step);
    put->consumer = each.consumer;
    put->artifact = each.artifact;
    put->version = each.version;
    put->holder = each.holder;
    put->attempt = each.attempt;
    put->lost_holder = each.lost_holder;
    out.claims.push_back(std::move(put));
  }
  return out;
}

result<storage::change_set> change_set_of(const write_records_msg& x) {
  storage::change_set out;
  out.evolution = {x.may_add, x.may_omit};
  out.keep_events = x.keep_events;
  TROUPE_TRY(append_all(out.types, x.types, [](auto& each) { return type_of(each); }));
  TROUPE_TRY(append_all(out.nodes, x.nodes, [](auto& each) { return put_of(each); }));
  TROUPE_TRY(append_all(out.events, x.events, [](auto& each) { return put_of(each); }));
  TROUPE_TRY(append_all(out.links, x.links, [](auto& each) { return put_of(each); }));
  TROUPE_TRY(
    append_all(out.subscriptions, x.subscriptions, [](auto& each) { return put_of(each); }));
  TROUPE_TRY(append_all(out.claims, x.claims, [](auto& each) { return put_of(each); }));
  return out;
}

} // namespace troupe
