// The parser: recursive descent, one function for each rule of the grammar.
#include "storage/metadata/filter.hpp"

#include "storage/metadata/filter_names.hpp"
#include "storage/metadata/filter_tokens.hpp"

#include <cerrno>
#include <cstdlib>

namespace troupe::storage {

namespace {

// A part with the sort of its value.
struct typed {
  filter_node node;
  filter_sort sort = filter_sort::boolean;
};

std::string_view text_of(filter_sort x) {
  constexpr std::string_view all[] = {"a number",
                                      "a text",
                                      "true or false",
                                      "the state of an artifact",
                                      "the state of an execution",
                                      "an event's type",
                                      "a property"};
  return all[static_cast<size_t>(x)];
}

bool is_enum(filter_sort x) {
  return x == filter_sort::artifact_state || x == filter_sort::execution_state
         || x == filter_sort::event_kind;
}

typed joined(filter_op op, typed a, typed b, filter_sort sort) {
  typed out{{}, sort};
  out.node.op = op;
  out.node.parts.push_back(std::move(a.node));
  out.node.parts.push_back(std::move(b.node));
  return out;
}

typed around(filter_op op, typed x, filter_sort sort) {
  typed out{{}, sort};
  out.node.op = op;
  out.node.parts.push_back(std::move(x.node));
  return out;
}

class parser {
public:
  parser(node_kind kind, std::string_view text) : kind_(kind), at_(text) {}

  result<filter> run() {
    TROUPE_TRY(at_.start());
    filter out;
    out.kind = kind_;
    if (at_.now().kind == token_kind::end)
      return out;
    auto all = disjunction();
    if (!all)
      return all.error();
    if (at_.now().kind != token_kind::end)
      return at_.wrong("nothing can follow here but AND or OR");
    if (all->sort != filter_sort::boolean && all->sort != filter_sort::any)
      return at_.wrong("the whole is " + std::string(text_of(all->sort))
                       + "; compare it with something");
    out.root = std::move(all->node);
    out.aliases = std::move(aliases_);
    return out;
  }

private:
  result<typed> disjunction() { return chain("OR", filter_op::any_of, &parser::conjunction); }
  result<typed> conjunction() { return chain("AND", filter_op::all_of, &parser::inversion); }

  result<typed> chain(std::string_view word, filter_op op, result<typed> (parser::*part)()) {
    auto first = (this->*part)();
    if (!first || !at_.is(word))
      return first;
    typed out{{}, filter_sort::boolean};
    out.node.op = op;
    TROUPE_TRY(condition(*first));
    out.node.parts.push_back(std::move(first->node));
    while (at_.is(word)) {
      TROUPE_TRY(at_.advance());
      auto next = (this->*part)();
      if (!next)
        return next.error();
      TROUPE_TRY(condition(*next));
      out.node.parts.push_back(std::move(next->node));
    }
    return out;
  }

  result<void> condition(const typed& x) {
    if (x.sort == filter_sort::boolean || x.sort == filter_sort::any)
      return {};
    return at_.wrong("what is before is " + std::string(text_of(x.sort))
                     + "; compare it with something");
  }

  result<typed> inversion() {
    if (!at_.is("NOT"))
      return comparison();
    TROUPE_TRY(deeper());
    TROUPE_TRY(at_.advance());
    auto inner = inversion();
    if (!inner)
      return inner.error();
    TROUPE_TRY(condition(*inner));
    --depth_;
    return around(filter_op::negation, std::move(*inner), filter_sort::boolean);
  }

  result<typed> comparison() {
    auto left = sum();
    if (!left)
      return left.error();
    constexpr std::pair<std::string_view, filter_op> signs[]
      = {{"=", filter_op::equal},         {"!=", filter_op::unequal},    {"<>", filter_op::unequal},
         {"<", filter_op::less},          {"<=", filter_op::less_equal}, {">", filter_op::greater},
         {">=", filter_op::greater_equal}};
    for (const auto& [sign, op] : signs)
      if (at_.is(sign))
        return compared(std::move(*left), op);
    if (at_.is("IS"))
      return null_test(std::move(*left));
    auto inverted = at_.is("NOT");
    if (inverted)
      TROUPE_TRY(at_.advance());
    if (at_.is("IN"))
      return membership(std::move(*left), inverted);
    if (at_.is("LIKE"))
      return pattern(std::move(*left), inverted);
    if (inverted)
      return at_.wrong("NOT stands here before IN or LIKE only");
    return left;
  }

  result<typed> compared(typed left, filter_op op) {
    if (is_enum(left.sort) && op != filter_op::equal && op != filter_op::unequal)
      return at_.wrong("names of states and types have no order");
    TROUPE_TRY(at_.advance());
    auto right = is_enum(left.sort) ? enumerator(left.sort) : sum();
    if (!right)
      return right.error();
    TROUPE_TRY(same_sort(left, *right));
    return joined(op, std::move(left), std::move(*right), filter_sort::boolean);
  }

  result<typed> null_test(typed left) {
    TROUPE_TRY(at_.advance());
    auto inverted = at_.is("NOT");
    if (inverted)
      TROUPE_TRY(at_.advance());
    if (!at_.is("NULL"))
      return at_.wrong("NULL or NOT NULL follows IS");
    TROUPE_TRY(at_.advance());
    auto test = around(filter_op::is_null, std::move(left), filter_sort::boolean);
    return inverted ? around(filter_op::negation, std::move(test), filter_sort::boolean)
                    : std::move(test);
  }

  result<typed> membership(typed left, bool inverted) {
    TROUPE_TRY(at_.advance());
    if (!at_.is("("))
      return at_.wrong("a list in parentheses follows IN");
    auto sort = left.sort;
    auto out = around(filter_op::in, std::move(left), filter_sort::boolean);
    do {
      TROUPE_TRY(at_.advance());
      auto each = is_enum(sort) ? enumerator(sort) : sum();
      if (!each)
        return each.error();
      TROUPE_TRY(same_sort(typed{{}, sort}, *each));
      out.node.parts.push_back(std::move(each->node));
    } while (at_.is(","));
    if (!at_.is(")"))
      return at_.wrong("a comma or a closing parenthesis follows");
    TROUPE_TRY(at_.advance());
    return inverted ? around(filter_op::negation, std::move(out), filter_sort::boolean)
                    : std::move(out);
  }

  result<typed> pattern(typed left, bool inverted) {
    if (left.sort != filter_sort::text && left.sort != filter_sort::any)
      return at_.wrong("only a text can be LIKE a pattern");
    TROUPE_TRY(at_.advance());
    if (at_.now().kind != token_kind::text)
      return at_.wrong("a pattern in quotes follows LIKE");
    if (at_.now().text.size() > filter_limits::pattern_max)
      return at_.wrong("a pattern has at most " + std::to_string(filter_limits::pattern_max)
                       + " bytes");
    auto right = primary();
    if (!right)
      return right.error();
    auto out = joined(filter_op::like, std::move(left), std::move(*right), filter_sort::boolean);
    return inverted ? around(filter_op::negation, std::move(out), filter_sort::boolean)
                    : std::move(out);
  }

  result<void> same_sort(const typed& a, const typed& b) {
    if (a.sort == b.sort || a.sort == filter_sort::any || b.sort == filter_sort::any)
      return {};
    return at_.wrong(std::string(text_of(a.sort)) + " cannot be compared with "
                     + std::string(text_of(b.sort)));
  }

  result<typed> sum() {
    return arithmetic("+", filter_op::plus, "-", filter_op::minus, &parser::product);
  }
  result<typed> product() {
    return arithmetic("*", filter_op::times, "/", filter_op::divided, &parser::signed_value);
  }

  result<typed> arithmetic(std::string_view first, filter_op first_op, std::string_view second,
                           filter_op second_op, result<typed> (parser::*part)()) {
    auto left = (this->*part)();
    while (left && (at_.is(first) || at_.is(second))) {
      auto op = at_.is(first) ? first_op : second_op;
      if (++operators_ > filter_limits::operators_max)
        return at_.wrong("it has more than " + std::to_string(filter_limits::operators_max)
                         + " operators of arithmetic");
      TROUPE_TRY(number(*left));
      TROUPE_TRY(at_.advance());
      auto right = (this->*part)();
      if (!right)
        return right.error();
      TROUPE_TRY(number(*right));
      left = joined(op, std::move(*left), std::move(*right), filter_sort::number);
    }
    return left;
  }

  result<void> number(const typed& x) {
    if (x.sort == filter_sort::number || x.sort == filter_sort::any)
      return {};
    return at_.wrong(std::string(text_of(x.sort)) + " is not a number");
  }

  result<typed> signed_value() {
    if (!at_.is("-"))
      return primary();
    TROUPE_TRY(deeper());
    TROUPE_TRY(at_.advance());
    auto inner = signed_value();
    if (!inner)
      return inner.error();
    TROUPE_TRY(number(*inner));
    --depth_;
    return around(filter_op::sign, std::move(*inner), filter_sort::number);
  }

  result<typed> primary() {
    const auto now = at_.now();
    typed out;
    if (at_.is("(")) {
      TROUPE_TRY(deeper());
      TROUPE_TRY(at_.advance());
      auto inner = disjunction();
      if (!inner)
        return inner.error();
      if (!at_.is(")"))
        return at_.wrong("a closing parenthesis is missing");
      TROUPE_TRY(at_.advance());
      --depth_;
      return inner;
    }
    if (now.kind == token_kind::integer || now.kind == token_kind::real)
      return literal_number(now);
    if (now.kind == token_kind::text) {
      out.node.value = now.text;
      out.sort = filter_sort::text;
    } else if (at_.is("TRUE") || at_.is("FALSE")) {
      out.node.value = at_.is("TRUE");
    } else if (now.kind == token_kind::word) {
      return name();
    } else {
      return at_.wrong("a name or a value has to stand here");
    }
    TROUPE_TRY(at_.advance());
    return out;
  }

  result<typed> literal_number(const token& now) {
    typed out{{}, filter_sort::number};
    if (now.kind == token_kind::integer) {
      errno = 0;
      out.node.value = static_cast<int64_t>(std::strtoll(now.text.c_str(), nullptr, 10));
      if (errno == ERANGE)
        return at_.wrong("this number has more than 64 bits");
    } else {
      out.node.value = std::strtod(now.text.c_str(), nullptr);
    }
    TROUPE_TRY(at_.advance());
    return out;
  }

  result<typed> name() {
    const auto begin = at_.now();
    std::vector<std::string> parts{begin.text};
    TROUPE_TRY(at_.advance());
    while (at_.is(".")) {
      TROUPE_TRY(at_.advance());
      if (at_.now().kind != token_kind::word && at_.now().kind != token_kind::quoted_word)
        return at_.wrong("a name follows the dot");
      parts.push_back(at_.now().text);
      TROUPE_TRY(at_.advance());
    }
    auto found = resolve_name(kind_, parts);
    if (!found)
      return at_.wrong(found.error().text, begin);
    if (found->node.where.kind != neighbour_kind::none)
      aliases_.insert(found->node.where);
    if (aliases_.size() > filter_limits::aliases_max)
      return at_.wrong("it names more than " + std::to_string(filter_limits::aliases_max)
                       + " neighbours");
    return typed{std::move(found->node), found->sort};
  }

  // The name of a state or of an event's type.
  result<typed> enumerator(filter_sort sort) {
    typed out{{}, sort};
    if (at_.now().kind != token_kind::word)
      return at_.wrong("its name follows, without quotes: this is " + std::string(text_of(sort)));
    if (sort != filter_sort::event_kind) {
      auto of = sort == filter_sort::artifact_state ? node_kind::artifact : node_kind::execution;
      auto found = node_state_named(of, at_.now().text);
      if (!found)
        return at_.wrong("there is no such state");
      out.node.value = static_cast<int64_t>(*found);
    } else {
      auto found = event_type_named(at_.now().text);
      if (!found)
        return at_.wrong("there is no such type of events");
      out.node.value = static_cast<int64_t>(*found);
    }
    TROUPE_TRY(at_.advance());
    return out;
  }

  result<void> deeper() {
    if (++depth_ > filter_limits::depth_max)
      return at_.wrong("it is nested deeper than " + std::to_string(filter_limits::depth_max));
    return {};
  }

  node_kind kind_;
  filter_tokens at_;
  std::set<filter_alias> aliases_;
  size_t depth_ = 0;
  size_t operators_ = 0;
};

} // namespace

std::string filter_text(std::string_view x) {
  std::string out = "'";
  for (char c : x) {
    if (c == '\'' || c == '\\')
      out += '\\';
    out += c;
  }
  return out += '\'';
}

result<filter> parse_filter(node_kind kind, std::string_view text) {
  if (text.size() > filter_limits::text_max)
    return {errc::invalid, "the filter has " + std::to_string(text.size()) + " bytes; at most "
                             + std::to_string(filter_limits::text_max) + " are read"};
  return parser(kind, text).run();
}

} // namespace troupe::storage
