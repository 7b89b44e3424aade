#include "actors/cluster/lineage_facts.hpp"

namespace troupe {

storage::change_set lineage_types() {
  using enum storage::value_kind;
  auto type = [](storage::node_kind kind, std::string name,
                 std::map<std::string, storage::value_kind, std::less<>> properties) {
    storage::node_type x;
    x.kind = kind;
    x.name = std::move(name);
    x.properties = std::move(properties);
    return x;
  };
  storage::change_set out;
  out.evolution = {true, true};
  out.types = {
    type(storage::node_kind::context, "job",
         {{"job", integer},
          {"name", text},
          {"user", text},
          {"state", text},
          {"last_attempt", integer},
          {"inputs", text},
          {"packages", text},
          {"outputs", text}}),
    type(storage::node_kind::execution, "attempt",
         {{"job", integer}, {"attempt", integer}, {"name", text}, {"state", text}}),
    type(storage::node_kind::execution, "task",
         {{"job", integer},
          {"attempt", integer},
          {"type", text},
          {"index", integer},
          {"node", text},
          {"state", text},
          {"exit_code", integer},
          {"reason", text}}),
    type(storage::node_kind::artifact, "file", {{"name", text}}),
    type(storage::node_kind::artifact, "package", {{"name", text}}),
  };
  for (auto name : {"output", "checkpoint", "log", "metrics"})
    out.types.push_back(type(storage::node_kind::artifact, name,
                             {{"name", text}, {"job", integer}, {"attempt", integer}}));
  return out;
}

} // namespace troupe
