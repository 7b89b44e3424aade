// Every key of TonY's, and what becomes of it.
#include "actors/jobs/tony_keys.hpp"
#include "tests/unit/jobs/tony_support.hpp"

#include <functional>
#include <set>

namespace troupe::testing_tony {
namespace {

using check = std::function<bool(const job_spec_msg&)>;

// One key and what becomes of it: exactly one of the three is given.
struct row {
  std::string pattern;
  std::string key, value;
  check honoured;
  std::string note, refusal; // a part of it
  settings with;             // what has to stand beside it
};

row honours(std::string pattern, std::string key, std::string value, check holds,
            settings with = {}) {
  return {std::move(pattern), std::move(key), std::move(value), std::move(holds), {}, {},
          std::move(with)};
}

row notes(std::string key, std::string value, std::string why, std::string pattern = {}) {
  return {pattern.empty() ? key : pattern, key, std::move(value), {}, std::move(why), {}, {}};
}

// `said`: what only this refusal says.
row refuses(std::string key, std::string value, std::string said, std::string pattern = {},
            settings with = {}) {
  return {pattern.empty() ? key : pattern,
          key,
          std::move(value),
          {},
          {},
          std::move(said),
          std::move(with)};
}

std::vector<row> rows_of_types() {
  return {
    honours("tony.<t>.instances", "tony.worker.instances", "3",
            [](auto& x) { return type_of(x, "worker").instances == 3; }),
    honours("tony.<t>.memory", "tony.ps.memory", "3g",
            [](auto& x) {
              return type_of(x, "ps").memory == 3ull << 30 && type_of(x, "worker").memory == 0;
            }),
    honours("tony.<t>.vcores", "tony.ps.vcores", "5",
            [](auto& x) { return type_of(x, "ps").cpus == 5 && type_of(x, "worker").cpus == 1; }),
    honours("tony.<t>.gpus", "tony.worker.gpus", "4",
            [](auto& x) {
              return type_of(x, "worker").accelerators == 4 && type_of(x, "ps").accelerators == 0;
            }),
    honours("tony.<t>.command", "tony.ps.command", "serve",
            [](auto& x) {
              return type_of(x, "ps").command == shell("serve")
                     && type_of(x, "worker").command == shell("python train.py");
            }),
    refuses("tony.<t>.max-instances", "1", "above", "tony.<t>.max-instances"),
    honours("tony.<t>.depends-on", "tony.worker.depends-on", "prep",
            [](auto& x) { return type_of(x, "worker").after == std::vector<std::string>{"prep"}; },
            {{"tony.prep.instances", "1"}}),
    honours("tony.<t>.resources", "tony.worker.resources", "/abs/data.zip#archive,conf/a.txt::b",
            [](auto& x) {
              auto& all = type_of(x, "worker").resources;
              return all.size() == 2 && all[0]->path == "/abs/data.zip"
                     && all[0]->name == "data.zip" && all[0]->kind == resource_kind::archive
                     && all[1]->path == "/data/conf/a.txt" && all[1]->name == "b"
                     && all[1]->kind == resource_kind::file && type_of(x, "ps").resources.empty();
            }),
    honours("tony.<t>.node-label", "tony.worker.node-label", "gpu",
            [](auto& x) {
              return type_of(x, "worker").labels == std::vector<std::string>{"gpu"}
                     && type_of(x, "ps").labels.empty();
            }),
    refuses("tony.worker.placement-spec", "x", "by node labels", "tony.<t>.placement-spec"),
    notes("tony.worker.allocation-tags", "x", "placement-spec", "tony.<t>.allocation-tags"),
    honours("tony.worker.timeout", "tony.worker.timeout", "7000",
            [](auto& x) {
              return type_of(x, "worker").timeout_ns == 7 * second
                     && type_of(x, "ps").timeout_ns == 0;
            }),
  };
}

std::vector<row> rows_of_all_types() {
  return {
    honours("tony.containers.command", "tony.containers.command", "other",
            [](auto& x) { return type_of(x, "worker").command == shell("other"); }),
    honours("tony.containers.envs", "tony.containers.envs", "A=1, B=x=y,C",
            [](auto& x) {
              auto& ps = type_of(x, "ps");
              return has_env(ps, "A", "1") && has_env(ps, "B", "x=y") && has_env(ps, "C", "")
                     && has_env(type_of(x, "worker"), "A", "1");
            }),
    honours("tony.execution.envs", "tony.execution.envs", "A=2",
            [](auto& x) {
              auto& ps = type_of(x, "ps");
              return has_env(ps, "A", "2") && ps.env.size() == 1;
            },
            {{"tony.containers.envs", "A=1"}}),
    honours("tony.containers.resources", "tony.containers.resources", "venv.zip::venv#ARCHIVE",
            [](auto& x) {
              auto& all = type_of(x, "ps").resources;
              return all.size() == 1 && all[0]->path == "/data/venv.zip" && all[0]->name == "venv"
                     && all[0]->kind == resource_kind::archive
                     && type_of(x, "worker").resources.size() == 1;
            }),
    refuses("tony.containers.placement-spec", "x", "by node labels"),
    notes("tony.containers.allocation-tags", "x", "placement-spec"),
    refuses("tony.task.max-total-instances", "2", "more instances in all than the 2"),
    refuses("tony.task.max-total-gpus", "3", "more gpus in all than the 3",
            "tony.task.max-total-<resource>", {{"tony.worker.gpus", "2"}}),
  };
}

std::vector<row> rows_of_roles() {
  return {
    honours(app + "prepare-stage", app + "prepare-stage", "ps",
            [](auto& x) { return type_of(x, "worker").after == std::vector<std::string>{"ps"}; },
            {{app + "untracked.jobtypes", ""}}),
    honours(app + "training-stage", app + "training-stage", "worker",
            [](auto& x) {
              return type_of(x, "worker").after == std::vector<std::string>{"prep"}
                     && type_of(x, "prep").after.empty();
            },
            {{"tony.prep.instances", "1"}}),
    honours(app + "untracked.jobtypes", app + "untracked.jobtypes", "ps,evaluator",
            [](auto& x) {
              return type_of(x, "evaluator").role == task_role::untracked
                     && type_of(x, "ps").role == task_role::untracked
                     && type_of(x, "worker").role == task_role::tracked;
            },
            {{"tony.evaluator.instances", "1"}}),
    honours(app + "sidecar.jobtypes", app + "sidecar.jobtypes", "board",
            [](auto& x) { return type_of(x, "board").role == task_role::sidecar; },
            {{"tony.board.instances", "1"}}),
    honours(app + "stop-on-failure-jobtypes", app + "stop-on-failure-jobtypes", "data",
            [](auto& x) { return !type_of(x, "data").go_on && type_of(x, "worker").go_on; },
            {{"tony.data.instances", "1"}}),
    honours(app + "fail-on-worker-failure-enabled", app + "fail-on-worker-failure-enabled", "true",
            [](auto& x) { return !type_of(x, "worker").go_on; }),
    honours(app + "tensorboard-log-dir", app + "tensorboard-log-dir", "/logs/it's",
            [](auto& x) {
              if (x.tasks.size() != 3)
                return false;
              auto& board = type_of(x, "tensorboard");
              return board.role == task_role::sidecar && board.cpus == 2
                     && has(board.command[2], {"tensorboard --logdir '/logs/it'\\''s' "});
            }),
    honours(app + "group.<G>", app + "group.A", "worker",
            [](auto& x) { return x.end_rules.at(0)->after == std::vector<std::string>{"worker"}; },
            {{app + "dependency.ps.timeout.after.A", "5"}}),
    honours(app + "dependency.<t>.timeout.after.<G>", app + "dependency.ps.timeout.after.A", "5",
            [](auto& x) {
              return !x.end_rules.empty() && x.end_rules[0]->type == "ps"
                     && x.end_rules[0]->within_ns == 5 * second && !x.end_rules[0]->ignore;
            },
            {{app + "group.A", "worker"}}),
    honours(app + "dependency.<t>.timeout.after.<G>.ignored",
            app + "dependency.ps.timeout.after.A.ignored", "true",
            [](auto& x) { return x.end_rules[0]->ignore; },
            {{app + "group.A", "worker"}, {app + "dependency.ps.timeout.after.A", "5"}}),
  };
}

std::vector<row> rows_of_application() {
  return {
    honours(app + "name", app + "name", "mnist", [](auto& x) { return x.name == "mnist"; }),
    notes(app + "type", "TONY", "one type of jobs"),
    honours(app + "tags", app + "tags", "a,b c",
            [](auto& x) {
              return x.tags == std::vector<std::string>{"a", "b c"};
            }),
    honours(app + "framework", app + "framework", "PyTorch",
            [](auto& x) { return x.framework == framework::pytorch; }),
    honours(app + "distributed-mode", app + "distributed-mode", "FCFS",
            [](auto& x) { return x.each_when_ready; }),
    honours(app + "timeout", app + "timeout", "1500",
            [](auto& x) { return x.timeout_ns == 3 * second / 2; }),
    honours(app + "node-label", app + "node-label", "gpu",
            [](auto& x) {
              return type_of(x, "worker").labels == std::vector<std::string>{"cpu"}
                     && type_of(x, "ps").labels == std::vector<std::string>{"gpu"};
            },
            {{"tony.worker.node-label", "cpu"}}),
    refuses(app + "placement-spec", "x", "by node labels"),
    refuses(app + "enable-preprocess", "true", "prepare-stage"),
    notes(app + "security.enabled", "false", "always safe"),
    notes(app + "num-client-rm-connect-retries", "3", "deadline"),
    notes(app + "hadoop.location", "/opt/hadoop", "no Hadoop"),
    notes(app + "hadoop.classpath", "/opt/x.jar", "no Hadoop"),
    notes(app + "hdfs-conf-path", "/etc/x", "no Hadoop"),
    notes(app + "yarn-conf-path", "/etc/x", "no Hadoop"),
    notes(app + "mapred-conf-path", "/etc/x", "no Hadoop"),
    notes("tony.task.heartbeat-interval-ms", "1000", "heartbeats of its own"),
    notes("tony.task.max-missed-heartbeats", "25", "heartbeats of its own"),
    notes("tony.task.metrics-interval-ms", "5000", "every 5 s"),
    notes("tony.task.gpu-metrics.enabled", "true", "always measured"),
    honours("tony.task.executor.execution-timeout-ms", "tony.task.executor.execution-timeout-ms",
            "2000",
            [](auto& x) {
              return type_of(x, "worker").timeout_ns == 2 * second
                     && type_of(x, "ps").timeout_ns == 2 * second;
            }),
    honours("tony.task.executor.registry-timeout-sec", "tony.task.executor.registry-timeout-sec",
            "8", [](auto& x) { return x.register_timeout_ns == 8 * second; }),
    notes("tony.task.executor.jvm.opts", "-Xmx1g", "Java"),
    notes("tony.task.executor.execution.error-message-max-depth", "20", "up to 64 MiB"),
    notes("tony.task.am.jvm.opts", "-Xmx1g", "Java"),
    notes("tony.task.default.jvm.opts", "-Xmx1g", "Java"),
    honours("tony.am.retry-count", "tony.am.retry-count", "4",
            [](auto& x) { return x.attempts_max == 5; }),
    notes("tony.am.memory", "2g", "one master"),
    notes("tony.am.vcores", "1", "one master"),
    notes("tony.am.gpus", "0", "one master"),
    notes("tony.am.startup-timeout", "0", "one master"),
    notes("tony.am.wait-client-signal-stop-timeout-sec", "15", "without waiting"),
    honours("tony.container.allocation.timeout", "tony.container.allocation.timeout", "60000",
            [](auto& x) { return x.placement_timeout_ns == 60 * second; }),
    honours("tony.container.registration.timeout", "tony.container.registration.timeout", "9000",
            [](auto& x) { return x.register_timeout_ns == 9 * second; }),
  };
}

std::vector<row> rows_of_the_rest() {
  return {
    honours("tony.docker.enabled", "tony.docker.enabled", "true",
            [](auto& x) { return type_of(x, "worker").image == "tf:2"; },
            {{"tony.docker.containers.image", "tf:2"}}),
    honours("tony.docker.containers.image", "tony.docker.containers.image", "tf:2",
            [](auto& x) { return type_of(x, "worker").image == "tf:2"; },
            {{"tony.docker.enabled", "true"}}),
    honours("tony.docker.containers.mount", "tony.docker.containers.mount", "/a:/b,/c:/d:ro",
            [](auto& x) {
              return type_of(x, "worker").mounts == std::vector<std::string>{"/a:/b", "/c:/d:ro"};
            },
            {{"tony.docker.enabled", "true"}, {"tony.docker.containers.image", "tf:2"}}),
    honours("tony.docker.<t>.image", "tony.docker.worker.image", "tf:3",
            [](auto& x) { return type_of(x, "worker").image == "tf:3"; },
            {{"tony.docker.enabled", "true"}, {"tony.docker.containers.image", "tf:2"}}),
    honours("tony.horovod.driver.mode.debug", "tony.horovod.driver.mode.debug", "true",
            [](auto& x) {
              auto& driver = type_of(x, "driver");
              return driver.role == task_role::untracked && driver.command == shell("serve");
            },
            {{app + "framework", "horovod"}, {"tony.driver.command", "serve"}}),
    refuses("tony.horovod.mode.test", "true", "TonY's own tests"),
    refuses("tony.horovod.mode.test.fast.fail", "true", "TonY's own tests"),
    notes("tony.history.location", "/x", "event log"),
    notes("tony.history.intermediate", "/x", "event log"),
    notes("tony.history.finished", "/x", "event log"),
    notes("tony.history.mover-interval-ms", "1", "event log"),
    notes("tony.history.retention-sec", "1", "keep-for"),
    notes("tony.history.purger-interval-ms", "1", "event log"),
    notes("tony.history.finished-dir-timezone", "UTC", "event log"),
    notes("tony.portal.url", "https://x", "no portal"),
    notes("tony.portal.cache.max-entries", "1", "no portal"),
    notes("tony.http.port", "disabled", "no portal"),
    notes("tony.https.port", "19886", "no portal"),
    notes("tony.https.keystore.path", "/x", "no portal", "tony.https.keystore.<any>"),
    notes("tony.secret.key", "changeme", "no portal"),
    notes("tony.keytab.user", "u", "no portal"),
    notes("tony.keytab.location", "/x", "no portal"),
    honours("tony.yarn.queue", "tony.yarn.queue", "default",
            [](auto& x) { return x.queue == "default"; }),
    notes("tony.other.namenodes", "hdfs://x", "no Hadoop"),
    notes("tony.gpu-exec-path", "/usr/bin/nvidia-smi", "nvidia-smi"),
    notes("tony.python-exec-path", "/usr/bin/python", "names the Python"),
    notes("tony.version-info.version", "0.5", "which TonY", "tony.version-info.<any>"),
  };
}

std::vector<row> every_row() {
  std::vector<row> out;
  for (auto& part : {rows_of_types(), rows_of_all_types(), rows_of_roles(), rows_of_application(),
                     rows_of_the_rest()})
    out.insert(out.end(), part.begin(), part.end());
  for (auto& x : out)
    if (auto at = x.key.find("<t>"); at != std::string::npos)
      x.key.replace(at, 3, "worker");
  return out;
}

TEST(TonyKeys, MakesOfEachKeyWhatItsRowSays) {
  for (auto& x : every_row()) {
    SCOPED_TRACE(x.key);
    auto more = x.with;
    more.emplace_back(x.key, x.value);
    auto job = read(more);
    if (!x.refusal.empty()) {
      EXPECT_TRUE(has(error_of(job), {"tony.xml:", x.key, x.refusal}));
      continue;
    }
    ASSERT_TRUE(job) << job.error().text;
    auto& fate = fate_of(*job, x.key);
    EXPECT_EQ(fate.honoured, static_cast<bool>(x.honoured)) << fate.why;
    if (x.honoured)
      EXPECT_TRUE(x.honoured(job->spec));
    else
      EXPECT_TRUE(has(fate.why, {x.note}));
  }
}

TEST(TonyKeys, HasARowForEachKeyThatTheCodeKnows) {
  std::set<std::string> tested, known;
  for (auto& x : every_row())
    tested.insert(x.pattern);
  for (auto& x : tony_rows())
    known.insert(std::string{x.pattern});
  EXPECT_EQ(tested, known);
  EXPECT_EQ(known.size(), tony_rows().size()) << "a pattern comes twice";
}

// Else a row's check could hold of any job.
TEST(TonyKeys, IsAnotherJobWithoutAKeyThatItHonours) {
  for (auto& x : every_row())
    if (x.honoured) {
      auto job = read(x.with);
      EXPECT_TRUE(!job || !x.honoured(job->spec)) << x.key;
    }
}

TEST(TonyKeys, TakesTheHarmlessValueOfARefusedKey) {
  for (auto& x : tony_rows()) {
    if (x.rule != tony_rule::refused)
      continue;
    auto key = std::string{x.pattern};
    if (auto at = key.find("<t>"); at != std::string::npos)
      key.replace(at, 3, "worker");
    for (const auto& value : {std::string{}, std::string{x.harmless}}) {
      auto job = read({{key, value}});
      ASSERT_TRUE(job) << job.error().text;
      EXPECT_TRUE(fate_of(*job, key).honoured) << key;
    }
  }
}

} // namespace
} // namespace troupe::testing_tony
