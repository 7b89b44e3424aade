// troupe context; troupe bundle ls, cat, show, tag, rm, alias; and who runs the others.
#include "launcher/bundle_files.hpp"
#include "launcher/bundle_names.hpp"
#include "launcher/bundle_remotes.hpp"
#include "launcher/bundle_text.hpp"
#include "launcher/bundle_verbs.hpp"
#include "runtime/base/file_text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

namespace troupe::launcher {

namespace {

using storage::kept_bundle;

void print_all(const bundle_work& x, const std::vector<kept_bundle>& all) {
  if (!x.shared.json)
    return print(all);
  auto out = nlohmann::json::array();
  for (const auto& each : all)
    out.push_back(json_of(each));
  std::puts(text_of(out).c_str());
}

result<void> list_contexts(const bundle_work& x) {
  auto all = x.place.bundles().contexts();
  if (!all)
    return all.error();
  if (!x.shared.json) {
    print(*all);
    return {};
  }
  auto out = nlohmann::json::array();
  for (const auto& [name, remote] : *all)
    out.push_back({{"name", name}, {"remote", remote}});
  std::puts(text_of(out).c_str());
  return {};
}

result<void> make_context(const bundle_work& x) {
  std::string remote;
  if (!x.options.remote.empty()) {
    auto whole = whole_remote(x.options.remote);
    if (!whole)
      return whole.error();
    remote = std::move(*whole);
  }
  return x.place.bundles().make_context(x.options.name, remote);
}

result<void> set_remote(const bundle_work& x) {
  auto all = x.place.bundles().contexts();
  if (!all)
    return all.error();
  auto is_it = [&](const auto& each) { return each.first == x.options.name; };
  if (std::none_of(all->begin(), all->end(), is_it))
    return {errc::not_found, "there is no context " + printable(x.options.name)
                               + "; make it with: troupe context create"};
  return make_context(x);
}

result<void> list_bundles(const bundle_work& x) {
  auto tags = pairs_told("--tag", x.options.tags);
  if (!tags)
    return tags.error();
  auto all = x.place.bundles().find({x.context, x.options.name, {}, *tags, x.options.removed});
  if (!all)
    return all.error();
  if (x.options.name.empty() && !x.options.all) {
    std::set<std::string> seen; // the newest of each name comes first
    std::erase_if(*all, [&](const auto& each) { return !seen.insert(each.what.name).second; });
  }
  print_all(x, *all);
  return {};
}

result<void> print_bytes(std::string_view bytes) {
  if (write_all(STDOUT_FILENO, bytes))
    return {};
  return {errc::io, std::string("cannot write the bytes of the bundle: ") + std::strerror(errno)
                      + "; write them to a place with room"};
}

result<void> cat_bundle(const bundle_work& x) {
  auto kept = bundle_named(x.place.bundles(), x.context, x.options.name);
  if (!kept)
    return kept.error();
  auto content = nlohmann::json::parse(kept->what.content, nullptr, false);
  auto has_value = content.is_object() && content.contains("value");
  if (x.options.path.empty() && has_value) {
    const auto& value = content["value"];
    return print_bytes((value.is_string() ? value.get<std::string>() : text_of(value)) + "\n");
  }
  auto files = files_of(x.place.bytes(), kept->what);
  if (!files)
    return files.error();
  auto wanted = std::ranges::find(files->items, x.options.path, &storage::tree_item::path);
  if (x.options.path.empty() && files->items.size() == 1)
    wanted = files->items.begin();
  if (wanted == files->items.end() && x.options.path.empty())
    return {errc::invalid, "the bundle " + kept->what.name + " has "
                             + std::to_string(files->items.size())
                             + " files; name one of those that troupe bundle show lists"};
  if (wanted == files->items.end() || !wanted->is_file())
    return {errc::not_found, "the bundle " + kept->what.name + " has no file "
                               + printable(x.options.path)
                               + "; name one of those that troupe bundle show lists"};
  return read_file(x.place.bytes(), *wanted, print_bytes);
}

result<void> show_bundle(const bundle_work& x) {
  auto kept = bundle_named(x.place.bundles(), x.context, x.options.name, true);
  if (!kept)
    return kept.error();
  auto files = files_of(x.place.bytes(), kept->what);
  if (!files && files.error().code != errc::unavailable)
    return files.error();
  if (!x.shared.json) {
    print(*kept, files ? &*files : nullptr);
    return {};
  }
  auto out = json_of(*kept);
  out["here"] = static_cast<bool>(files);
  if (files) {
    out["files"] = nlohmann::json::array();
    for (const auto& each : files->items)
      if (each.is_file())
        out["files"].push_back(
          {{"path", each.path}, {"bytes", each.size}, {"hash", each.hash.digits()}});
  }
  std::puts(text_of(out).c_str());
  return {};
}

result<void> tag_bundle(const bundle_work& x) {
  auto tags = pairs_told("the tag", x.options.tags);
  if (!tags)
    return tags.error();
  auto kept = bundle_named(x.place.bundles(), x.context, x.options.name);
  if (!kept)
    return kept.error();
  auto tagged = x.place.bundles().tag(kept->what.uuid, *tags);
  if (!tagged)
    return tagged.error();
  print_made(x, *tagged);
  return {};
}

// All words are understood before anything is removed.
result<std::vector<kept_bundle>> remove_here(const bundle_work& x) {
  std::vector<kept_bundle> all;
  for (const auto& name : x.options.names) {
    auto one = bundle_named(x.place.bundles(), x.context, name);
    if (!one)
      return one.error();
    if (!x.options.all || one->what.name != name) {
      all.push_back(std::move(*one));
      continue;
    }
    auto versions = x.place.bundles().find({x.context, name});
    if (!versions)
      return versions.error();
    std::ranges::move(*versions, std::back_inserter(all));
  }
  if (!x.options.dry_run)
    for (const auto& each : all)
      TROUPE_TRY(x.place.bundles().remove(each.what.uuid));
  return all;
}

result<void> remove_bundles(const bundle_work& x) {
  auto all = x.options.on_remote ? remove_on_remote(x) : remove_here(x);
  if (!all)
    return all.error();
  print_all(x, *all);
  if (x.shared.json)
    return {};
  if (x.options.dry_run)
    std::printf("%zu bundles would be removed\n", all->size());
  else
    std::printf("%zu bundles removed; troupe bundle gc%s frees their room\n", all->size(),
                x.options.on_remote ? " --on-remote" : "");
  return {};
}

result<void> name_for_ever(const bundle_work& x) {
  auto kept = bundle_named(x.place.bundles(), x.context, x.options.name);
  if (!kept)
    return kept.error();
  TROUPE_TRY(x.place.bundles().freeze(kept->context, x.options.alias, kept->what.uuid));
  print_made(x, *kept);
  return {};
}

result<void> run(const bundle_work& x) {
  switch (x.options.what) {
  case bundle_verb::context_create:
    return make_context(x);
  case bundle_verb::context_ls:
    return list_contexts(x);
  case bundle_verb::context_remote:
    return set_remote(x);
  case bundle_verb::add:
    return add_bundle(x);
  case bundle_verb::find:
    return find_bundle(x);
  case bundle_verb::ls:
    return list_bundles(x);
  case bundle_verb::cat:
    return cat_bundle(x);
  case bundle_verb::show:
    return show_bundle(x);
  case bundle_verb::tag:
    return tag_bundle(x);
  case bundle_verb::remove:
    return remove_bundles(x);
  case bundle_verb::alias:
    return name_for_ever(x);
  case bundle_verb::checkout:
    return checkout_bundle(x);
  case bundle_verb::commit:
    return commit_directory(x);
  case bundle_verb::push:
    return push_to_remote(x);
  case bundle_verb::pull:
    return pull_from_remote(x);
  case bundle_verb::sweep:
    return sweep_bundles(x);
  }
  return {errc::invalid, "the command is not known; see troupe bundle --help"};
}

} // namespace

int run_bundle_command(const shared_options& shared, const bundle_options& options) {
  auto context = context_of(options.context);
  if (!context)
    return complain(context.error());
  auto place = bundle_place::open(shared.directory);
  if (!place)
    return complain(place.error());
  bundle_work work{shared, options, **place, *context};
  auto is_of_bundles = options.what > bundle_verb::context_remote;
  if (is_of_bundles && *context == "default")
    if (auto made = work.place.bundles().make_context(*context); !made)
      return complain(made.error());
  auto done = run(work);
  return done ? 0 : complain(done.error());
}

} // namespace troupe::launcher
