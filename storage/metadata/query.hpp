// Lists of nodes: by a filter, in an order, page by page.
//
// A question uses the best of what its filter demands with AND: an id, an external id, a uri, a
// hash, a fingerprint, a name with a type, a context, a property's value or range, a type; else it
// looks at every node of the kind.
// Threads: as the view.
// Errors: errc::invalid (the filter, the page's size, the token), and those of the view.
#pragma once

#include "storage/metadata/view.hpp"

namespace troupe::storage {

inline constexpr size_t page_max = 10'000;

enum class list_order : uint8_t { id, created, updated }; // nodes are created in the order of ids

struct list_request {
  node_kind kind = node_kind::artifact;
  std::string filter{};
  list_order order = list_order::id;
  bool descending = false;
  size_t page_size = 100;   // 1 to page_max
  std::string page_token{}; // of the page before; empty: the first
};

struct node_page {
  std::vector<node> nodes;
  std::string next; // the token of the next page; empty where there is none
};

// A node that changes between two pages of an order by updates may be on both.
result<node_page> list_nodes(const metadata_view& in, const list_request& wanted);

// The ids of all that match, in their order, at most `limit`.
result<std::vector<uint64_t>> matching(const metadata_view& in, node_kind kind,
                                       std::string_view filter, size_t limit);

} // namespace troupe::storage
