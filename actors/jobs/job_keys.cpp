// The keys of a job file: the only place that names them.
#include "actors/jobs/job_reader.hpp"

namespace troupe {

const std::vector<job_keys::key<job_keys::read_of_job>>& job_keys::of_job() {
  using node = const YAML::Node&;
  using text = const std::string&;
  static const std::vector<key<read_of_job>> all{
    {"name", "text", "for people; letters, digits, '_', '-', '.'; needed",
     [](job_reader& r, node x, text at) { r.job_.name = r.text(x, at); }},
    {"directory", "path", "where the commands run; default: the folder of the file",
     [](job_reader& r, node x, text at) {
       r.job_.directory = r.absolute(r.text(x, at), r.folder_);
       r.directory_ = x;
     }},
    {"resources", "[path | {path, name, unpack, programs}]",
     "what every task brings along; not together with directory",
     [](job_reader& r, node x, text at) { r.read_resources(x, at, r.common_); }},
    {"inputs", "[path]", "files that the lineage records with their hashes",
     [](job_reader& r, node x, text at) { r.job_.inputs = r.texts(x, at); }},
    {"outputs", "[path]", "files below the attempt's output directory, recorded at the end",
     [](job_reader& r, node x, text at) { r.read_outputs(x, at); }},
    {"framework", "troupe | tensorflow | pytorch | mxnet | horovod | mpi | standalone",
     "whose environment the tasks expect; default: troupe",
     [](job_reader& r, node x, text at) {
       r.job_.framework = static_cast<framework>(r.choice(
         x, at, {"troupe", "tensorflow", "pytorch", "mxnet", "horovod", "standalone", "mpi"}));
     }},
    {"attempts", "number", "how often the gang may be started; default: 3",
     [](job_reader& r, node x, text at) { r.job_.attempts_max = r.number(x, at, 1); }},
    {"retries", "{cause: number}", "restarts for one cause; default: as attempts allows",
     [](job_reader& r, node x, text at) { r.read_retries(x, at); }},
    {"timeout", "time", "from the first start to the end; default: none",
     [](job_reader& r, node x, text at) { r.job_.timeout_ns = r.time(x, at); }},
    {"placement_timeout", "time", "how long a gang may wait for room; default: for ever",
     [](job_reader& r, node x, text at) { r.job_.placement_timeout_ns = r.time(x, at); }},
    {"register_timeout", "time", "from the placement to a complete gang; default: 60 s",
     [](job_reader& r, node x, text at) { r.job_.register_timeout_ns = r.time(x, at); }},
    {"grace_period", "time", "from the polite to the hard signal; default: 10 s",
     [](job_reader& r, node x, text at) { r.job_.grace_ns = r.time(x, at); }},
    {"checkpoints", "path",
     "the directory that all attempts share, TROUPE_CHECKPOINTS; default: one of the cluster's",
     [](job_reader& r, node x, text at) {
       r.job_.checkpoints = r.absolute(r.text(x, at), r.folder_);
     }},
    {"mode", "gang | fcfs", "whether a task starts when all are there, or when it is there",
     [](job_reader& r, node x, text at) {
       r.job_.each_when_ready = r.choice(x, at, {"gang", "fcfs"}) == 1;
     }},
    {"end_rules", "[{type, after, within, ignore}]", "tasks that have to end soon after others",
     [](job_reader& r, node x, text at) { r.read_end_rules(x, at); }},
    {"needs", "[number | {job, when}]", "jobs that have to succeed, fail or end before it starts",
     [](job_reader& r, node x, text at) { r.read_needs(x, at); }},
    {"array", "number | {size, at_once}", "so many jobs that differ in TROUPE_ARRAY_INDEX",
     [](job_reader& r, node x, text at) { r.read_array(x, at); }},
    {"queue", "text", "who it is counted for",
     [](job_reader& r, node x, text at) { r.job_.queue = r.text(x, at); }},
    {"priority", "low | normal | high", "jobs of a higher class are placed first",
     [](job_reader& r, node x, text at) {
       r.job_.priority = static_cast<priority_class>(r.choice(x, at, {"low", "normal", "high"}));
     }},
    {"trace_files", "true | false", "the lineage has the files that its tasks read, too",
     [](job_reader& r, node x, text at) {
       r.job_.trace_files = r.choice(x, at, {"false", "true"}) == 1;
     }},
    {"tags", "[text]", "words for people, to find it by: troupe jobs --tag",
     [](job_reader& r, node x, text at) { r.job_.tags = r.texts(x, at); }},
  };
  return all;
}

const std::vector<job_keys::key<job_keys::read_of_type>>& job_keys::of_type() {
  using node = const YAML::Node&;
  using text = const std::string&;
  using type = task_type_msg&;
  static const std::vector<key<read_of_type>> all{
    {"command", "[text] | text", "program and arguments, or one text for /bin/sh; needed",
     [](job_reader& r, node x, text at, type t) { r.read_command(x, at, t); }},
    {"instances", "number", "tasks of this type; default: 1",
     [](job_reader& r, node x, text at, type t) { t.instances = r.number(x, at, 1); }},
    {"instances_min", "number", "the gang may run with so few, and grow later; default: instances",
     [](job_reader& r, node x, text at, type t) { t.instances_min = r.number(x, at, 1); }},
    {"cpus", "number", "of each task; default: 1",
     [](job_reader& r, node x, text at, type t) { t.cpus = r.number(x, at, 1); }},
    {"memory", "size", "of each task, and its limit; default: no limit",
     [](job_reader& r, node x, text at, type t) { t.memory = r.size(x, at); }},
    {"accelerators", "number", "of each task; default: 0",
     [](job_reader& r, node x, text at, type t) { t.accelerators = r.number(x, at, 0); }},
    {"image", "text", "a container's image, whose files its commands see; default: the node's",
     [](job_reader& r, node x, text at, type t) { t.image = r.text(x, at); }},
    {"mounts", "[PATH:THERE:ro]", "what of the node's files they see in the image too",
     [](job_reader& r, node x, text at, type t) { t.mounts = r.texts(x, at); }},
    {"labels", "[text]", "what its nodes have to be labelled",
     [](job_reader& r, node x, text at, type t) { t.labels = r.texts(x, at); }},
    {"env", "{name: text}", "variables, beside those of the framework",
     [](job_reader& r, node x, text at, type t) { r.read_env(x, at, t); }},
    {"role", "tracked | untracked | sidecar", "what its end means for the job; default: tracked",
     [](job_reader& r, node x, text at, type t) {
       t.role = static_cast<task_role>(r.choice(x, at, {"tracked", "untracked", "sidecar"}));
     }},
    {"on_failure", "stop | go_on | regroup",
     "stop the gang, go on without the task, or regroup: make a new generation; default: stop",
     [](job_reader& r, node x, text at, type t) {
       auto chosen = r.choice(x, at, {"stop", "go_on", "regroup"});
       t.go_on = chosen == 1;
       t.regroup = chosen == 2;
     }},
    {"after", "[type]", "types whose tasks have to succeed first",
     [](job_reader& r, node x, text at, type t) { t.after = r.texts(x, at); }},
    {"timeout", "time", "of each task, from its start; default: none",
     [](job_reader& r, node x, text at, type t) { t.timeout_ns = r.time(x, at); }},
    {"log_size", "size", "how much of each task's output is kept; default: 64 MiB",
     [](job_reader& r, node x, text at, type t) { t.log_bytes = r.size_above_0(x, at); }},
    {"ui", "true | false", "each task shows a UI at TROUPE_UI_HOST:TROUPE_UI_PORT",
     [](job_reader& r, node x, text at, type t) {
       t.ui = r.choice(x, at, {"false", "true"}) == 1;
     }},
    {"resources", "[path | {path, name, unpack, programs}]",
     "what its tasks bring along, beside the job's",
     [](job_reader& r, node x, text at, type t) { r.read_resources(x, at, t.resources); }},
  };
  return all;
}

std::vector<job_file_key> job_keys::inside(std::string_view name) {
  if (name == "resources")
    return {
      {"[].path", "path", "of a file or directory, seen from the folder of the job file; needed"},
      {"[].name", "path", "what it is called in the task's directory; default: as it is"},
      {"[].unpack", "true | false", "whether it is an archive to unpack; default: false"},
      {"[].programs", "path", "a directory inside it that is put on the PATH"}};
  if (name == "retries")
    return {{".CAUSE", "number",
             "CAUSE: user_error, out_of_memory, preempted, lost_node or infrastructure"}};
  if (name == "end_rules")
    return {{"[].type", "type", "the type whose tasks have to end; needed"},
            {"[].after", "[type]", "the types whose tasks end first; needed"},
            {"[].within", "time", "how long after the last of those; needed"},
            {"[].ignore", "true | false",
             "whether those that have not are no longer awaited; default: the attempt fails"}};
  if (name == "needs")
    return {{"[].job", "number", "the job, or the first of an array for all of it; needed"},
            {"[].when", "succeeded | failed | ended", "how it has to end; default: succeeded"}};
  if (name == "array")
    return {{".size", "number", "how many jobs; needed"},
            {".at_once", "number", "how many of them run at a time; default: all"}};
  return {};
}

} // namespace troupe
