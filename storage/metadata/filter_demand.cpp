#include "storage/metadata/filter_demand.hpp"

#include <utility>

namespace troupe::storage {

namespace {

filter_op mirrored(filter_op x) {
  switch (x) {
  case filter_op::less:
    return filter_op::greater;
  case filter_op::less_equal:
    return filter_op::greater_equal;
  case filter_op::greater:
    return filter_op::less;
  case filter_op::greater_equal:
    return filter_op::less_equal;
  default:
    return x;
  }
}

bool is_comparison(filter_op x) {
  return x == filter_op::equal || x == filter_op::less || x == filter_op::less_equal
         || x == filter_op::greater || x == filter_op::greater_equal;
}

void add_demands(const filter_node& at, std::vector<filter_demand>& to) {
  if (at.op == filter_op::all_of)
    for (const auto& part : at.parts)
      add_demands(part, to);
  if (!is_comparison(at.op))
    return;
  const auto* a = &at.parts[0];
  const auto* b = &at.parts[1];
  auto op = at.op;
  if (a->op == filter_op::literal) {
    std::swap(a, b);
    op = mirrored(op);
  }
  if (a->op == filter_op::name && b->op == filter_op::literal)
    to.push_back({op, a, &b->value});
}

} // namespace

std::vector<filter_demand> demands_of(const filter& x) {
  std::vector<filter_demand> out;
  if (x.root)
    add_demands(*x.root, out);
  return out;
}

const property_value* equal_to(const std::vector<filter_demand>& all, filter_field field,
                               const filter_alias& where) {
  for (const auto& x : all)
    if (x.op == filter_op::equal && x.name->field == field && x.name->where == where)
      return x.value;
  return nullptr;
}

const std::string* text_equal_to(const std::vector<filter_demand>& all, filter_field field,
                                 const filter_alias& where) {
  const auto* found = equal_to(all, field, where);
  return found == nullptr ? nullptr : std::get_if<std::string>(found);
}

} // namespace troupe::storage
