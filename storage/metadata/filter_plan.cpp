#include "storage/metadata/filter_plan.hpp"

#include "storage/metadata/filter_demand.hpp"
#include "storage/metadata/keys.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

using ids = std::optional<std::vector<uint64_t>>; // empty: no index says it

ids only(uint64_t id) {
  return std::vector<uint64_t>{id};
}

// The indexes of numbers know integers only.
bool has_index(const filter_demand& x) {
  auto number = x.name->field == filter_field::id || x.name->field == filter_field::type_id;
  return !number || std::holds_alternative<int64_t>(*x.value);
}

class planner {
public:
  planner(const metadata_view& in, const filter& wanted)
    : view_(in), kind_(wanted.kind), demands_(demands_of(wanted)) {
    std::erase_if(demands_, [](const auto& x) { return !has_index(x); });
  }

  result<filter_candidates> run() {
    using step = result<ids> (planner::*)() const;
    std::vector<step> steps{&planner::by_id};
    if (view_.as_of() == latest) // the indexes know only what nodes say now
      for (auto each : {&planner::by_unique_name, &planner::by_value, &planner::by_few,
                        &planner::by_context, &planner::by_property})
        steps.push_back(each);
    for (auto each : steps) {
      auto found = (this->*each)();
      if (!found)
        return found.error();
      if (!*found)
        continue;
      std::sort((*found)->begin(), (*found)->end());
      (*found)->erase(std::unique((*found)->begin(), (*found)->end()), (*found)->end());
      return filter_candidates{std::move(*found), 0};
    }
    return of_type();
  }

private:
  const property_value* equal_to(filter_field field, const filter_alias& where = {}) const {
    return storage::equal_to(demands_, field, where);
  }

  const std::string* text_equal_to(filter_field field, const filter_alias& where = {}) const {
    return storage::text_equal_to(demands_, field, where);
  }

  std::vector<const node_type*> types_demanded(node_kind kind, const filter_alias& where) const {
    if (const auto* name = text_equal_to(filter_field::type, where))
      return view_.types().named(kind, *name);
    const auto* id = equal_to(filter_field::type_id, where);
    const auto* number = id == nullptr ? nullptr : std::get_if<int64_t>(id);
    const auto* type
      = number == nullptr ? nullptr : view_.types().find(static_cast<uint64_t>(*number));
    return type == nullptr || type->kind != kind ? std::vector<const node_type*>()
                                                 : std::vector{type};
  }

  result<ids> by_id() const {
    const auto* value = equal_to(filter_field::id);
    const auto* id = value == nullptr ? nullptr : std::get_if<int64_t>(value);
    return id == nullptr ? ids() : only(static_cast<uint64_t>(*id));
  }

  result<ids> by_unique_name() const {
    if (const auto* external = text_equal_to(filter_field::external_id)) {
      auto found = view_.by_external_id(kind_, *external);
      if (!found)
        return found.error();
      return *found ? only((*found)->id) : ids(std::in_place);
    }
    const auto* name = text_equal_to(filter_field::name);
    if (name == nullptr)
      return ids();
    return named(kind_, *name, {});
  }

  // By the name and the type where one is demanded, else with every type.
  result<ids> named(node_kind kind, const std::string& name, const filter_alias& where) const {
    auto types = types_demanded(kind, where);
    if (types.empty() && equal_to(filter_field::type, where) == nullptr
        && equal_to(filter_field::type_id, where) == nullptr)
      types = view_.types().all(kind);
    ids out(std::in_place);
    for (const auto* type : types) {
      auto found = view_.named(kind, type->id, name);
      if (!found)
        return found.error();
      if (*found)
        out->push_back((*found)->id);
    }
    return out;
  }

  result<ids> by_value() const {
    const std::pair<filter_field, std::string (*)(std::string_view)> indexes[]
      = {{filter_field::uri, uri_index},
         {filter_field::hash, hash_index},
         {filter_field::fingerprint, fingerprint_index}};
    for (const auto& [field, index] : indexes)
      if (const auto* value = text_equal_to(field)) {
        auto prefix = index(*value);
        return from_index(prefix, prefix, {});
      }
    return ids();
  }

  // A value that few nodes have says more than the context that they are in.
  result<ids> by_few() const {
    constexpr size_t few = 1000;
    auto found = by_property_up_to(few);
    return found && *found && (*found)->size() < few ? found : ids();
  }

  result<ids> by_context() const {
    if (kind_ == node_kind::context)
      return ids();
    for (const auto& x : demands_) {
      const auto& where = x.name->where;
      if (where.kind != neighbour_kind::contexts || x.op != filter_op::equal)
        continue;
      ids contexts;
      if (const auto* name = text_equal_to(filter_field::name, where)) {
        auto found = named(node_kind::context, *name, where);
        if (!found)
          return found.error();
        contexts = std::move(*found);
      } else if (const auto* id = equal_to(filter_field::id, where)) {
        const auto* number = std::get_if<int64_t>(id);
        contexts = only(number == nullptr ? 0 : static_cast<uint64_t>(*number));
      }
      if (contexts)
        return in_contexts(*contexts);
    }
    return ids();
  }

  result<ids> in_contexts(const std::vector<uint64_t>& contexts) const {
    ids out(std::in_place);
    auto kind = kind_ == node_kind::artifact ? link_kind::attribution : link_kind::association;
    for (auto context : contexts) {
      auto links = view_.links(kind, true, context);
      if (!links)
        return links.error();
      for (const auto& each : *links)
        out->push_back(each.other);
    }
    return out;
  }

  result<ids> by_property() const { return by_property_up_to(no_limit); }

  result<ids> by_property_up_to(size_t limit) const {
    for (auto equal : {true, false})
      for (const auto& x : demands_) {
        auto custom = x.name->field == filter_field::custom_property;
        if ((!custom && x.name->field != filter_field::property)
            || x.name->where.kind != neighbour_kind::none || (x.op == filter_op::equal) != equal)
          continue;
        auto key = value_key(x, custom);
        if (key.empty())
          continue;
        // All values of one kind begin with the same byte.
        auto all = property_index(kind_, custom, x.name->key) + key[all_of(x, custom)];
        auto above = x.op == filter_op::greater || x.op == filter_op::greater_equal;
        if (equal)
          return from_index(key, key, {}, limit);
        return above ? from_index(all, key, {}, limit)
                     : from_index(all, all, end_of_prefix(key), limit);
      }
    return ids();
  }

  size_t all_of(const filter_demand& x, bool custom) const {
    return property_index(kind_, custom, x.name->key).size();
  }

  // The key of the value in the index of the property, where the filter says of which kind it is.
  std::string value_key(const filter_demand& x, bool custom) const {
    auto value = *x.value;
    if (!x.name->as && !std::holds_alternative<std::string>(value))
      return {};
    if (x.name->as == value_kind::real && std::holds_alternative<int64_t>(value))
      value = static_cast<double>(std::get<int64_t>(value));
    if (x.name->as && kind_of(value) != *x.name->as)
      return {};
    return property_index(kind_, custom, x.name->key, value);
  }

  result<ids> from_index(const std::string& prefix, const std::string& from, const std::string& end,
                         size_t limit = no_limit) const {
    auto found = view_.indexed(prefix, from, end, limit, false);
    if (!found)
      return found.error();
    return ids(std::move(*found));
  }

  result<filter_candidates> of_type() const {
    filter_candidates out;
    auto types = types_demanded(kind_, {});
    if (types.size() == 1)
      out.type = types[0]->id;
    else if (types.empty() && (equal_to(filter_field::type) || equal_to(filter_field::type_id)))
      out.ids.emplace();
    return out;
  }

  const metadata_view& view_;
  node_kind kind_;
  std::vector<filter_demand> demands_;
};

} // namespace

result<filter_candidates> plan_filter(const metadata_view& in, const filter& wanted) {
  return planner(in, wanted).run();
}

} // namespace troupe::storage
