// The command line. Parsing only: what a command does is in its own file.
#include "launcher/command_line.hpp"
#include "launcher/config_file.hpp"
#include "runtime/base/log.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace troupe::launcher;

std::string default_directory() {
  if (auto* set = std::getenv("TROUPE_DIR"))
    return set;
  auto* home = std::getenv("HOME");
  return std::string{home ? home : "/tmp"} + "/.troupe";
}

void add_capacity(CLI::App& to, node_capacity& capacity) {
  to.add_option("--cpus", capacity.cpus, "Cpus of a node (default: what the machine has)");
  to.add_option("--memory", capacity.memory, "Memory of a node (default: what the machine has)")
    ->transform(CLI::AsSizeValue(false));
  to.add_option("--accelerators", capacity.accelerators,
                "Accelerators of a node (default: what the machine has, and "
                "CUDA_VISIBLE_DEVICES names)");
  to.add_option("--package-cache", capacity.package_cache,
                "What a node keeps of the resources of jobs (default: 20 GiB)")
    ->transform(CLI::AsSizeValue(false));
  to.add_option("--task-user", capacity.task_user, "Run the tasks as this user (needs root)");
  to.add_option("--label", capacity.labels, "What the node is, for jobs that ask for it")
    ->allow_extra_args(false);
}

CLI::App& add_job_command(CLI::App& app, const std::string& name, const std::string& what,
                          uint64_t& id) {
  auto& made = *app.add_subcommand(name, what);
  made.add_option("JOB", id, "The job's number")->required();
  made.footer("Example: troupe " + name + " 3");
  return made;
}

void add_metrics(CLI::App& to, std::string& address) {
  to.add_option("--metrics", address, "Serve metrics for Prometheus at HOST:PORT, or PORT");
}

void add_grow_after(CLI::App& to, std::string& time) {
  to.add_option("--grow-after", time, "How long a gang that may grow runs first (default: 30 s)");
}

void add_heartbeat(CLI::App& to, std::string& time) {
  to.add_option("--heartbeat", time,
                "How often master and node hear of each other, the same for both; after six they "
                "give up (default: 250 ms)");
}

void add_slurm(CLI::App& to, slurm_options& with) {
  auto* slurm = to.add_flag("--slurm", with.used,
                            "Take the nodes from an allocation of Slurm: sbatch is asked for them")
                  ->excludes("--hosts");
  to.add_option("--time", with.time, "Slurm: the allocation's time limit, such as 12:00:00")
    ->needs(slurm);
  to.add_option("--partition", with.partition, "Slurm: the partition")->needs(slurm);
  to.add_option("--slurm-option", with.more,
                "Slurm: an option for sbatch, as it is, such as --slurm-option=--account=me")
    ->needs(slurm)
    ->allow_extra_args(false);
  to.add_flag("--wait", with.wait, "Slurm: wait until the nodes have joined")->needs(slurm);
}

void add_keep(CLI::App& to, keep_options& keep) {
  to.add_option("--keep-for", keep.keep_for,
                "How long jobs that ended are kept, with their directories")
    ->capture_default_str();
  to.add_option("--keep-jobs", keep.keep_jobs, "How many of them are kept at most")
    ->capture_default_str();
}

void add_cluster_commands(CLI::App& app, parsed& x) {
  auto& start = add_command(app, "up", "Start a cluster: here, by ssh, or under Slurm",
                            "up --nodes 3 --cpus 4");
  start.add_option("--nodes", x.up_with.nodes, "Node processes")->check(CLI::Range(0, 1000));
  add_capacity(start, x.up_with.capacity);
  start.add_option("--address", x.up_with.address,
                   "This machine's address, HOST or HOST:PORT, to let nodes of other machines "
                   "join; packages go over "
                   "PORT + 1 (default: none may)");
  add_metrics(start, x.up_with.metrics);
  start.add_option("--http", x.up_with.http,
                   "Serve the HTTP API and the UIs of tasks at HOST:PORT, or PORT");
  add_grow_after(start, x.up_with.grow_after);
  add_heartbeat(start, x.up_with.heartbeat);
  start
    .add_option(
      "--hosts", x.up_with.hosts,
      "Start the nodes by ssh on the machines that this file names, one to a line: "
      "[USER@]HOST [name=N] [cpus=N] [memory=SIZE] [accelerators=N] [label=L]... [address=A] "
      "[task-user=NAME] [package-cache=SIZE]")
    ->excludes("--nodes", "--cpus", "--memory", "--accelerators", "--label", "--task-user",
               "--package-cache");
  add_slurm(start, x.up_with.slurm);
  add_keep(start, x.up_with.keep);
  start.callback([&x] { x.code = up(x.shared, x.up_with); });
  add_command(app, "down", "Take the cluster down", "down").callback([&x] {
    x.code = down(x.shared);
  });
  add_command(app, "status", "Show the cluster", "status --json").callback([&x] {
    x.code = status(x.shared);
  });
  add_command(app, "nodes", "Show the nodes and what is free on them", "nodes").callback([&x] {
    x.code = nodes(x.shared);
  });
}

void add_node_commands(CLI::App& app, parsed& x) {
  auto& drain_node = add_command(app, "drain", "Give a node no new tasks; those it has go on",
                                 "drain node-2 --reason 'a disk is replaced'");
  drain_node.add_option("NODE", x.drain_with.node, "The node")->required();
  drain_node.add_option("--reason", x.drain_with.reason, "Why, for those who look");
  drain_node.add_option("--at", x.drain_with.at, "When, such as '2026-11-22 02:00' (default: now)");
  drain_node.add_option("--for", x.drain_with.length,
                        "How long, such as '2 h' (default: for good)");
  drain_node.add_flag("--move", x.drain_with.move, "Its gangs go back to their queues, for others");
  drain_node.callback([&x] { x.code = drain(x.shared, x.drain_with); });
  auto& resume = add_command(app, "resume", "Give a drained node tasks again", "resume node-2");
  resume.add_option("NODE", x.drain_with.node, "The node")->required();
  resume.callback([&x] {
    x.drain_with.draining = false;
    x.code = drain(x.shared, x.drain_with);
  });
}

void add_process_commands(CLI::App& app, parsed& x) {
  auto& master
    = add_command(app, "master", "Run a master, in the foreground", "master --dir /var/lib/troupe");
  master.add_option("--address", x.master_with.address,
                    "Listen at this address, HOST or HOST:PORT (default: 127.0.0.1)");
  add_metrics(master, x.master_with.metrics);
  add_grow_after(master, x.master_with.grow_after);
  add_keep(master, x.master_with.keep);
  add_heartbeat(master, x.master_with.heartbeat);
  master.callback([&x] { x.code = run_master(x.shared, x.master_with); });
  auto& node = add_command(app, "node", "Run a node, in the foreground",
                           "node --name node-4 --join 10.0.0.5:7700 --cpus 8");
  node.add_option("--name", x.node_with.name, "The node's name, unique in the cluster")->required();
  node.add_option("--join", x.node_with.join, "The master, HOST:PORT, if it is on another machine");
  node.add_option(
    "--address", x.node_with.address,
    "Where other nodes reach this one (default: the address that reaches the master)");
  add_capacity(node, x.node_with.capacity);
  add_metrics(node, x.node_with.metrics);
  add_heartbeat(node, x.node_with.heartbeat);
  node.callback([&x] { x.code = run_node(x.shared, x.node_with); });
  auto& web = add_command(app, "http", "Serve the HTTP API and the UIs of tasks, in the foreground",
                          "http --listen 127.0.0.1:7780");
  web.add_option("--listen", x.http_with.listen, "Where: HOST:PORT, or PORT of loopback; 0: any")
    ->capture_default_str();
  web.callback([&x] { x.code = run_http(x.shared, x.http_with); });
  auto& key
    = add_command(app, "key", "Let in one more node, or user, of another machine", "key node-4");
  key.add_option("NAME", x.key, "The name it will have")->required();
  key.callback([&x] { x.code = add_key(x.shared, x.key); });
  auto& whole = add_command(app, "archive",
                            "Write an archive that runs where nothing is installed: bin/ and lib/",
                            "archive troupe.tar.gz; tar -xzf troupe.tar.gz -C /opt/troupe");
  whole.add_option("FILE", x.archive, "The archive, tar and gzip")->required();
  whole.callback([&x] { x.code = write_bundle(x.shared, x.archive); });
}

void add_job_commands(CLI::App& app, parsed& x) {
  auto& start = add_command(app, "submit", "Run a job; without a cluster, inside this command",
                            "submit examples/fashion_mnist/job.yaml --wait");
  start.add_option("FILE", x.submit_with.file, "The job file (YAML, or TonY's XML)");
  start
    .add_option("--set", x.submit_with.set, "Override a value, such as tasks.worker.instances=4")
    ->allow_extra_args(false);
  start.add_flag("--wait", x.submit_with.wait, "Show progress and wait for the end");
  start.add_flag("--trace-files", x.submit_with.trace_files,
                 "The lineage has the files that its tasks read, too");
  start.add_flag("--dry-run", x.submit_with.dry_run, "Check the file and start nothing");
  start.add_flag("--explain", x.submit_with.explain, "Show what a job file may have");
  start.callback([&x] { x.code = submit(x.shared, x.submit_with); });
  auto& beside = add_command(app, "exec", "Run a command beside a running task, as it is",
                             "exec 3 --task worker:0 -- ps aux");
  beside.add_option("JOB", x.exec_with.job, "The job's number")->required();
  beside.add_option("--task", x.exec_with.task, "The task (default: the first)");
  beside.add_option("COMMAND", x.exec_with.command, "The command, after -- (default: a shell)");
  beside.callback([&x] { x.code = exec(x.shared, x.exec_with); });
}

void add_question_commands(CLI::App& app, parsed& x) {
  auto& list = add_command(app, "jobs", "List jobs, also those that ended long ago",
                           "jobs --state failed --since '7 d'");
  list.add_option("--state", x.jobs_with.states, "Only those in a state")->allow_extra_args(false);
  list.add_option("--user", x.jobs_with.user, "Only those of a user, by name or number");
  list.add_option("--queue", x.jobs_with.queue, "Only those of a queue");
  list.add_option("--tag", x.jobs_with.tag, "Only those with a tag");
  list.add_option("--since", x.jobs_with.since,
                  "Only those submitted since, such as '2026-11-22 02:00', or '7 d' ago");
  list.add_option("--limit", x.jobs_with.limit, "So many of the newest")
    ->check(CLI::Range(1, 1000))
    ->capture_default_str();
  list.callback([&x] { x.code = jobs(x.shared, x.jobs_with); });
  auto& show = add_job_command(app, "job", "Show a job and its tasks", x.job_with.job);
  show.add_flag("--why", x.job_with.why, "And why it waits, and how its attempts ended");
  show.add_flag("--attempts", x.job_with.attempts, "Show each attempt with its tasks instead");
  show.add_flag("--config", x.job_with.config, "Show what it was submitted as instead, as JSON");
  show.add_flag("--follow", x.job_with.follow, "Show progress until it ends");
  show.callback([&x] { x.code = job(x.shared, x.job_with); });
  auto& numbers = add_job_command(app, "metrics", "Show the metrics of a job's tasks over time",
                                  x.metrics_with.job);
  numbers.add_option("--task", x.metrics_with.task, "One task, such as worker:0");
  numbers.add_option("--name", x.metrics_with.name, "One metric, such as loss");
  numbers.add_option("--attempt", x.metrics_with.attempt,
                     "Of an earlier attempt (default: the newest)");
  numbers.callback([&x] { x.code = metrics(x.shared, x.metrics_with); });
  auto& sums = add_command(app, "usage", "Show who used how much, by what tasks declared",
                           "usage --by queue --since '30 d'");
  sums.add_option("--by", x.usage_with.by, "user or queue")
    ->check(CLI::IsMember({"user", "queue"}))
    ->capture_default_str();
  sums.add_option("--since", x.usage_with.since,
                  "Only the hours since, such as '2026-11-22 02:00', or '7 d' ago");
  sums.callback([&x] { x.code = usage(x.shared, x.usage_with); });
}

void add_logs_command(CLI::App& app, parsed& x) {
  auto& output = add_job_command(app, "logs", "Print the output of a job's tasks", x.logs_with.job);
  output.add_option("--task", x.logs_with.task, "One task, such as worker:0");
  output.add_option("--attempt", x.logs_with.attempt,
                    "Of an earlier attempt (default: the newest)");
  output.add_flag("--follow", x.logs_with.follow, "Go on until the job ends");
  output.add_option("--grep", x.logs_with.grep,
                    "Only lines that match this extended regular expression");
  output.add_flag("--fixed", x.logs_with.fixed, "What is searched is a text, no expression");
  output.callback([&x] { x.code = logs(x.shared, x.logs_with); });
}

CLI::App& add_change(CLI::App& app, parsed& x, const std::string& name, const std::string& what) {
  auto& made = add_command(app, name, what, name + " 3 7..9");
  made.add_option("JOB", x.change_with.jobs, "The jobs' numbers")->required();
  made.add_option("--reason", x.change_with.reason, "Why, for those who look");
  return made;
}

void add_change_commands(CLI::App& app, parsed& x) {
  add_change(app, x, "kill", "End jobs").callback([&x] {
    x.code = troupe::launcher::kill(x.shared, x.change_with);
  });
  add_change(app, x, "hold", "Keep jobs from being started, or started again").callback([&x] {
    x.code = hold(x.shared, x.change_with, true);
  });
  add_change(app, x, "release", "Let held jobs start").callback([&x] {
    x.code = hold(x.shared, x.change_with, false);
  });
  add_change(app, x, "requeue", "Stop gangs and send them back to their queues").callback([&x] {
    x.code = requeue(x.shared, x.change_with);
  });
  auto& request = add_command(app, "ask", "Ask running tasks for something",
                              "ask 3 checkpoint --task worker:0");
  request.add_option("JOB", x.ask_with.job, "The job's number")->required();
  request
    .add_option("WHAT", x.ask_with.what,
                "checkpoint, stacks, drain (to end well), or log-level and a LEVEL")
    ->required();
  request.add_option("LEVEL", x.ask_with.level, "debug, info, warning or error");
  request.add_option("--task", x.ask_with.task, "One task, such as worker:0, or a type");
  request.callback([&x] { x.code = ask(x.shared, x.ask_with); });
}

} // namespace

CLI::App& troupe::launcher::add_command(CLI::App& app, const std::string& name,
                                        const std::string& what, const std::string& example) {
  auto& made = *app.add_subcommand(name, what);
  made.footer("Example: troupe " + example);
  return made;
}

std::string troupe::launcher::make_absolute(std::string& path) {
  std::error_code failed;
  auto whole = std::filesystem::absolute(path, failed);
  if (failed)
    return "'" + path + "' is no directory: " + failed.message();
  path = whole.lexically_normal().string();
  return {};
}

int main(int argc, char** argv) {
  troupe::log::set_level(
    troupe::log::level::off); // a role opens its own log; a command says it all
  parsed x;
  x.shared.directory = default_directory();
  make_absolute(x.shared.directory);
  x.shared.program = std::filesystem::read_symlink("/proc/self/exe").string();

  CLI::App app{"Troupe: one runtime for operational machine learning"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "troupe " TROUPE_VERSION);
  app.fallthrough();
  app
    .add_option("--dir", x.shared.directory, "Directory of the cluster ($TROUPE_DIR, or ~/.troupe)")
    ->transform(CLI::Validator{make_absolute, ""});
  app.add_flag("--json", x.shared.json, "Print JSON");
  app
    .set_config("--config", "",
                "Options in a YAML file; below a command's name, those of the command")
    ->envname("TROUPE_CONFIG");
  app.config_formatter(yaml_config());
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.footer("Example: troupe up --nodes 3; troupe submit examples/fashion_mnist/job.yaml --wait; "
             "troupe down");
  add_cluster_commands(app, x);
  add_node_commands(app, x);
  add_process_commands(app, x);
  add_job_commands(app, x);
  add_question_commands(app, x);
  add_record_commands(app, x);
  add_logs_command(app, x);
  add_change_commands(app, x);
  add_bundle_commands(app, x.shared, x.bundles, x.code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "troupe: %s; see troupe --help\n", e.what());
    return 2;
  }
  return x.code;
}
