// lineage, artifacts, watch, backup: the record of the cluster.
#include "launcher/lineage_commands.hpp"

#include "actors/lineage/graph_text.hpp"
#include "actors/lineage/graph_tree.hpp"
#include "launcher/record_access.hpp"
#include "runtime/base/random.hpp"
#include "storage/record.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace troupe::launcher {

namespace {

using storage::node_kind;

constexpr auto whole_record_time = std::chrono::hours(1); // to read all of it

volatile std::sig_atomic_t interrupted = 0;

void print(const nlohmann::json& x, int indent) {
  std::puts(x.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

// Type and filter as one filter.
std::string filter_of(const list_options& x) {
  if (x.type.empty())
    return x.where;
  auto type = "type = " + storage::filter_text(x.type);
  return x.where.empty() ? type : type + " AND (" + x.where + ")";
}

result<node_kind> kind_of(const list_options& x) {
  if (auto kind = storage::node_kind_named(x.kind))
    return *kind;
  return {errc::invalid, "'" + x.kind + "' is no kind; choose artifact, execution or context"};
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t out = 0;
  auto end = text.data() + text.size();
  auto [at, failed] = std::from_chars(text.data(), end, out);
  return failed == std::errc() && at == end ? std::optional(out) : std::nullopt;
}

uint64_t as_of(uint64_t sequence) {
  return sequence == 0 ? storage::latest : sequence;
}

// The newest artifact of this hash, uri or name.
result<uint64_t> newest(artifact_client& records, const std::string& text, uint64_t when) {
  std::error_code none;
  auto file = "file://" + std::filesystem::absolute(text, none).lexically_normal().string();
  std::vector<std::string> filters;
  for (const auto& [name, value] : {std::pair("uri", text), std::pair("uri", file),
                                    std::pair("name", text), std::pair("properties.name", text)})
    filters.push_back(name + (" = " + storage::filter_text(value)));
  if (storage::is_hex(text, 64))
    filters = {"hash = " + storage::filter_text(text)};
  for (const auto& filter : filters) {
    auto found = newest_of(records, node_kind::artifact, filter, when);
    if (!found || *found != 0)
      return found;
  }
  return {errc::not_found,
          "no artifact has the uri, name or hash '" + text + "'; see them with: troupe artifacts"};
}

// Where a walk begins, as `from` says.
result<void> add_start(artifact_client& records, const std::string& from, uint64_t when,
                       storage::lineage_request& to) {
  if (auto job = number_of(from)) {
    if (auto context = context_of_job(records, *job, when); !context)
      return context.error();
    to.executions = "contexts_job.external_id = " + storage::filter_text(job_in_lineage(*job));
    return {};
  }
  auto colon = from.find(':');
  if (auto kind = storage::node_kind_named(from.substr(0, colon));
      kind && colon != std::string::npos && *kind != node_kind::context)
    if (auto id = number_of(std::string_view(from).substr(colon + 1))) {
      to.from.emplace_back(*kind, *id);
      return {};
    }
  auto id = newest(records, from, when);
  if (!id)
    return id.error();
  to.from.emplace_back(node_kind::artifact, *id);
  return {};
}

result<received_graph> graph_from(artifact_client& records, const lineage_options& options,
                                  const std::string& from, storage::lineage_direction direction) {
  storage::lineage_request wanted;
  wanted.direction = direction;
  wanted.hops_max = options.depth;
  wanted.nodes_max = options.limit;
  wanted.ending_artifacts = options.until;
  TROUPE_TRY(add_start(records, from, as_of(options.as_of), wanted));
  return records.graph(wanted, as_of(options.as_of));
}

storage::lineage_direction direction_of(const lineage_options& options) {
  return options.way == "upstream"     ? storage::lineage_direction::upstream
         : options.way == "downstream" ? storage::lineage_direction::downstream
                                       : storage::lineage_direction::both;
}

void show(const received_graph& x, const shared_options& shared, const lineage_options& options) {
  if (x.graph.truncated && (options.dot || options.svg))
    std::fputs(
      "the picture lacks what is farther away: raise --limit, or draw less with --depth or "
      "--until\n",
      stderr);
  if (options.dot)
    std::fputs(as_dot(picture_of(x.graph, x.types)).c_str(), stdout);
  else if (options.svg)
    std::fputs(as_svg(picture_of(x.graph, x.types)).c_str(), stdout);
  else if (shared.json)
    print(as_json(x.graph, x.types), 2);
  else
    std::fputs(as_tree(x.graph, x.types).c_str(), stdout);
}

// A subscription for as long as this command runs, or one that stays.
class listening {
public:
  listening(artifact_client& records, storage::subscription what, bool stays)
    : records_(records), what_(std::move(what)), stays_(stays) {}
  listening(const listening&) = delete;
  listening& operator=(const listening&) = delete;
  ~listening() {
    if (!stays_)
      static_cast<void>(remove()); // at worst it costs its record
  }

  result<void> start() { return put(storage::subscription_step::add); }
  result<void> remove() { return put(storage::subscription_step::remove); }
  const std::string& name() const { return what_.name; }

private:
  result<void> put(storage::subscription_step step) {
    storage::change_set set;
    set.subscriptions = {{step, what_}};
    auto written = records_.write(set);
    if (!written)
      return written.error();
    return {};
  }

  artifact_client& records_;
  storage::subscription what_;
  bool stays_;
};

const char* name_of(storage::change_kind x) {
  switch (x) {
  case storage::change_kind::created:
    return "created";
  case storage::change_kind::updated:
    return "updated";
  default:
    return "linked";
  }
}

void show(const received_changes::change& x, const storage::type_catalog& types, bool json) {
  if (json) {
    auto out = as_json(x.now, types);
    out["change"] = name_of(x.what);
    out["change_sequence"] = x.at.sequence;
    print(out, -1);
  } else {
    std::printf("%lu %s %s\n", x.at.sequence, name_of(x.what), line_of(x.now, types).c_str());
  }
}

result<void> follow(artifact_client& records, const listening& to, uint64_t count, bool json) {
  storage::change_place done;
  uint64_t seen = 0;
  while (interrupted == 0 && (count == 0 || seen < count)) {
    auto news = records.next(
      to.name(), done,
      static_cast<uint32_t>(count == 0 ? 100 : std::min<uint64_t>(count - seen, 100)), true);
    if (!news)
      return news.error();
    for (const auto& each : news->changes)
      show(each, news->types, json);
    std::fflush(stdout);
    seen += news->changes.size();
    done = news->next;
  }
  // What was printed is not told again.
  auto last = records.next(to.name(), done, 1, false);
  if (!last)
    return last.error();
  return {};
}

} // namespace

int lineage(const shared_options& shared, const lineage_options& options) {
  auto work = [&](client& cluster, artifact_client& records) -> result<int> {
    auto job = number_of(options.from[0]);
    if (job && options.is_plain()) {
      auto answer = cluster.lineage(*job);
      if (!answer)
        return answer.error();
      std::puts(shared.json ? answer->json.c_str() : answer->text.c_str());
      return 0;
    }
    auto graph = graph_from(records, options, options.from[0], direction_of(options));
    if (!graph)
      return graph.error();
    show(*graph, shared, options);
    return 0;
  };
  return with_record(shared, answer_time, work);
}

int lineage_difference(const shared_options& shared, const lineage_options& options) {
  auto work = [&](client&, artifact_client& records) -> result<int> {
    std::vector<received_graph> both;
    for (const auto& each : options.from) {
      auto graph = graph_from(records, options, each, storage::lineage_direction::upstream);
      if (!graph)
        return graph.error();
      if (graph->graph.truncated)
        return error{errc::invalid, "the lineage of " + each
                                      + " is too large to be compared: bound it with --depth or "
                                        "--until, or raise --limit"};
      both.push_back(std::move(*graph));
    }
    auto found = difference(both[0].graph, both[0].types, both[1].graph, both[1].types);
    if (shared.json) {
      print({{"only_first", found.only_first}, {"only_second", found.only_second}}, 2);
      return 0;
    }
    for (const auto& each : found.only_first)
      std::printf("- %s\n", each.c_str());
    for (const auto& each : found.only_second)
      std::printf("+ %s\n", each.c_str());
    return 0;
  };
  return with_record(shared, answer_time, work);
}

int artifacts(const shared_options& shared, const list_options& options) {
  auto kind = kind_of(options);
  if (!kind)
    return complain(kind.error());
  auto work = [&](client&, artifact_client& records) -> result<int> {
    storage::list_request wanted;
    wanted.kind = *kind;
    wanted.filter = filter_of(options);
    wanted.descending = true;
    auto left = options.limit;
    auto all = nlohmann::json::array();
    do {
      wanted.page_size = std::min<size_t>(left, 1'000);
      auto page = records.list(wanted, as_of(options.as_of));
      if (!page)
        return page.error();
      for (const auto& each : page->nodes)
        if (shared.json)
          all.push_back(as_json(each, page->types));
        else
          std::puts(line_of(each, page->types).c_str());
      left -= static_cast<uint32_t>(page->nodes.size());
      wanted.page_token = page->next;
    } while (left > 0 && !wanted.page_token.empty());
    if (shared.json)
      print(all, 2);
    return 0;
  };
  return with_record(shared, answer_time, work);
}

int watch_record(const shared_options& shared, const list_options& options) {
  auto kind = kind_of(options);
  if (!kind)
    return complain(kind.error());
  auto work = [&](client&, artifact_client& records) -> result<int> {
    auto stays = !options.subscription.empty();
    if (options.remove) {
      listening gone(records, {options.subscription, *kind, {}, {}}, true);
      TROUPE_TRY(gone.remove());
      return 0;
    }
    auto name = stays ? options.subscription : "watch-" + std::to_string(unforeseen_number());
    listening to(records, {name, *kind, filter_of(options), {}}, stays);
    std::signal(SIGINT, [](int) { interrupted = 1; });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
    TROUPE_TRY(to.start());
    TROUPE_TRY(follow(records, to, options.count, shared.json));
    return 0;
  };
  return with_record(shared, answer_time, work);
}

int backup(const shared_options& shared, const std::string& directory) {
  auto work = [&](client&, artifact_client& records) -> result<int> {
    TROUPE_TRY(records.backup(directory));
    std::printf(
      "the record, the jobs and the bundles of %s are in %s, but not jobs (what tasks wrote), "
      "packages and keys; to restore: troupe down, put its store and objects in place of "
      "those in %s, troupe up\n",
      shared.directory.c_str(), directory.c_str(), shared.directory.c_str());
    return 0;
  };
  return with_record(shared, whole_record_time, work);
}

} // namespace troupe::launcher
