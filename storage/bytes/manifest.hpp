// What is in a tree: its paths, each with its kind and the chunks of its content. The grammar is in
// formats.md.
// Errors: errc::invalid for a path or a link that may not be in a tree, with one sentence that
// shows it; errc::corrupt for bytes of another shape.
// Threads: plain functions and values.
#pragma once

#include "storage/bytes/content_id.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

enum class item_kind : char {
  file = 'f',
  program = 'x', // a file that can be executed
  link = 'l',
  folder = 'd', // with nothing in it
};

struct tree_item {
  std::string path{}; // relative
  item_kind kind = item_kind::file;
  uint64_t size = 0;              // bytes, of a file
  content_id hash{};              // of the content of a file
  std::vector<chunk_id> chunks{}; // of a file, where they are several
  std::string target{};           // of a link

  bool is_file() const noexcept { return kind == item_kind::file || kind == item_kind::program; }

  // The chunks of its content, in order.
  std::span<const chunk_id> content() const noexcept;

  bool operator==(const tree_item&) const = default;
};

result<void> check_tree_path(std::string_view path);

// The links of a tree: none leads out of it.
result<void> check_tree_links(std::span<const tree_item> items);

// The items, which are sorted by path and were checked.
std::string encode_manifest(std::span<const tree_item> items);

// All that formats.md says of a manifest is checked.
result<std::vector<tree_item>> decode_manifest(std::string_view bytes);

} // namespace troupe::storage
