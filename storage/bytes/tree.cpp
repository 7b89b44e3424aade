#include "storage/bytes/tree.hpp"

#include "storage/bytes/chunker.hpp"
#include "storage/record.hpp"

namespace troupe::storage {

namespace {

constexpr std::string_view magic = "TROUPET1";
constexpr size_t head_size = 8 + 1 + 8 + 8;
constexpr size_t root_ids_max = 1024;
constexpr int level_max = 8;
constexpr uint64_t manifest_max = 1u << 30; // bytes

struct root {
  int level = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  std::vector<chunk_id> ids;
};

error not_a_tree(const tree_id& id) {
  return {errc::invalid, id.digits() + " is no tree, but other content; give the name of a tree"};
}

error damaged(const tree_id& id) {
  return {errc::corrupt, "the tree " + id.digits()
                           + " is not what its root says; fetch it again from where it is"};
}

std::string joined(const std::vector<chunk_id>& ids) {
  std::string out;
  out.reserve(ids.size() * content_id::bytes);
  for (auto& each : ids)
    out.append(each.raw());
  return out;
}

std::vector<chunk_id> ids_in(std::string_view bytes) {
  std::vector<chunk_id> out;
  for (; bytes.size() >= content_id::bytes; bytes.remove_prefix(content_id::bytes))
    out.push_back(content_id::from_raw(bytes.substr(0, content_id::bytes)));
  return out;
}

result<std::vector<chunk_id>> put_small(chunk_writer& into, std::string_view bytes) {
  std::vector<chunk_id> out;
  while (!bytes.empty()) {
    auto size = first_chunk(bytes, small_chunks);
    auto id = into.put(bytes.substr(0, size));
    if (!id)
      return id.error();
    out.push_back(*id);
    bytes.remove_prefix(size);
  }
  return out;
}

result<root> read_root(const tree_id& id, std::string_view bytes) {
  if (!bytes.starts_with(magic) || bytes.size() < head_size)
    return not_a_tree(id);
  root out;
  out.level = static_cast<unsigned char>(bytes[magic.size()]);
  field_reader fields{bytes.substr(magic.size() + 1)};
  out.entries = fields.number();
  out.bytes = fields.number();
  out.ids = ids_in(fields.rest());
  if (out.level > level_max || fields.rest().size() != out.ids.size() * content_id::bytes
      || out.ids.size() > root_ids_max)
    return damaged(id);
  return out;
}

// The content of chunks, in the order of their names.
result<std::string> read_joined(const chunk_store& from, const tree_id& id,
                                const std::vector<chunk_id>& ids) {
  std::vector<std::string> parts(ids.size());
  uint64_t size = 0;
  TROUPE_TRY(from.read(ids, [&](const chunk_store::read_chunk& x) {
    parts[x.at] = x.bytes;
    size += x.bytes.size();
    return size <= manifest_max ? result<void>{} : damaged(id);
  }));
  std::string out;
  out.reserve(size);
  for (auto& each : parts)
    out.append(each);
  return out;
}

} // namespace

result<tree_id> put_tree(chunk_writer& into, std::span<const tree_item> items) {
  auto manifest = encode_manifest(items);
  if (manifest.size() > manifest_max)
    return {errc::invalid, "the tree has a manifest of more than 1 GiB; add it in parts"};
  uint64_t bytes = 0;
  for (auto& each : items)
    bytes += each.size;
  auto ids = put_small(into, manifest);
  int level = 0;
  for (; ids && ids->size() > root_ids_max; ++level)
    ids = put_small(into, joined(*ids));
  if (!ids)
    return ids.error();
  field_writer fields;
  fields.number(items.size());
  fields.number(bytes);
  auto root_bytes = std::string{magic};
  root_bytes.push_back(static_cast<char>(level));
  root_bytes.append(fields.take()).append(joined(*ids));
  return into.put(root_bytes);
}

result<tree> read_tree(const chunk_store& from, const tree_id& id) {
  auto bytes = from.get(id);
  if (!bytes)
    return bytes.error();
  auto top = read_root(id, *bytes);
  if (!top)
    return top.error();
  tree out;
  out.structure.push_back(id);
  auto ids = std::move(top->ids);
  for (auto level = top->level;; --level) {
    out.structure.insert(out.structure.end(), ids.begin(), ids.end());
    bytes = read_joined(from, id, ids);
    if (!bytes)
      return bytes.error();
    if (level == 0)
      break;
    ids = ids_in(*bytes);
    if (ids.size() * content_id::bytes != bytes->size())
      return damaged(id);
  }
  auto items = decode_manifest(*bytes);
  if (!items)
    return items.error();
  for (auto& each : *items)
    out.bytes += each.size;
  if (items->size() != top->entries || out.bytes != top->bytes)
    return damaged(id);
  out.items = std::move(*items);
  return out;
}

} // namespace troupe::storage
