#include "storage/metadata/filter_match.hpp"

#include <algorithm>
#include <compare>

namespace troupe::storage {

namespace {

std::optional<double> number_of(const property_value& x) {
  if (const auto* integer = std::get_if<int64_t>(&x))
    return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&x))
    return *real;
  return std::nullopt;
}

// Empty where the two have no order.
std::optional<std::partial_ordering> order(const property_value& a, const property_value& b) {
  if (a.index() == b.index()) {
    if (const auto* integer = std::get_if<int64_t>(&a))
      return *integer <=> std::get<int64_t>(b);
    if (const auto* text = std::get_if<std::string>(&a))
      return *text <=> std::get<std::string>(b);
    if (const auto* yes = std::get_if<bool>(&a))
      return *yes <=> std::get<bool>(b);
  }
  auto x = number_of(a);
  auto y = number_of(b);
  if (x && y)
    return *x <=> *y;
  return std::nullopt;
}

// '%' stands for any text, '_' for one byte.
bool like(std::string_view text, std::string_view pattern) {
  size_t t = 0;
  size_t p = 0;
  auto star = std::string_view::npos;
  size_t after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '_' || (pattern[p] == text[t] && pattern[p] != '%'))) {
      ++t;
      ++p;
    } else if (p < pattern.size() && pattern[p] == '%') {
      star = p++;
      after_star = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('%', p) == std::string_view::npos;
}

bool compare(filter_op op, std::partial_ordering x) {
  switch (op) {
  case filter_op::equal:
    return std::is_eq(x);
  case filter_op::unequal:
    return std::is_neq(x);
  case filter_op::less:
    return std::is_lt(x);
  case filter_op::less_equal:
    return std::is_lteq(x);
  case filter_op::greater:
    return std::is_gt(x);
  default:
    return std::is_gteq(x);
  }
}

bool is_enum(const filter_node& x) {
  return x.op == filter_op::name && x.where.kind == neighbour_kind::none
         && (x.field == filter_field::state || x.field == filter_field::event_kind);
}

// Integers that do not fit become real numbers.
std::optional<property_value> calculated(filter_op op, const property_value& a,
                                         const property_value& b) {
  const auto* i = std::get_if<int64_t>(&a);
  const auto* j = std::get_if<int64_t>(&b);
  int64_t exact = 0;
  if (i != nullptr && j != nullptr) {
    if (op == filter_op::plus && !__builtin_add_overflow(*i, *j, &exact))
      return exact;
    if (op == filter_op::minus && !__builtin_sub_overflow(*i, *j, &exact))
      return exact;
    if (op == filter_op::times && !__builtin_mul_overflow(*i, *j, &exact))
      return exact;
  }
  auto x = number_of(a);
  auto y = number_of(b);
  if (!x || !y || (op == filter_op::divided && *y == 0))
    return std::nullopt;
  switch (op) {
  case filter_op::plus:
    return *x + *y;
  case filter_op::minus:
    return *x - *y;
  case filter_op::times:
    return *x * *y;
  default:
    return *x / *y;
  }
}

std::optional<property_value> text_or_null(const std::string& x) {
  return x.empty() ? std::nullopt : std::optional<property_value>(x);
}

property_value number(uint64_t x) {
  return static_cast<int64_t>(x);
}

constexpr uint64_t ns_of_ms = 1'000'000;

} // namespace

filter_matcher::filter_matcher(const filter& wanted, const metadata_view& in)
  : filter_(wanted), view_(in), aliases_(wanted.aliases.begin(), wanted.aliases.end()) {}

result<bool> filter_matcher::matches(const node& x) const {
  if (!filter_.root)
    return true;
  std::vector<std::vector<neighbour>> all;
  for (const auto& alias : aliases_) {
    auto found = neighbours_of(x, alias.kind);
    if (!found)
      return found.error();
    all.push_back(std::move(*found));
  }
  bindings bound;
  auto left = assignments_max + 1;
  auto found = any_assignment(x, all, bound, left);
  if (left == 0 && !found)
    return {errc::invalid, "the " + std::string(name_of(x.kind)) + " " + std::to_string(x.id)
                             + " has too many neighbours for the filter; name fewer aliases"};
  return found;
}

// Whether the filter holds for some choice of one neighbour for each alias.
bool filter_matcher::any_assignment(const node& x, const std::vector<std::vector<neighbour>>& all,
                                    bindings& bound, size_t& left) const {
  if (bound.size() == all.size()) {
    left -= left > 0 ? 1 : 0;
    return test(*filter_.root, x, bound).value_or(false);
  }
  const auto& choices = all[bound.size()];
  for (size_t i = 0; left > 0 && i < std::max<size_t>(choices.size(), 1); ++i) {
    bound.push_back(choices.empty() ? nullptr : &choices[i]);
    if (any_assignment(x, all, bound, left))
      return true;
    bound.pop_back();
  }
  return false;
}

result<std::vector<filter_matcher::neighbour>>
filter_matcher::linked(link_kind kind, bool from_context, const node& x) const {
  auto links = view_.links(kind, from_context, x.id);
  if (!links)
    return links.error();
  std::vector<neighbour> out;
  for (const auto& each : *links) {
    auto found = view_.get(from_context ? other_end(kind) : node_kind::context,
                           from_context ? each.other : each.context);
    if (!found)
      return found.error();
    out.push_back({std::move(*found), {}});
  }
  return out;
}

result<std::vector<filter_matcher::neighbour>>
filter_matcher::neighbours_of(const node& x, neighbour_kind kind) const {
  switch (kind) {
  case neighbour_kind::contexts:
    return linked(x.kind == node_kind::artifact ? link_kind::attribution : link_kind::association,
                  false, x);
  case neighbour_kind::artifacts:
    return linked(link_kind::attribution, true, x);
  case neighbour_kind::executions:
    return linked(link_kind::association, true, x);
  case neighbour_kind::parent_contexts:
    return linked(link_kind::parent, true, x);
  case neighbour_kind::child_contexts:
    return linked(link_kind::parent, false, x);
  default:
    break;
  }
  auto events = view_.events(x.kind, x.id);
  if (!events)
    return events.error();
  std::vector<neighbour> out;
  for (auto& each : *events)
    out.push_back({{}, std::move(each)});
  return out;
}

filter_matcher::truth filter_matcher::test(const filter_node& at, const node& x,
                                           const bindings& bound) const {
  switch (at.op) {
  case filter_op::all_of:
  case filter_op::any_of:
    return test_all(at, x, bound);
  case filter_op::negation: {
    auto inner = test(at.parts[0], x, bound);
    return inner ? truth(!*inner) : std::nullopt;
  }
  case filter_op::is_null:
    return !value(at.parts[0], x, bound);
  case filter_op::in:
    return test_in(at, x, bound);
  case filter_op::equal:
  case filter_op::unequal:
  case filter_op::less:
  case filter_op::less_equal:
  case filter_op::greater:
  case filter_op::greater_equal:
  case filter_op::like:
    break;
  default: {
    auto found = value(at, x, bound);
    const auto* yes = found ? std::get_if<bool>(&*found) : nullptr;
    return yes != nullptr ? truth(*yes) : std::nullopt;
  }
  }
  auto a = value(at.parts[0], x, bound);
  auto b = value(at.parts[1], x, bound);
  if (!a && at.op == filter_op::unequal && is_enum(at.parts[0]))
    return true; // a state that was not told is no state
  if (!a || !b)
    return std::nullopt;
  if (at.op == filter_op::like) {
    const auto* text = std::get_if<std::string>(&*a);
    const auto* pattern = std::get_if<std::string>(&*b);
    return text != nullptr && pattern != nullptr ? truth(like(*text, *pattern)) : std::nullopt;
  }
  auto which = order(*a, *b);
  return which ? truth(compare(at.op, *which)) : std::nullopt;
}

filter_matcher::truth filter_matcher::test_all(const filter_node& at, const node& x,
                                               const bindings& bound) const {
  auto decisive = at.op == filter_op::any_of; // one part of this value decides
  truth out = !decisive;
  for (const auto& part : at.parts) {
    auto each = test(part, x, bound);
    if (each && *each == decisive)
      return decisive;
    if (!each)
      out = std::nullopt;
  }
  return out;
}

filter_matcher::truth filter_matcher::test_in(const filter_node& at, const node& x,
                                              const bindings& bound) const {
  auto a = value(at.parts[0], x, bound);
  if (!a)
    return is_enum(at.parts[0]) ? truth(false) : std::nullopt;
  truth out = false;
  for (size_t i = 1; i < at.parts.size(); ++i) {
    auto b = value(at.parts[i], x, bound);
    auto which = b ? order(*a, *b) : std::nullopt;
    if (which && std::is_eq(*which))
      return true;
    if (!which)
      out = std::nullopt;
  }
  return out;
}

filter_matcher::scalar filter_matcher::value(const filter_node& at, const node& x,
                                             const bindings& bound) const {
  switch (at.op) {
  case filter_op::literal:
    return at.value;
  case filter_op::name:
    return read(at, x, bound);
  case filter_op::sign:
  case filter_op::plus:
  case filter_op::minus:
  case filter_op::times:
  case filter_op::divided:
    break;
  default: {
    auto yes = test(at, x, bound);
    return yes ? scalar(*yes) : std::nullopt;
  }
  }
  auto a = value(at.parts[0], x, bound);
  if (!a)
    return std::nullopt;
  if (at.op == filter_op::sign)
    return calculated(filter_op::minus, property_value(int64_t{0}), *a);
  auto b = value(at.parts[1], x, bound);
  return b ? calculated(at.op, *a, *b) : std::nullopt;
}

filter_matcher::scalar filter_matcher::read(const filter_node& name, const node& x,
                                            const bindings& bound) const {
  if (name.where.kind == neighbour_kind::none)
    return read_node_field(name, x);
  auto index = std::find(aliases_.begin(), aliases_.end(), name.where) - aliases_.begin();
  const auto* other = bound[static_cast<size_t>(index)];
  if (other == nullptr)
    return std::nullopt;
  if (other->what)
    return read_node_field(name, *other->what);
  switch (name.field) {
  case filter_field::event_kind:
    return number(static_cast<uint64_t>(other->how->type));
  case filter_field::event_ms:
    return number(other->how->time_ns / ns_of_ms);
  case filter_field::event_artifact:
    return number(other->how->artifact);
  default:
    return number(other->how->execution);
  }
}

filter_matcher::scalar filter_matcher::read_node_field(const filter_node& name,
                                                       const node& x) const {
  switch (name.field) {
  case filter_field::id:
    return number(x.id);
  case filter_field::type_id:
    return number(x.type);
  case filter_field::type: {
    const auto* type = view_.types().find(x.type);
    return type != nullptr ? scalar(type->name) : std::nullopt;
  }
  case filter_field::name:
    return text_or_null(x.name);
  case filter_field::external_id:
    return text_or_null(x.external_id);
  case filter_field::uri:
    return x.uri;
  case filter_field::hash:
    return text_or_null(x.hash);
  case filter_field::fingerprint:
    return text_or_null(x.fingerprint);
  case filter_field::version:
    return number(x.version);
  case filter_field::created_ms:
    return number(x.created_ns / ns_of_ms);
  case filter_field::updated_ms:
    return number(x.updated_ns / ns_of_ms);
  case filter_field::state:
    return x.state == node_state::none ? std::nullopt
                                       : scalar(number(static_cast<uint64_t>(x.state)));
  default:
    break;
  }
  const auto& all = name.field == filter_field::property ? x.properties : x.custom;
  auto found = all.find(name.key);
  if (found == all.end() || (name.as && kind_of(found->second) != *name.as)
      || kind_of(found->second) > value_kind::boolean)
    return std::nullopt;
  return found->second;
}

} // namespace troupe::storage
