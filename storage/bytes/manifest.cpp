#include "storage/bytes/manifest.hpp"

#include "storage/record.hpp"
#include "storage/tree_links.hpp"

#include <algorithm>
#include <unordered_set>

namespace troupe::storage {

namespace {

constexpr size_t path_max = 4096;
constexpr size_t part_max = 255;

error refused(std::string_view path, const std::string& why) {
  return {errc::invalid, std::string{"the tree is refused: its path '"}
                           .append(printable(path))
                           .append("' ")
                           .append(why)};
}

error damaged(const char* why) {
  return {errc::corrupt, std::string{"the manifest of the tree "}.append(why)
                           + "; fetch the tree again from where it is"};
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Reads the items of a manifest one by one.
class item_reader {
public:
  explicit item_reader(std::string_view bytes) : from_(bytes) {}

  bool at_end() const { return from_.rest().empty(); }

  result<tree_item> next() {
    tree_item out;
    out.path = from_.text();
    out.kind = static_cast<item_kind>(byte());
    if (out.is_file()) {
      out.size = from_.number();
      out.hash = id();
      auto count = from_.count();
      if (count > from_.rest().size() / content_id::bytes || count == 1 || out.size < count)
        return damaged("is of another shape");
      out.chunks.reserve(count);
      for (uint32_t i = 0; i < count; ++i)
        out.chunks.push_back(id());
    } else if (out.kind == item_kind::link) {
      out.target = from_.text();
    } else if (out.kind != item_kind::folder) {
      return damaged("is of another shape");
    }
    if (!good_ || !from_.good())
      return damaged("is cut short");
    return out;
  }

private:
  // field_reader has no bytes of a fixed number: they are cut from what it has left.
  std::string_view fixed(size_t size) {
    auto rest = from_.rest();
    if (!from_.good() || rest.size() < size) {
      good_ = false;
      from_ = field_reader{{}};
      return {};
    }
    from_ = field_reader{rest.substr(size)};
    return rest.substr(0, size);
  }

  char byte() {
    auto raw = fixed(1);
    return raw.empty() ? '\0' : raw[0];
  }

  content_id id() {
    auto raw = fixed(content_id::bytes);
    return raw.empty() ? content_id{} : content_id::from_raw(raw);
  }

  field_reader from_;
  bool good_ = true;
};

// Whether no item is below another one; they are sorted.
result<void> check_parents(const std::vector<tree_item>& items) {
  std::unordered_set<std::string_view> paths;
  paths.reserve(items.size());
  for (auto& each : items)
    paths.insert(each.path);
  std::string_view last; // the folder that was checked last
  for (auto& each : items) {
    std::string_view path{each.path};
    auto slash = path.rfind('/');
    auto folder = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
    if (folder == last)
      continue;
    last = folder;
    for (auto end = path.find('/'); end != std::string_view::npos; end = path.find('/', end + 1))
      if (paths.contains(path.substr(0, end)))
        return refused(path, "is below a path that is no folder of it; add the tree again");
  }
  return {};
}

} // namespace

std::span<const chunk_id> tree_item::content() const noexcept {
  if (!is_file() || size == 0)
    return {};
  return chunks.empty() ? std::span{&hash, 1} : std::span{chunks};
}

result<void> check_tree_path(std::string_view path) {
  if (path.empty() || path.size() > path_max)
    return refused(path, "is empty or longer than 4096 bytes; shorten it");
  if (path.starts_with('/'))
    return refused(path, "is absolute; give it below the tree");
  if (std::any_of(path.begin(), path.end(), is_control))
    return refused(path, "has a control character; rename it");
  for (size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('/', begin), path.size());
    auto part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == "." || part == "..")
      return refused(path, "has a part that is empty, \".\" or \"..\"; rename it");
    if (part.size() > part_max)
      return refused(path, "has a name of more than 255 bytes; shorten it");
  }
  return {};
}

result<void> check_tree_links(std::span<const tree_item> items) {
  tree_links links;
  for (auto& each : items)
    if (each.kind == item_kind::link)
      links.add(each.path, each.target);
  for (auto& [path, target] : links.all()) {
    if (target.empty() || target.size() > path_max
        || std::any_of(target.begin(), target.end(), is_control))
      return refused(path, "is a link whose target is empty, too long or has a control character; "
                           "remove it");
    if (!links.stays_inside(path))
      return refused(path,
                     "is a link to '" + printable(target)
                       + "', out of the tree or in a circle; put what it leads to in its place");
  }
  return {};
}

std::string encode_manifest(std::span<const tree_item> items) {
  std::string out;
  for (auto& each : items) {
    field_writer fields;
    fields.text(each.path);
    out.append(fields.take());
    out.push_back(static_cast<char>(each.kind));
    if (each.is_file()) {
      fields = {};
      fields.number(each.size);
      out.append(fields.take()).append(each.hash.raw());
      fields = {};
      fields.count(static_cast<uint32_t>(each.chunks.size()));
      out.append(fields.take());
      for (auto& chunk : each.chunks)
        out.append(chunk.raw());
    } else if (each.kind == item_kind::link) {
      fields = {};
      fields.text(each.target);
      out.append(fields.take());
    }
  }
  return out;
}

result<std::vector<tree_item>> decode_manifest(std::string_view bytes) {
  std::vector<tree_item> out;
  for (item_reader reader{bytes}; !reader.at_end();) {
    auto item = reader.next();
    if (!item)
      return item.error();
    TROUPE_TRY(check_tree_path(item->path));
    if (!out.empty() && out.back().path >= item->path)
      return damaged("is not sorted");
    out.push_back(std::move(*item));
  }
  TROUPE_TRY(check_parents(out));
  TROUPE_TRY(check_tree_links(out));
  return out;
}

} // namespace troupe::storage
