// troupe bundle push, pull, gc; rm --on-remote.
#include "launcher/bundle_names.hpp"
#include "launcher/bundle_remotes.hpp"
#include "launcher/bundle_text.hpp"
#include "launcher/bundle_verbs.hpp"
#include "launcher/times.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/owned_fd.hpp"
#include "storage/bundles/bundle_remote.hpp"
#include "storage/bytes/sweep.hpp"
#include "storage/record.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

namespace troupe::launcher {

namespace {

using storage::kept_bundle;

result<std::string> remote_of(const bundle_work& x) {
  if (!x.options.remote.empty())
    return x.options.remote;
  auto all = x.place.bundles().contexts();
  if (!all)
    return all.error();
  for (const auto& [name, remote] : *all)
    if (name == x.context && !remote.empty())
      return remote;
  return {errc::invalid, "the context " + x.context
                           + " has no remote; say --remote, or once: troupe context remote "
                           + x.context + " REMOTE"};
}

result<bundle_remote> open_remote(const bundle_work& x, remote_use use) {
  auto what = remote_of(x);
  if (!what)
    return what.error();
  return bundle_remote::open(*what, x.place.directory(), use);
}

storage::transfer_options with_progress() {
  storage::transfer_options out;
  if (::isatty(STDERR_FILENO) != 0)
    out.report = [](const storage::transfer_progress& x) {
      std::fprintf(stderr, "%lu of %lu chunks, %s\n", x.chunks, x.chunks_all,
                   size_text(x.bytes).c_str());
    };
  return out;
}

void print_moved(const bundle_work& x, const char* verb, const storage::bundles_moved& moved,
                 size_t left_out) {
  if (x.shared.json) {
    nlohmann::json out = {{"bundles", moved.bundles},
                          {"chunks", moved.bytes.chunks},
                          {"bytes", moved.bytes.bytes},
                          {"chunks_known", moved.bytes.known},
                          {"left_out", left_out}};
    std::puts(text_of(out).c_str());
    return;
  }
  std::printf("%s %lu bundles: %s in %lu chunks moved, %lu chunks were there\n", verb,
              moved.bundles, size_text(moved.bytes.bytes).c_str(), moved.bytes.chunks,
              moved.bytes.known);
  if (left_out > 0)
    std::printf("%zu bundles were left out: their bytes are not here\n", left_out);
}

// Those of them whose bytes are here, or that have none.
result<std::vector<std::string>> with_bytes(const storage::chunk_store& bytes,
                                            const std::vector<kept_bundle>& all) {
  std::vector<storage::tree_id> trees;
  for (const auto& each : all)
    if (!each.what.tree.empty()) {
      auto tree = storage::tree_id::parse(each.what.tree);
      if (!tree)
        return tree.error();
      trees.push_back(*tree);
    }
  auto here = storage::trees_that_are_here(bytes, trees);
  if (!here)
    return here.error();
  std::set<std::string> found;
  for (const auto& each : *here)
    found.insert(each.digits());
  std::vector<std::string> out;
  for (const auto& each : all)
    if (each.what.tree.empty() || found.contains(each.what.tree))
      out.push_back(each.what.uuid);
  return out;
}

// What push was told, or all of the context.
result<std::vector<kept_bundle>> bundles_told(const bundle_work& x) {
  if (x.options.names.empty())
    return x.place.bundles().find({x.context});
  std::vector<kept_bundle> out;
  for (const auto& name : x.options.names) {
    auto one = bundle_named(x.place.bundles(), x.context, name);
    if (!one)
      return one.error();
    out.push_back(std::move(*one));
  }
  return out;
}

// The uuids of what the words mean on the remote: the newest of a name, or with --all every one.
result<std::vector<std::string>> named_on(const storage::object_store& remote,
                                          const bundle_work& x) {
  std::vector<std::string> out;
  std::vector<storage::bundle> there; // read once, where a name is asked for
  for (const auto& name : x.options.names) {
    if (storage::is_hex(name, 32)) {
      out.push_back(name);
      continue;
    }
    if (there.empty()) {
      auto all = storage::list_bundles(remote, x.context);
      if (!all)
        return all.error();
      there = std::move(*all);
    }
    auto before = out.size();
    for (const auto& each : there)
      if (each.name == name && (x.options.all || out.size() == before))
        out.push_back(each.uuid);
    if (out.size() == before)
      return {errc::not_found, "the remote has no bundle " + printable(name) + " in the context "
                                 + x.context
                                 + "; to see those that it has, bring their records here with: "
                                   "troupe bundle pull --records"};
  }
  return out;
}

// One sweep of a store at a time: the lock goes with the process.
result<owned_fd> lock_sweeps(const std::string& directory) {
  auto path = directory + "/sweep.lock";
  owned_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!file)
    return {errc::refused, "cannot open " + path + ": " + std::strerror(errno)
                             + "; sweep as the user of the cluster, on its machine"};
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return {errc::unavailable, "another sweep runs in " + directory + "; wait for it"};
  return file;
}

void print_swept(const bundle_work& x, const storage::swept& done, size_t elsewhere) {
  if (x.shared.json) {
    nlohmann::json out = {{"dry_run", x.options.dry_run},
                          {"chunks_live", done.chunks_live},
                          {"chunks_dropped", done.chunks_dropped},
                          {"packs_condemned", done.packs_condemned},
                          {"bytes_condemned", done.bytes_condemned},
                          {"packs_removed", done.packs_removed},
                          {"bytes_removed", done.bytes_removed},
                          {"bytes_rewritten", done.bytes_rewritten},
                          {"trees_elsewhere", elsewhere}};
    std::puts(text_of(out).c_str());
    return;
  }
  std::printf(
    "%s%lu chunks are needed, %lu are not; packs set aside: %lu (%s), removed: %lu (%s)\n",
    x.options.dry_run ? "would be: " : "", done.chunks_live, done.chunks_dropped,
    done.packs_condemned, size_text(done.bytes_condemned).c_str(), done.packs_removed,
    size_text(done.bytes_removed).c_str());
  if (done.packs_condemned > done.packs_removed)
    std::printf("what was set aside is removed by a sweep after %s\n", x.options.guard.c_str());
  if (elsewhere > 0)
    std::printf("of %zu bundles the bytes are elsewhere\n", elsewhere);
}

result<storage::sweep_options> sweep_told(const bundle_work& x) {
  auto guard = time_of("--guard", x.options.guard);
  if (!guard)
    return guard.error();
  constexpr int64_t second = 1'000'000'000;
  storage::sweep_options out;
  out.now_s = system_clock{}.wall_ns() / second;
  out.guard = std::chrono::duration_cast<std::chrono::seconds>(*guard);
  out.dry_run = x.options.dry_run;
  return out;
}

result<void> sweep_remote(const bundle_work& x, const storage::sweep_options& how) {
  auto remote = open_remote(x, remote_use::pull);
  if (!remote)
    return remote.error();
  if (remote->is_troupe())
    return {errc::invalid, "a cluster frees its own room; run troupe bundle gc with its --dir"};
  auto chunks = storage::chunk_store::open(remote->objects());
  if (!chunks)
    return chunks.error();
  auto roots = storage::trees_of_remote(remote->objects());
  if (!roots)
    return roots.error();
  auto done = storage::sweep(**chunks, *roots, how);
  if (!done)
    return done.error();
  print_swept(x, *done, 0);
  return {};
}

} // namespace

result<void> push_to_remote(const bundle_work& x) {
  auto all = bundles_told(x);
  if (!all)
    return all.error();
  auto uuids = with_bytes(x.place.bytes(), *all);
  if (!uuids)
    return uuids.error();
  auto left_out = all->size() - uuids->size();
  if (left_out > 0 && !x.options.names.empty())
    return {errc::unavailable, "of " + std::to_string(left_out)
                                 + " of these bundles only the records are here; fetch their bytes "
                                   "with: troupe bundle pull UUID"};
  auto remote = open_remote(x, remote_use::push);
  if (!remote)
    return remote.error();
  auto moved = storage::push_bundles(x.place.bundles(), *uuids, remote->objects(), with_progress());
  if (!moved)
    return moved.error();
  print_moved(x, "pushed", *moved, left_out);
  return {};
}

result<void> pull_from_remote(const bundle_work& x) {
  auto remote = open_remote(x, remote_use::pull);
  if (!remote)
    return remote.error();
  auto uuids = named_on(remote->objects(), x);
  if (!uuids)
    return uuids.error();
  storage::pull_request wanted;
  wanted.context = x.context;
  wanted.uuids = std::move(*uuids);
  wanted.with_bytes = !x.options.records;
  auto moved = storage::pull_bundles(x.place.bundles(), wanted, remote->objects(), with_progress());
  if (!moved)
    return moved.error();
  print_moved(x, "pulled", *moved, 0);
  return {};
}

// All words are understood before anything is removed.
result<std::vector<kept_bundle>> remove_on_remote(const bundle_work& x) {
  auto remote = open_remote(x, remote_use::pull);
  if (!remote)
    return remote.error();
  if (remote->is_troupe())
    return {errc::invalid,
            "the remote has bundles of its own; run troupe bundle rm there, with its --dir"};
  auto uuids = named_on(remote->objects(), x);
  if (!uuids)
    return uuids.error();
  std::vector<kept_bundle> out;
  for (const auto& uuid : *uuids) {
    auto record = storage::get_bundle(remote->objects(), x.context, uuid);
    if (!record && record.error().code != errc::corrupt)
      return record.error();
    auto& each = out.emplace_back();
    each.context = x.context;
    if (record)
      each.what = std::move(*record);
    else // nothing can be shown of it, but it can be removed
      each.what.uuid = uuid;
  }
  if (!x.options.dry_run)
    for (const auto& each : out)
      TROUPE_TRY(storage::remove_bundle(remote->objects(), x.context, each.what.uuid));
  return out;
}

result<void> sweep_bundles(const bundle_work& x) {
  auto how = sweep_told(x);
  if (!how)
    return how.error();
  if (x.options.on_remote)
    return sweep_remote(x, *how);
  auto lock = lock_sweeps(x.place.directory());
  if (!lock)
    return lock.error();
  auto all = x.place.bundles().trees();
  if (!all)
    return all.error();
  auto roots = storage::trees_that_are_here(x.place.bytes(), *all);
  if (!roots)
    return roots.error();
  auto done = storage::sweep(x.place.bytes(), *roots, *how);
  if (!done)
    return done.error();
  print_swept(x, *done, all->size() - roots->size());
  return {};
}

} // namespace troupe::launcher
