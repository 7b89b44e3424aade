// troupe bundle add, find, checkout, commit.
#include "launcher/bundle_files.hpp"
#include "launcher/bundle_names.hpp"
#include "launcher/bundle_text.hpp"
#include "launcher/bundle_verbs.hpp"
#include "launcher/console.hpp"
#include "launcher/times.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/random.hpp"
#include "storage/bytes/tree_checkout.hpp"
#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using storage::bundle;
using storage::kept_bundle;

constexpr int64_t int64_max = std::numeric_limits<int64_t>::max();

bundle begin_bundle(const std::string& name) {
  bundle out;
  out.uuid = storage::hex(storage::big_endian(unforeseen_number())
                          + storage::big_endian(unforeseen_number()));
  out.name = name;
  out.owner = user_name(std::to_string(::getuid()));
  auto now = system_clock{}.wall_ns();
  out.created_ns = static_cast<uint64_t>(std::clamp<int64_t>(now, 0, int64_max));
  return out;
}

// What it follows from. The version of data that nothing here made is what it holds: what is made
// of other data is not taken for the same.
std::string processing_of(const bundle& x) {
  if (!x.code.empty() || !x.parameters.empty() || !x.sources.empty())
    return processing_name_of(x);
  auto by_content = x;
  by_content.parameters = {{"content", storage::sha256(x.content + x.tree)}};
  return processing_name_of(by_content);
}

json content_of(const added_files& files) {
  return {
    {"kind", files.is_file ? "file" : "directory"}, {"files", files.files}, {"bytes", files.bytes}};
}

result<bundle> made_of(const bundle_work& x) {
  auto out = begin_bundle(x.options.name);
  out.code = x.options.code;
  out.processing_name = x.options.processing;
  auto parameters = pairs_told("--param", x.options.parameters);
  if (!parameters)
    return parameters.error();
  out.parameters = std::move(*parameters);
  auto sources = sources_of(x.place.bundles(), x.context, x.options.sources);
  if (!sources)
    return sources.error();
  out.sources = std::move(*sources);
  TROUPE_TRY(storage::check(out));
  return out;
}

// The work is taken to end when its bundle is made.
result<void> set_times(const bundle_work& x, bundle& of) {
  if (x.options.took.empty())
    return {};
  auto took = time_of("--took", x.options.took);
  if (!took)
    return took.error();
  auto ns = static_cast<uint64_t>(took->count());
  if (ns >= of.created_ns)
    return {errc::invalid, "--took " + printable(x.options.took)
                             + " begins before 1970; set this machine's clock, or leave it out"};
  of.started_ns = of.created_ns - ns;
  of.ended_ns = of.created_ns;
  return {};
}

result<storage::text_map> tags_told(const bundle_work& x) {
  auto tags = pairs_told("--tag", x.options.tags);
  if (tags)
    std::erase_if(*tags, [](const auto& each) { return each.second.empty(); });
  return tags;
}

// Where it is noted which bundle was checked out into a directory.
std::string note_of(const bundle_place& in, const std::string& directory) {
  constexpr size_t digits = 32;
  return in.directory() + "/checkouts/" + storage::sha256(directory).substr(0, digits);
}

result<void> note_checkout(const bundle_place& in, const std::string& directory,
                           const std::string& uuid) {
  auto file = note_of(in, directory);
  std::error_code failed;
  fs::create_directories(fs::path(file).parent_path(), failed);
  if (write_regular_file(file, uuid + "\n", 0600))
    return {};
  return {errc::io, "cannot write " + file + ": " + std::strerror(errno)
                      + "; free some room there, and say --name with troupe bundle commit"};
}

std::string whole_path(const std::string& path) {
  std::error_code failed;
  auto out = fs::weakly_canonical(path, failed);
  if (failed)
    out = fs::absolute(path, failed).lexically_normal();
  return (out.has_filename() ? out : out.parent_path()).string();
}

// The bundle that was checked out there; none where nothing was, or it is not known any more.
result<std::optional<kept_bundle>> checked_out(const bundle_work& x, const std::string& directory) {
  auto uuid = text_of_file(note_of(x.place, directory)).substr(0, 32);
  if (!storage::is_hex(uuid, 32))
    return std::optional<kept_bundle>();
  auto out = x.place.bundles().get(uuid);
  if (out)
    return std::optional(std::move(*out));
  if (out.error().code == errc::not_found)
    return std::optional<kept_bundle>();
  return out.error();
}

} // namespace

void print_made(const bundle_work& x, const kept_bundle& made) {
  std::puts(x.shared.json ? text_of(json_of(made)).c_str() : made.what.uuid.c_str());
}

result<void> add_bundle(const bundle_work& x) {
  if (x.options.paths.empty() && x.options.value.empty())
    return {errc::invalid, "the bundle " + printable(x.options.name)
                             + " would hold nothing; name its files, or say --value JSON"};
  auto made = made_of(x); // before the bytes: what is wrong is said at once
  if (!made)
    return made.error();
  TROUPE_TRY(set_times(x, *made));
  auto tags = tags_told(x);
  if (!tags)
    return tags.error();
  json content = {{"kind", "value"}};
  if (!x.options.paths.empty()) {
    auto files = add_files(x.place, x.options.paths);
    if (!files)
      return files.error();
    content = content_of(*files);
    made->tree = files->tree;
  }
  if (!x.options.type.empty())
    content["type"] = x.options.type;
  if (!x.options.value.empty()) {
    auto value = json::parse(x.options.value, nullptr, false);
    if (value.is_discarded())
      return {errc::invalid,
              "--value " + printable(x.options.value) + " is no JSON; write a text as '\"text\"'"};
    content["value"] = std::move(value);
  }
  made->content = content.dump(-1, ' ', false, json::error_handler_t::replace);
  if (made->processing_name.empty())
    made->processing_name = processing_of(*made);
  auto kept = x.place.bundles().add(x.context, *made, *tags);
  if (!kept)
    return kept.error();
  print_made(x, *kept);
  return {};
}

result<void> find_bundle(const bundle_work& x) {
  auto wanted = made_of(x);
  if (!wanted)
    return wanted.error();
  auto processing = wanted->processing_name.empty() ? storage::processing_name_of(*wanted)
                                                    : wanted->processing_name;
  auto found = x.place.bundles().latest({x.context, wanted->name, processing});
  if (!found && found.error().code == errc::not_found)
    return {errc::not_found, "no bundle " + wanted->name + " was made so in the context "
                               + x.context + "; make it, and add it with the same words"};
  if (!found)
    return found.error();
  print_made(x, *found);
  return {};
}

result<void> checkout_bundle(const bundle_work& x) {
  auto kept = bundle_named(x.place.bundles(), x.context, x.options.name);
  if (!kept)
    return kept.error();
  if (kept->what.tree.empty())
    return {errc::invalid, "the bundle " + kept->what.name
                             + " has no files, only a value; see it with: troupe bundle cat "
                             + kept->what.uuid};
  if (auto files = files_of(x.place.bytes(), kept->what); !files)
    return files.error();
  auto tree = storage::tree_id::parse(kept->what.tree);
  if (!tree)
    return tree.error();
  storage::checkout_options how;
  how.threads = std::max(std::thread::hardware_concurrency(), 1u);
  auto directory = whole_path(x.options.path);
  TROUPE_TRY(storage::checkout(x.place.bytes(), *tree, directory, how));
  TROUPE_TRY(note_checkout(x.place, directory, kept->what.uuid));
  print_made(x, *kept);
  return {};
}

result<void> commit_directory(const bundle_work& x) {
  auto directory = whole_path(x.options.path);
  std::error_code failed;
  if (!fs::is_directory(directory, failed))
    return {errc::not_found, directory
                               + " is no directory; name one, or add a file with: troupe "
                                 "bundle add NAME FILE"};
  auto before = checked_out(x, directory);
  if (!before)
    return before.error();
  auto is_named = !x.options.name.empty();
  auto name = is_named  ? x.options.name
              : *before ? (*before)->what.name
                        : fs::path(directory).filename().string();
  auto made = begin_bundle(name);
  TROUPE_TRY(storage::check(made));
  auto tags = tags_told(x);
  if (!tags)
    return tags.error();
  auto context = *before && x.options.context.empty() ? (*before)->context : x.context;
  auto files = add_files(x.place, {directory});
  if (!files)
    return files.error();
  if (*before && !(*before)->removed && (*before)->what.tree == files->tree
      && (*before)->what.name == name && (*before)->context == context) {
    std::fprintf(stderr, "troupe: %s has not changed since it was checked out or committed\n",
                 directory.c_str());
    print_made(x, **before);
    return {};
  }
  made.tree = files->tree;
  made.content = content_of(*files).dump(-1, ' ', false, json::error_handler_t::replace);
  made.processing_name = processing_of(made);
  if (*before) // it was changed by hand: what it is does not follow from this
    made.sources = {{"previous", (*before)->what.uuid, (*before)->what.processing_name}};
  auto kept = x.place.bundles().add(context, made, *tags);
  if (!kept)
    return kept.error();
  TROUPE_TRY(note_checkout(x.place, directory, kept->what.uuid));
  print_made(x, *kept);
  return {};
}

} // namespace troupe::launcher
