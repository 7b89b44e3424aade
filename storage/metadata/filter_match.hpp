// Whether a node is what a filter asks for. Meaning: formats.md ("Filters").
// Threads: one at a time, as the view.
// Errors: errc::invalid where a filter on neighbours would try more than assignments_max, and those
// of the view.
#pragma once

#include "storage/metadata/filter.hpp"
#include "storage/metadata/view.hpp"

namespace troupe::storage {

class filter_matcher {
public:
  static constexpr size_t assignments_max = 1'000'000; // of neighbours to aliases, of one node

  // Both outlive this.
  filter_matcher(const filter& wanted, const metadata_view& in);

  result<bool> matches(const node& x) const;

private:
  // What an alias may be: of each neighbour its node, or its event.
  struct neighbour {
    std::optional<node> what{};
    std::optional<event> how{};
  };
  using bindings
    = std::vector<const neighbour*>; // in the order of the aliases; null: there is none

  // SQL's: a value, or null.
  using scalar = std::optional<property_value>;
  using truth = std::optional<bool>;

  result<std::vector<neighbour>> neighbours_of(const node& x, neighbour_kind kind) const;
  result<std::vector<neighbour>> linked(link_kind kind, bool from_context, const node& x) const;
  bool any_assignment(const node& x, const std::vector<std::vector<neighbour>>& all,
                      bindings& bound, size_t& left) const;

  truth test(const filter_node& at, const node& x, const bindings& bound) const;
  truth test_all(const filter_node& at, const node& x, const bindings& bound) const;
  truth test_in(const filter_node& at, const node& x, const bindings& bound) const;
  scalar value(const filter_node& at, const node& x, const bindings& bound) const;
  scalar read(const filter_node& name, const node& x, const bindings& bound) const;
  scalar read_node_field(const filter_node& name, const node& x) const;

  const filter& filter_;
  const metadata_view& view_;
  std::vector<filter_alias> aliases_;
};

} // namespace troupe::storage
