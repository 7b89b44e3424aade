#include "tests/e2e/json_schema.hpp"

#include <algorithm>
#include <set>

namespace troupe::e2e {
namespace {

using json = nlohmann::json;
using complaints = std::vector<std::string>;

bool is_of(const json& document, const std::string& type) {
  if (type == "integer")
    return document.is_number_integer();
  if (type == "number")
    return document.is_number();
  return document.type_name() == type; // object, array, string, boolean, null
}

bool is_of_type(const json& document, const json& type) {
  if (type.is_string())
    return is_of(document, type);
  return std::ranges::any_of(type, [&](auto& each) { return is_of(document, each); });
}

void append(complaints& to, complaints more) {
  to.insert(to.end(), more.begin(), more.end());
}

void check_object(const json& root, const json& schema, const json& document,
                  const std::string& where, complaints& out) {
  for (auto& name : schema.value("required", json::array()))
    if (!document.contains(name))
      out.push_back(where + " lacks " + name.get<std::string>());
  auto known = schema.value("properties", json::object());
  // A reader has to bear names that came later; what we write now is described.
  auto others = schema.value("additionalProperties", json(!schema.contains("properties")));
  for (auto& [name, value] : document.items()) {
    auto below = where + "." + name;
    if (known.contains(name))
      append(out, violations(root, known[name], value, below));
    else if (others.is_object())
      append(out, violations(root, others, value, below));
    else if (!others.get<bool>())
      out.push_back(below + " is not in the schema");
  }
}

void check_array(const json& root, const json& schema, const json& document,
                 const std::string& where, complaints& out) {
  if (document.size() < schema.value("minItems", size_t{0})
      || document.size() > schema.value("maxItems", document.size()))
    out.push_back(where + " has " + std::to_string(document.size()) + " items");
  for (size_t i = 0; i < document.size(); ++i)
    append(out,
           violations(root, schema["items"], document[i], where + "[" + std::to_string(i) + "]"));
}

} // namespace

complaints violations(const json& root, const json& schema, const json& document,
                      const std::string& where) {
  static const std::set<std::string> understood{
    "type",     "enum",     "required", "properties", "additionalProperties", "items",
    "minItems", "maxItems", "$ref",     "format",     "description"};
  complaints out;
  for (auto& [word, value] : schema.items())
    if (!understood.contains(word))
      out.push_back(where + ": this check knows no '" + word + "'");
  if (schema.contains("$ref"))
    return violations(root,
                      root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1))),
                      document, where);
  if (!schema.contains("type"))
    out.push_back(where + " has a schema without a type");
  else if (!is_of_type(document, schema["type"]))
    out.push_back(where + " is no " + schema["type"].dump() + " but " + document.dump());
  else if (document.is_object())
    check_object(root, schema, document, where, out);
  else if (document.is_array())
    check_array(root, schema, document, where, out);
  if (schema.contains("enum")
      && std::ranges::find(schema["enum"], document) == schema["enum"].end())
    out.push_back(where + " is none of " + schema["enum"].dump() + " but " + document.dump());
  return out;
}

} // namespace troupe::e2e
