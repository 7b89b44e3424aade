#include "actors/jobs/tony_keys.hpp"

#include "actors/jobs/spelling.hpp"

#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr auto honoured = tony_rule::honoured;
constexpr auto nothing = tony_rule::without_effect;
constexpr auto refused = tony_rule::refused;

constexpr std::string_view no_hadoop = "Troupe needs no Hadoop";
constexpr std::string_view no_master = "the cluster has one master for all jobs, and it runs";
constexpr std::string_view no_java = "no part of Troupe runs in a Java machine";
constexpr std::string_view no_portal = "there is no portal: ask with troupe jobs and troupe job ID";
constexpr std::string_view no_history = "the cluster's event log keeps the history of its jobs";
constexpr std::string_view watched
  = "the cluster watches its nodes and tasks by heartbeats of its own";
constexpr std::string_view no_placing
  = "Troupe places tasks by node labels, not by constraints between tasks: remove the key";
constexpr std::string_view no_tony_test = "it is a switch of TonY's own tests: remove it";

// Exact keys stand before the patterns that match them too.
constexpr tony_row table[]{
  // one type of tasks
  {"tony.<t>.instances", honoured, {}, {}},
  {"tony.<t>.memory", honoured, {}, {}},
  {"tony.<t>.vcores", honoured, {}, {}},
  {"tony.<t>.gpus", honoured, {}, {}},
  {"tony.<t>.command", honoured, {}, {}},
  {"tony.<t>.max-instances", honoured, {}, {}},
  {"tony.<t>.depends-on", honoured, {}, {}},
  {"tony.<t>.resources", honoured, {}, {}},
  {"tony.<t>.node-label", honoured, {}, {}},
  {"tony.<t>.placement-spec", refused, no_placing, {}},
  {"tony.<t>.allocation-tags", nothing, "only a placement-spec looks at it", {}},
  {"tony.worker.timeout", honoured, {}, {}},
  // all types of tasks
  {"tony.containers.command", honoured, {}, {}},
  {"tony.containers.envs", honoured, {}, {}},
  {"tony.execution.envs", honoured, {}, {}},
  {"tony.containers.resources", honoured, {}, {}},
  {"tony.containers.placement-spec", refused, no_placing, {}},
  {"tony.containers.allocation-tags", nothing, "only a placement-spec looks at it", {}},
  // limits
  {"tony.task.max-total-instances", honoured, {}, {}},
  {"tony.task.max-total-<resource>", honoured, {}, {}},
  // the application
  {"tony.application.name", honoured, {}, {}},
  {"tony.application.type", nothing, "Troupe has one type of jobs", {}},
  {"tony.application.tags", honoured, {}, {}},
  {"tony.application.framework", honoured, {}, {}},
  {"tony.application.distributed-mode", honoured, {}, {}},
  {"tony.application.timeout", honoured, {}, {}},
  {"tony.application.node-label", honoured, {}, {}},
  {"tony.application.placement-spec", refused, no_placing, {}},
  {"tony.application.enable-preprocess", refused,
   "Troupe has no master of one job that could run a script first: make it a task type of "
   "tony.application.prepare-stage",
   "false"},
  {"tony.application.prepare-stage", honoured, {}, {}},
  {"tony.application.training-stage", honoured, {}, {}},
  {"tony.application.untracked.jobtypes", honoured, {}, {}},
  {"tony.application.sidecar.jobtypes", honoured, {}, {}},
  {"tony.application.stop-on-failure-jobtypes", honoured, {}, {}},
  {"tony.application.fail-on-worker-failure-enabled", honoured, {}, {}},
  {"tony.application.tensorboard-log-dir", honoured, {}, {}},
  {"tony.application.security.enabled", nothing, "the links of a cluster are always safe", {}},
  {"tony.application.num-client-rm-connect-retries",
   nothing,
   "the client waits for the master until its deadline",
   {}},
  {"tony.application.hadoop.location", nothing, no_hadoop, {}},
  {"tony.application.hadoop.classpath", nothing, no_hadoop, {}},
  {"tony.application.hdfs-conf-path", nothing, no_hadoop, {}},
  {"tony.application.yarn-conf-path", nothing, no_hadoop, {}},
  {"tony.application.mapred-conf-path", nothing, no_hadoop, {}},
  {"tony.application.group.<G>", honoured, {}, {}},
  {"tony.application.dependency.<t>.timeout.after.<G>", honoured, {}, {}},
  {"tony.application.dependency.<t>.timeout.after.<G>.ignored", honoured, {}, {}},
  // the executor
  {"tony.task.heartbeat-interval-ms", nothing, watched, {}},
  {"tony.task.max-missed-heartbeats", nothing, watched, {}},
  {"tony.task.metrics-interval-ms", nothing, "a task is measured every 5 s", {}},
  {"tony.task.gpu-metrics.enabled", nothing, "a task's own accelerators are always measured", {}},
  {"tony.task.executor.execution-timeout-ms", honoured, {}, {}},
  {"tony.task.executor.registry-timeout-sec", honoured, {}, {}},
  {"tony.task.executor.jvm.opts", nothing, no_java, {}},
  {"tony.task.executor.execution.error-message-max-depth",
   nothing,
   "the log of a task keeps what it printed, up to 64 MiB",
   {}},
  {"tony.task.am.jvm.opts", nothing, no_java, {}},
  {"tony.task.default.jvm.opts", nothing, no_java, {}},
  // the master
  {"tony.am.retry-count", honoured, {}, {}},
  {"tony.am.memory", nothing, no_master, {}},
  {"tony.am.vcores", nothing, no_master, {}},
  {"tony.am.gpus", nothing, no_master, {}},
  {"tony.am.startup-timeout", nothing, no_master, {}},
  {"tony.am.wait-client-signal-stop-timeout-sec",
   nothing,
   "a job ends without waiting for its client",
   {}},
  {"tony.container.allocation.timeout", honoured, {}, {}},
  {"tony.container.registration.timeout", honoured, {}, {}},
  // images
  {"tony.docker.enabled", honoured, {}, {}},
  {"tony.docker.containers.image", honoured, {}, {}},
  {"tony.docker.containers.mount", honoured, {}, {}},
  {"tony.docker.<t>.image", honoured, {}, {}},
  // Horovod
  {"tony.horovod.driver.mode.debug", honoured, {}, {}},
  {"tony.horovod.mode.test", refused, no_tony_test, "false"},
  {"tony.horovod.mode.test.fast.fail", refused, no_tony_test, "false"},
  // history and portal
  {"tony.history.location", nothing, no_history, {}},
  {"tony.history.intermediate", nothing, no_history, {}},
  {"tony.history.finished", nothing, no_history, {}},
  {"tony.history.mover-interval-ms", nothing, no_history, {}},
  {"tony.history.retention-sec", nothing, "jobs are kept as long as `up --keep-for` says", {}},
  {"tony.history.purger-interval-ms", nothing, no_history, {}},
  {"tony.history.finished-dir-timezone", nothing, no_history, {}},
  {"tony.portal.url", nothing, no_portal, {}},
  {"tony.portal.cache.max-entries", nothing, no_portal, {}},
  {"tony.http.port", nothing, no_portal, {}},
  {"tony.https.port", nothing, no_portal, {}},
  {"tony.https.keystore.<any>", nothing, no_portal, {}},
  {"tony.secret.key", nothing, no_portal, {}},
  {"tony.keytab.user", nothing, no_portal, {}},
  {"tony.keytab.location", nothing, no_portal, {}},
  // the rest
  {"tony.yarn.queue", honoured, {}, {}},
  {"tony.other.namenodes", nothing, no_hadoop, {}},
  {"tony.gpu-exec-path", nothing, "Troupe asks no nvidia-smi", {}},
  {"tony.python-exec-path", nothing, "each command names the Python that runs it", {}},
  {"tony.version-info.<any>", nothing, "it says which TonY wrote the file", {}},
};

// Second words of keys, which are no names of types.
constexpr std::array<std::string_view, 18> reserved{
  "am",      "application", "container",    "containers", "docker", "execution", "gpu-exec-path",
  "history", "horovod",     "http",         "https",      "keytab", "other",     "portal",
  "secret",  "task",        "version-info", "yarn"};

bool is_word(std::string_view x, std::string_view more) {
  return !x.empty() && x.size() <= 128 && std::all_of(x.begin(), x.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}

bool is_type(std::string_view x) {
  return is_word(x, "_-") && x[0] >= 'a' && x[0] <= 'z'
         && std::find(reserved.begin(), reserved.end(), x) == reserved.end();
}

bool fits(std::string_view placeholder, std::string_view x) {
  if (placeholder == "<t>")
    return is_type(x);
  if (placeholder == "<any>")
    return !x.empty();
  return is_word(x, placeholder == "<G>" ? "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ" : "_-/");
}

bool matches(std::string_view pattern, std::string_view key, std::vector<std::string>& names) {
  auto open = pattern.find('<');
  if (open == std::string_view::npos)
    return pattern == key;
  if (!key.starts_with(pattern.substr(0, open)))
    return false;
  auto close = pattern.find('>', open);
  auto placeholder = pattern.substr(open, close + 1 - open);
  key.remove_prefix(open);
  auto name = placeholder == "<any>" ? key : key.substr(0, key.find('.'));
  if (!fits(placeholder, name))
    return false;
  names.emplace_back(name);
  return matches(pattern.substr(close + 1), key.substr(name.size()), names);
}

// `pattern` with what the key has in the place of a type's name.
std::string written_for(std::string_view pattern, const std::string& key) {
  std::string out{pattern};
  auto at = out.find("<t>");
  auto begin = std::min(at, key.size());
  auto name = key.substr(begin, key.find('.', begin) - begin);
  return at != 5 || !is_type(name) ? out : out.replace(at, 3, name);
}

// A key whose second word only is another, as in tony.application.retry-count: the one key that
// ends like it; nullptr: there is none, or several.
const tony_row* same_end(const std::string& key) {
  auto dot = key.find('.', std::string_view{"tony."}.size());
  if (dot == std::string::npos)
    return nullptr;
  auto end = std::string_view{key}.substr(dot);
  const tony_row* found = nullptr;
  for (auto& row : table) {
    auto at = row.pattern.find('.', std::string_view{"tony."}.size());
    if (at == row.pattern.npos || row.pattern.substr(at) != end)
      continue;
    if (found)
      return nullptr;
    found = &row;
  }
  return found;
}

} // namespace

std::span<const tony_row> tony_rows() {
  return table;
}

tony_match match_tony_key(const std::string& key) {
  for (auto& row : table) {
    tony_match out{&row, {}};
    if (matches(row.pattern, key, out.names))
      return out;
  }
  return {};
}

std::string nearest_tony_key(const std::string& key) {
  auto shown = key.substr(0, 128);
  auto* other = same_end(key);
  if (other && other->pattern.find('<') == std::string_view::npos)
    return std::string{other->pattern};
  std::string best;
  auto least = std::string::npos;
  for (auto& row : table) {
    auto candidate = written_for(row.pattern, shown);
    auto distance = edit_distance(shown, candidate);
    if (distance < least) {
      least = distance;
      best = std::move(candidate);
    }
  }
  return best;
}

} // namespace troupe
