#include "launcher/bundle_files.hpp"

#include "runtime/base/clock.hpp"
#include "storage/bytes/tree_add.hpp"
#include "storage/hash.hpp"

#include <algorithm>
#include <filesystem>
#include <thread>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;
using storage::tree_item;

struct one_added {
  storage::added_tree tree;
  std::string name; // of the file or directory
  bool is_file = false;
};

result<one_added> add_one(bundle_place& to, storage::chunk_writer& writer,
                          const std::string& path) {
  if (path.starts_with("s3://"))
    return {errc::invalid, "a bundle holds its own bytes and " + printable(path)
                             + " is in S3; download it, and add the file"};
  std::error_code failed;
  auto whole = fs::absolute(path, failed).lexically_normal();
  if (!whole.has_filename())
    whole = whole.parent_path();
  one_added out;
  out.name = whole.filename().string();
  out.is_file = fs::is_regular_file(whole, failed);
  auto caches = to.directory() + "/stat-caches";
  fs::create_directories(caches, failed);
  constexpr size_t digits = 32;
  storage::add_options options;
  options.threads = std::max(std::thread::hardware_concurrency(), 1u);
  options.cache = caches + "/" + storage::sha256(whole.string()).substr(0, digits);
  options.now_ns = system_clock{}.wall_ns();
  auto added = storage::add_tree(writer, whole.string(), options);
  if (!added)
    return added.error();
  out.tree = *added;
  return out;
}

// One tree of several, each under its name.
result<added_files> join(bundle_place& to, storage::chunk_writer& writer,
                         const std::vector<one_added>& parts) {
  added_files out;
  std::vector<tree_item> items;
  for (const auto& part : parts) {
    auto tree = storage::read_tree(to.bytes(), part.tree.id);
    if (!tree)
      return tree.error();
    if (tree->items.empty())
      items.push_back({.path = part.name, .kind = storage::item_kind::folder});
    for (auto& each : tree->items) {
      each.path = part.is_file ? each.path : part.name + "/" + each.path;
      items.push_back(std::move(each));
    }
    out.files += part.tree.files;
    out.bytes += part.tree.bytes;
  }
  std::ranges::sort(items, {}, &tree_item::path);
  auto twice = std::ranges::adjacent_find(items, {}, &tree_item::path);
  if (twice != items.end())
    return {errc::invalid, "two of the paths have " + twice->path
                             + " in them; rename one, or add the directory that has both"};
  for (const auto& each : items)
    TROUPE_TRY(storage::check_tree_path(each.path));
  auto id = storage::put_tree(writer, items);
  if (!id)
    return id.error();
  TROUPE_TRY(writer.commit());
  out.tree = id->digits();
  return out;
}

} // namespace

result<added_files> add_files(bundle_place& to, const std::vector<std::string>& paths) {
  storage::chunk_writer writer(to.bytes());
  std::vector<one_added> parts;
  std::set<std::string> names;
  for (const auto& each : paths) {
    auto one = add_one(to, writer, each);
    if (!one)
      return one.error();
    if (!names.insert(one->name).second)
      return {errc::invalid, "two of the paths are called " + printable(one->name)
                               + "; rename one, or add the directory that has both"};
    parts.push_back(std::move(*one));
  }
  TROUPE_TRY(writer.commit());
  if (parts.size() > 1)
    return join(to, writer, parts);
  const auto& one = parts.front();
  return added_files{one.tree.id.digits(), one.tree.files, one.tree.bytes, one.is_file};
}

result<storage::tree> files_of(const storage::chunk_store& in, const storage::bundle& x) {
  if (x.tree.empty())
    return storage::tree{};
  auto id = storage::tree_id::parse(x.tree);
  if (!id)
    return id.error();
  TROUPE_TRY(in.refresh());
  auto root = in.get(*id);
  if (!root && root.error().code == errc::not_found)
    return {errc::unavailable, "the bytes of the bundle " + x.uuid
                                 + " are not here, only its record; fetch them with: troupe bundle "
                                   "pull "
                                 + x.uuid};
  return storage::read_tree(in, *id);
}

result<void> read_file(const storage::chunk_store& from, const tree_item& file,
                       const std::function<result<void>(std::string_view)>& into) {
  for (const auto& id : file.content()) {
    auto bytes = from.get(id);
    if (!bytes)
      return bytes.error();
    TROUPE_TRY(into(*bytes));
  }
  return {};
}

} // namespace troupe::launcher
