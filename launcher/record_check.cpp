#include "launcher/record_check.hpp"

#include "actors/cluster/client.hpp"
#include "actors/lineage/artifact_client.hpp"
#include "actors/lineage/bundle_client.hpp"
#include "launcher/bundle_check.hpp"
#include "launcher/bundle_text.hpp"
#include "launcher/commands.hpp"
#include "runtime/base/clock.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/metadata/audit.hpp"
#include "storage/metadata/filter.hpp"
#include "storage/metadata/first_format.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/metadata/stored.hpp"
#include "storage/rocksdb_store.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

namespace troupe::launcher {

namespace {

using storage::node_kind;

constexpr auto answer_patience = std::chrono::seconds(5);
constexpr auto whole_record_time = std::chrono::hours(1); // to read all of it
constexpr auto store_patience = std::chrono::seconds(10); // for another command
constexpr auto pause = std::chrono::milliseconds(50);
constexpr size_t findings_told = 500;

// How bundles stand in the record, see storage/bundles/bundle_store.cpp.
constexpr const char* bundle_type = "bundle";
constexpr const char* context_type = "bundle context";

struct record_state {
  storage::metadata_audit seen;      // with the number of all findings
  std::vector<std::string> findings; // with a cluster the first ones
  std::vector<bundle_to_check> bundles;
  std::unique_ptr<client> cluster; // that told it; none: the store did

  void found(std::string what) {
    ++seen.findings;
    findings.push_back(std::move(what));
  }
};

void add_bundle(const storage::node& x, const std::string& context, record_state& into) {
  auto record = x.properties.find("record");
  const auto* bytes
    = record == x.properties.end() ? nullptr : std::get_if<storage::any_bytes>(&record->second);
  auto what = storage::read_bundle(bytes == nullptr ? std::string_view() : bytes->bytes);
  if (what)
    into.bundles.push_back({what->uuid, what->name, context, what->tree});
  else
    into.found("the bundle of the artifact " + std::to_string(x.id)
               + " is lost, as its record cannot be read: " + what.error().text);
}

// What is broken beyond a single record is a finding; that nobody answers is none.
result<void> finish_list(const result<void>& listed, record_state& into) {
  if (!listed && listed.error().code != errc::corrupt)
    return listed.error();
  if (!listed)
    into.found("the bundles cannot all be listed, and the bytes of the others were not looked at: "
               + listed.error().text);
  return {};
}

// -- with a cluster ------------------------------------------------------------------------------

template <class Visit>
result<void> each_node(artifact_client& records, node_kind kind, const std::string& filter,
                       const Visit& visit) {
  storage::list_request wanted;
  wanted.kind = kind;
  wanted.filter = filter;
  wanted.page_size = 1'000;
  do {
    auto page = records.list(wanted);
    if (!page)
      return page.error();
    for (const auto& each : page->nodes)
      visit(each);
    wanted.page_token = page->next;
  } while (!wanted.page_token.empty());
  return {};
}

result<void> list_bundles(artifact_client& records, record_state& into) {
  auto of_type = [](const char* type) { return "type = " + storage::filter_text(type); };
  std::vector<std::string> contexts;
  TROUPE_TRY(each_node(records, node_kind::context, of_type(context_type),
                       [&](const storage::node& x) { contexts.push_back(x.name); }));
  for (const auto& name : contexts) {
    auto filter = of_type(bundle_type) + " AND state != DELETED AND contexts_c."
                  + of_type(context_type) + " AND contexts_c.name = " + storage::filter_text(name);
    TROUPE_TRY(each_node(records, node_kind::artifact, filter,
                         [&](const storage::node& x) { add_bundle(x, name, into); }));
  }
  return {};
}

result<record_state> ask_cluster(const std::string& directory) {
  auto connected = client::connect(directory, answer_patience, whole_record_time);
  if (!connected)
    return connected.error();
  artifact_client records((*connected)->link());
  auto checked = records.check();
  if (!checked)
    return checked.error();
  record_state out;
  out.seen = {checked->types, checked->nodes,   checked->versions, checked->events,
              checked->links, checked->changes, checked->indexes,  checked->findings_all};
  out.findings = std::move(checked->findings);
  TROUPE_TRY(finish_list(list_bundles(records, out), out));
  out.cluster = std::move(*connected);
  return out;
}

// -- without one ---------------------------------------------------------------------------------

// Of an artifact; "?": that is lost.
std::string context_of(const storage::reader& in, uint64_t artifact,
                       const std::set<uint64_t>& types) {
  std::string out;
  auto scanned = in.scan(storage::links_prefix(storage::link_kind::attribution, false, artifact),
                         {}, storage::no_limit, [&](auto key, auto) {
                           auto id = storage::node_key(node_kind::context, storage::other_of(key));
                           auto found = storage::find_record(in, id, storage::read_node);
                           if (found && *found && types.contains((*found)->type))
                             out = (*found)->name;
                           return out.empty();
                         });
  return !scanned || out.empty() ? "?" : out;
}

// Passes over what cannot be read, which the audit tells of.
result<void> list_bundles(const storage::store& store, record_state& into) {
  auto in = store.snapshot();
  std::set<uint64_t> bundles, contexts;
  TROUPE_TRY(in->scan(storage::types_prefix(), {}, storage::no_limit, [&](auto key, auto value) {
    auto type = storage::read_type(key, value);
    if (type && type->kind == node_kind::artifact && type->name == bundle_type)
      bundles.insert(type->id);
    if (type && type->kind == node_kind::context && type->name == context_type)
      contexts.insert(type->id);
    return true;
  }));
  auto all = storage::nodes_prefix(node_kind::artifact);
  auto size = storage::node_key(node_kind::artifact, 0).size();
  return in->scan(all, {}, storage::no_limit, [&](auto key, auto value) {
    if (key.size() != size)
      return true;
    auto x = storage::read_node(key, value);
    if (x && bundles.contains(x->type) && x->state != storage::node_state::deleted)
      add_bundle(*x, context_of(*in, x->id, contexts), into);
    return true;
  });
}

result<record_state> look_into(const storage::rocksdb_store& store, const std::string& directory) {
  auto old = storage::has_first_format(store);
  if (old && *old)
    return {errc::invalid, "the record in " + directory
                             + " is as 0.1.0 wrote it; start a cluster over it once, which brings "
                               "it to the form of today"};
  record_state out;
  auto audit = storage::audit_metadata(
    store, [&](const std::string& what) { out.findings.push_back(what); });
  if (!audit && audit.error().code != errc::corrupt)
    return audit.error();
  if (audit) {
    out.seen = *audit;
  } else {
    out.seen.findings = out.findings.size();
    out.found("the record cannot be read to its end: " + audit.error().text);
  }
  TROUPE_TRY(finish_list(list_bundles(store, out), out));
  return out;
}

// Waits for another command that has it. Errors: those of open_to_read().
result<std::unique_ptr<const storage::rocksdb_store>> open_store(const std::string& directory) {
  system_clock time;
  for (auto end = time.now() + store_patience;;) {
    auto opened = storage::rocksdb_store::open_to_read(directory + "/store");
    if (opened || opened.error().code != errc::already_exists || client::was_started(directory)
        || time.now() > end)
      return opened;
    std::this_thread::sleep_for(pause);
  }
}

result<record_state> look_at_record(const std::string& directory) {
  if (client::was_started(directory)) {
    auto told = ask_cluster(directory);
    if (told || told.error().code != errc::unavailable)
      return told;
  } // nobody answers: the store may be what keeps the master from starting
  auto store = open_store(directory);
  if (store)
    return look_into(**store, directory);
  switch (store.error().code) {
  case errc::already_exists:
    if (client::was_started(directory)) // meanwhile
      return ask_cluster(directory);
    return {errc::unavailable, "another command has had the store in " + directory + " for "
                                 + std::to_string(store_patience.count())
                                 + " s; wait for it, and try again"};
  case errc::corrupt: {
    record_state out;
    out.found(store.error().text);
    return out;
  }
  case errc::not_found:
    return {errc::unavailable, "there is no record in " + directory
                                 + ": no cluster was started and no bundle added there; choose "
                                   "another with --dir"};
  default:
    return store.error();
  }
}

// -- bytes, and what is said ---------------------------------------------------------------------

// Null: nothing was ever put there.
result<std::unique_ptr<storage::object_store>> open_objects(const std::string& directory,
                                                            client* cluster) {
  using objects = std::unique_ptr<storage::object_store>;
  auto path = directory + "/objects";
  std::error_code failed;
  if (cluster == nullptr && !std::filesystem::exists(path, failed))
    return objects();
  auto opened = storage::directory_objects::open(path);
  if (opened)
    return objects(std::move(*opened));
  if (cluster != nullptr && opened.error().code == errc::refused)
    return objects(std::make_unique<cluster_objects>(cluster->link()));
  return opened.error();
}

result<bytes_checked> look_at_bytes(const std::string& directory, const record_state& record,
                                    const check_options& options) {
  auto objects = open_objects(directory, record.cluster.get());
  if (!objects)
    return objects.error();
  if (!*objects) {
    bytes_checked none;
    for (const auto& each : record.bundles)
      ++(each.tree.empty() ? none.bundles : none.elsewhere);
    return none;
  }
  bytes_check_options with;
  with.read = options.read;
  system_clock time;
  auto next = time.now() + std::chrono::seconds(1);
  if (::isatty(STDERR_FILENO) != 0)
    with.report = [&](const bytes_checked& x) {
      if (time.now() < next)
        return;
      next = time.now() + std::chrono::seconds(1);
      std::fprintf(stderr, "%lu chunks read, %s\n", x.chunks, size_text(x.bytes_read).c_str());
    };
  return check_bytes(**objects, record.bundles, with);
}

nlohmann::json json_of(const record_state& record, const bytes_checked& bytes,
                       const std::vector<std::string>& findings, uint64_t count) {
  nlohmann::json out = {{"types", record.seen.types},
                        {"nodes", record.seen.nodes},
                        {"versions", record.seen.versions},
                        {"events", record.seen.events},
                        {"links", record.seen.links},
                        {"changes", record.seen.changes},
                        {"indexes", record.seen.indexes},
                        {"bundles", bytes.bundles},
                        {"bundles_elsewhere", bytes.elsewhere},
                        {"chunks", bytes.chunks},
                        {"bytes_read", bytes.bytes_read},
                        {"findings", findings},
                        {"findings_all", count},
                        {"lost", nlohmann::json::array()}};
  for (const auto& each : bytes.lost)
    out["lost"].push_back({{"uuid", each.of.uuid},
                           {"name", each.of.name},
                           {"context", each.of.context},
                           {"files", each.files},
                           {"files_all", each.files_all},
                           {"chunks", each.chunks},
                           {"why", each.why}});
  return out;
}

} // namespace

int check_record(const shared_options& shared, const check_options& options) {
  auto record = look_at_record(shared.directory);
  if (!record)
    return complain(record.error());
  auto bytes = look_at_bytes(shared.directory, *record, options);
  if (!bytes)
    return complain(bytes.error());
  auto findings = record->findings;
  findings.insert(findings.end(), bytes->objects.begin(), bytes->objects.end());
  std::transform(bytes->lost.begin(), bytes->lost.end(), std::back_inserter(findings), sentence_of);
  auto count = record->seen.findings + bytes->objects.size() + bytes->lost.size();
  if (shared.json) {
    std::puts(text_of(json_of(*record, *bytes, findings, count)).c_str());
    return count == 0 ? 0 : 1;
  }
  auto told = std::min(findings.size(), findings_told);
  for (size_t i = 0; i < told; ++i)
    std::puts(findings[i].c_str());
  if (told < count)
    std::printf("and %lu more; --json has no bound\n", count - told);
  const auto& seen = record->seen;
  std::printf("%lu nodes, %lu earlier versions, %lu events, %lu links, %lu changes, %lu index "
              "entries; %lu bundles of %lu chunks%s, %lu bundles elsewhere: %lu findings\n",
              seen.nodes, seen.versions, seen.events, seen.links, seen.changes, seen.indexes,
              bytes->bundles, bytes->chunks, options.read ? ", all read" : "", bytes->elsewhere,
              count);
  return count == 0 ? 0 : 1;
}

} // namespace troupe::launcher
