#include "actors/lineage/record_messages.hpp"

#include "actors/lineage/message_parts.hpp"

namespace troupe {

namespace {

using storage::node_kind;

std::unique_ptr<property_msg> message_of(const std::string& name,
                                         const storage::property_value& value) {
  auto out = std::make_unique<property_msg>();
  out->name = name;
  out->kind = static_cast<property_kind>(storage::kind_of(value));
  if (const auto* number = std::get_if<int64_t>(&value))
    out->number = *number;
  else if (const auto* real = std::get_if<double>(&value))
    out->real = *real;
  else if (const auto* text = std::get_if<std::string>(&value))
    out->text = *text;
  else if (const auto* yes = std::get_if<bool>(&value))
    out->number = *yes ? 1 : 0;
  else if (const auto* structure = std::get_if<storage::json_text>(&value))
    out->text = structure->text;
  else if (const auto* any = std::get_if<storage::any_bytes>(&value)) {
    out->text = any->url;
    out->bytes.assign(any->bytes.begin(), any->bytes.end());
  }
  return out;
}

std::vector<std::unique_ptr<property_msg>> messages_of(const storage::property_map& all) {
  std::vector<std::unique_ptr<property_msg>> out;
  for (const auto& [name, value] : all)
    out.push_back(message_of(name, value));
  return out;
}

result<storage::property_value> value_of(const property_msg& x) {
  switch (x.kind) {
  case property_kind::integer:
    return storage::property_value{x.number};
  case property_kind::real:
    return storage::property_value{x.real};
  case property_kind::text:
    return storage::property_value{x.text};
  case property_kind::boolean:
    return storage::property_value{x.number != 0};
  case property_kind::json:
    return storage::property_value{storage::json_text{x.text}};
  case property_kind::any:
    return storage::property_value{
      storage::any_bytes{x.text, std::string(x.bytes.begin(), x.bytes.end())}};
  }
  return no_such("kind of a property", static_cast<unsigned>(x.kind));
}

result<storage::property_map> properties_of(const std::vector<std::unique_ptr<property_msg>>& all) {
  storage::property_map out;
  for (const auto& each : all) {
    auto value = value_of(*each);
    if (!value)
      return value.error();
    if (!out.emplace(each->name, std::move(*value)).second)
      return {errc::invalid, "the property " + each->name + " is given twice; give it once"};
  }
  return out;
}

} // namespace

error no_such(const char* what, unsigned number) {
  std::string text = "there is no ";
  text += what;
  text += " with the number " + std::to_string(number);
  return {errc::invalid, text + "; use the numbers of troupe.fbs"};
}

std::vector<std::unique_ptr<path_step_msg>> message_of(const std::vector<storage::path_step>& x) {
  std::vector<std::unique_ptr<path_step_msg>> out;
  for (const auto& step : x) {
    out.push_back(std::make_unique<path_step_msg>());
    if (const auto* name = std::get_if<std::string>(&step))
      out.back()->name = *name;
    else
      out.back()->index = std::get<int64_t>(step);
  }
  return out;
}

std::vector<storage::path_step> path_of(const std::vector<std::unique_ptr<path_step_msg>>& x) {
  std::vector<storage::path_step> out;
  for (const auto& step : x)
    if (step->name.empty())
      out.emplace_back(step->index);
    else
      out.emplace_back(step->name);
  return out;
}

result<storage::event_type> event_type_of(record_event_type x) {
  auto number = static_cast<uint8_t>(x);
  if (number < 1 || number > storage::event_type_last)
    return no_such("type of an event", number);
  return static_cast<storage::event_type>(number);
}

result<storage::link_kind> link_kind_of(record_link_kind x) {
  if (x > record_link_kind::parent)
    return no_such("kind of a link", static_cast<unsigned>(x));
  return static_cast<storage::link_kind>(x);
}

record_kind message_of(node_kind x) {
  switch (x) {
  case node_kind::execution:
    return record_kind::execution;
  case node_kind::context:
    return record_kind::context;
  default:
    return record_kind::artifact;
  }
}

result<node_kind> node_kind_of(record_kind x) {
  if (x > record_kind::context)
    return no_such("kind of a node", static_cast<unsigned>(x));
  return storage::node_kinds[static_cast<size_t>(x)];
}

std::unique_ptr<record_node_msg> message_of(const storage::node& x,
                                            const storage::type_catalog& types) {
  auto out = std::make_unique<record_node_msg>();
  out->kind = message_of(x.kind);
  out->id = x.id;
  out->type = x.type;
  if (const auto* type = types.find(x.type))
    out->type_name = type->name;
  out->name = x.name;
  out->external_id = x.external_id;
  out->state = static_cast<record_state>(x.state);
  out->uri = x.uri;
  out->hash = x.hash;
  out->fingerprint = x.fingerprint;
  out->properties = messages_of(x.properties);
  out->custom = messages_of(x.custom);
  out->version = x.version;
  out->sequence = x.sequence;
  out->created_ns = x.created_ns;
  out->updated_ns = x.updated_ns;
  return out;
}

result<storage::node> node_of(const record_node_msg& x) {
  auto kind = node_kind_of(x.kind);
  auto properties = properties_of(x.properties);
  auto custom = properties_of(x.custom);
  if (!kind)
    return kind.error();
  if (!properties)
    return properties.error();
  if (!custom)
    return custom.error();
  storage::node out;
  out.kind = *kind;
  out.id = x.id;
  out.type = x.type;
  out.name = x.name;
  out.external_id = x.external_id;
  out.state = static_cast<storage::node_state>(x.state); // the store knows which there are
  out.uri = x.uri;
  out.hash = x.hash;
  out.fingerprint = x.fingerprint;
  out.properties = std::move(*properties);
  out.custom = std::move(*custom);
  out.version = x.version;
  out.sequence = x.sequence;
  out.created_ns = x.created_ns;
  out.updated_ns = x.updated_ns;
  return out;
}

std::unique_ptr<record_event_msg> message_of(const storage::event& x) {
  auto out = std::make_unique<record_event_msg>();
  out->execution = x.execution;
  out->artifact = x.artifact;
  out->type = static_cast<record_event_type>(x.type);
  out->path = message_of(x.path);
  out->time_ns = x.time_ns;
  out->sequence = x.sequence;
  return out;
}

result<storage::event> event_of(const record_event_msg& x) {
  auto type = event_type_of(x.type);
  if (!type)
    return type.error();
  return storage::event{x.execution, x.artifact, *type, path_of(x.path), x.time_ns, x.sequence};
}

std::unique_ptr<record_link_msg> message_of(const storage::link& x) {
  auto out = std::make_unique<record_link_msg>();
  out->kind = static_cast<record_link_kind>(x.kind);
  out->context = x.context;
  out->other = x.other;
  out->sequence = x.sequence;
  return out;
}

result<storage::link> link_of(const record_link_msg& x) {
  auto kind = link_kind_of(x.kind);
  if (!kind)
    return kind.error();
  return storage::link{*kind, x.context, x.other, x.sequence};
}

std::unique_ptr<record_type_msg> message_of(const storage::node_type& x) {
  auto out = std::make_unique<record_type_msg>();
  out->kind = message_of(x.kind);
  out->id = x.id;
  out->name = x.name;
  out->version = x.version;
  out->description = x.description;
  out->external_id = x.external_id;
  out->base = x.base;
  for (const auto& [name, kind] : x.properties) {
    out->properties.push_back(std::make_unique<property_msg>());
    out->properties.back()->name = name;
    out->properties.back()->kind = static_cast<property_kind>(kind);
  }
  return out;
}

result<storage::node_type> type_of(const record_type_msg& x) {
  auto kind = node_kind_of(x.kind);
  if (!kind)
    return kind.error();
  storage::node_type out{*kind, x.id, x.name, x.version, x.description, x.external_id, x.base, {}};
  for (const auto& each : x.properties) {
    if (each->kind > property_kind::any)
      return no_such("kind of a property", static_cast<unsigned>(each->kind));
    if (!out.properties.emplace(each->name, static_cast<storage::value_kind>(each->kind)).second)
      return {errc::invalid, "the property " + each->name + " is declared twice; declare it once"};
  }
  return out;
}

std::unique_ptr<record_claim_msg> message_of(const storage::claim& x) {
  auto out = std::make_unique<record_claim_msg>();
  out->consumer = x.consumer;
  out->artifact = x.artifact;
  out->version = x.version;
  out->attempt = x.attempt;
  out->state = static_cast<claim_state>(x.state);
  out->holder = x.holder;
  return out;
}

void load_type(storage::type_catalog& into, const record_node_msg& x) {
  if (auto kind = node_kind_of(x.kind); kind && into.find(x.type) == nullptr)
    into.load({*kind, x.type, x.type_name, {}, {}, {}, {}, {}});
}

result<received_graph> graph_of(const record_graph_msg& x) {
  received_graph out;
  auto& graph = out.graph;
  for (const auto& each : x.nodes)
    load_type(out.types, *each->what);
  for (const auto& each : x.contexts)
    load_type(out.types, *each);
  TROUPE_TRY(append_all(graph.nodes, x.nodes, [](auto& each) -> result<storage::lineage_node> {
    auto what = node_of(*each.what);
    if (!what)
      return what.error();
    return storage::lineage_node{each.hops, std::move(*what)};
  }));
  TROUPE_TRY(append_all(graph.events, x.events, [](auto& each) { return event_of(each); }));
  TROUPE_TRY(append_all(graph.contexts, x.contexts, [](auto& each) { return node_of(each); }));
  TROUPE_TRY(append_all(graph.links, x.links, [](auto& each) { return link_of(each); }));
  graph.truncated = x.truncated;
  out.sequence = x.sequence;
  return out;
}

size_t bytes_of(const record_node_msg& x) {
  constexpr size_t fixed = 160; // of a node; of a property
  auto bytes = fixed + x.type_name.size() + x.name.size() + x.external_id.size() + x.uri.size()
               + x.hash.size() + x.fingerprint.size();
  for (const auto* all : {&x.properties, &x.custom})
    for (const auto& each : *all)
      bytes += fixed / 2 + each->name.size() + each->text.size() + each->bytes.size();
  return bytes;
}

} // namespace troupe
