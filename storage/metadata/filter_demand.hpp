// What a filter demands whatever else it allows: the comparisons of names with literals that AND
// joins at its top.
// Threads: plain values and functions.
#pragma once

#include "storage/metadata/filter.hpp"

namespace troupe::storage {

// Both are parts of the filter, which outlives this.
struct filter_demand {
  filter_op op = filter_op::equal; // as if the name stood on the left
  const filter_node* name = nullptr;
  const property_value* value = nullptr;
};

// In the order of the text: of equality and of order, not of inequality.
std::vector<filter_demand> demands_of(const filter& x);

// The value that the name has to be equal to; null where the filter demands none.
const property_value* equal_to(const std::vector<filter_demand>& all, filter_field field,
                               const filter_alias& where = {});

// The same where it is a text.
const std::string* text_equal_to(const std::vector<filter_demand>& all, filter_field field,
                                 const filter_alias& where = {});

} // namespace troupe::storage
