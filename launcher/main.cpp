// The command line. Parsing only: what a command does is in its own file.
#include "launcher/commands.hpp"
#include "runtime/base/log.hpp"

#include <CLI/CLI.hpp>

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
  to.add_option("--accelerators", capacity.accelerators, "Accelerators of a node");
}

CLI::App& add_job_command(CLI::App& app, const std::string& name, const std::string& what,
                          uint64_t& id) {
  auto& made = *app.add_subcommand(name, what);
  made.add_option("JOB", id, "The job's number")->required();
  made.footer("Example: troupe " + name + " 3");
  return made;
}

} // namespace

int main(int argc, char** argv) {
  shared_options shared;
  shared.directory = default_directory();
  shared.program = std::filesystem::read_symlink("/proc/self/exe").string();

  CLI::App app{"Troupe: one runtime for operational machine learning"};
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--dir", shared.directory, "Directory of the cluster ($TROUPE_DIR, or ~/.troupe)");
  app.add_flag("--json", shared.json, "Print JSON");
  app.footer("Example: troupe up --nodes 3; troupe submit examples/fashion_mnist/job.yaml --wait; "
             "troupe down");

  int code = 0;
  up_options up_with;
  auto& up_command = *app.add_subcommand("up", "Start a cluster on this machine");
  up_command.add_option("--nodes", up_with.nodes, "Node processes")->check(CLI::Range(1, 1000));
  add_capacity(up_command, up_with.capacity);
  up_command.footer("Example: troupe up --nodes 3 --cpus 4");
  up_command.callback([&] { code = up(shared, up_with); });

  auto& down_command = *app.add_subcommand("down", "Take the cluster down");
  down_command.footer("Example: troupe down");
  down_command.callback([&] { code = down(shared); });

  auto& status_command = *app.add_subcommand("status", "Show the cluster");
  status_command.footer("Example: troupe status --json");
  status_command.callback([&] { code = status(shared); });

  auto& nodes_command = *app.add_subcommand("nodes", "Show the nodes and what is free on them");
  nodes_command.footer("Example: troupe nodes");
  nodes_command.callback([&] { code = nodes(shared); });

  submit_options submit_with;
  auto& submit_command
    = *app.add_subcommand("submit", "Run a job; without a cluster, inside this command");
  submit_command.add_option("FILE", submit_with.file, "The job file (YAML)")->required();
  submit_command
    .add_option("--set", submit_with.set, "Override a value, such as tasks.worker.instances=4")
    ->allow_extra_args(false);
  submit_command.add_flag("--wait", submit_with.wait, "Show progress and wait for the end");
  submit_command.add_flag("--dry-run", submit_with.dry_run, "Check the file and start nothing");
  submit_command.footer("Example: troupe submit examples/fashion_mnist/job.yaml --wait");
  submit_command.callback([&] { code = submit(shared, submit_with); });

  auto& jobs_command = *app.add_subcommand("jobs", "List the jobs");
  jobs_command.footer("Example: troupe jobs");
  jobs_command.callback([&] { code = jobs(shared); });

  uint64_t id = 0;
  add_job_command(app, "job", "Show a job and its tasks", id).callback([&] {
    code = job(shared, id);
  });
  add_job_command(app, "kill", "End a job", id).callback([&] {
    code = troupe::launcher::kill(shared, id);
  });

  logs_options logs_with;
  auto& logs_command
    = add_job_command(app, "logs", "Print the output of a job's tasks", logs_with.job);
  logs_command.add_option("--task", logs_with.task, "One task, such as worker:0");
  logs_command.add_flag("--follow", logs_with.follow, "Go on until the job ends");
  logs_command.callback([&] { code = logs(shared, logs_with); });

  auto& lineage_command = *app.add_subcommand("lineage", "Where things came from");
  lineage_command.require_subcommand(1);
  add_job_command(lineage_command, "show", "The lineage of a job's outputs", id).callback([&] {
    code = lineage(shared, id);
  });

  auto& master_command = *app.add_subcommand("master", "Run a master (in the foreground)");
  master_command.callback([&] { code = run_master(shared); });

  node_options node_with;
  auto& node_command = *app.add_subcommand("node", "Run a node (in the foreground)");
  node_command.add_option("--name", node_with.name, "The node's name, unique in the cluster")
    ->required();
  add_capacity(node_command, node_with.capacity);
  node_command.footer("Example: troupe node --name node-4 --cpus 8");
  node_command.callback([&] { code = run_node(shared, node_with); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "troupe: %s; see troupe --help\n", e.what());
    return 2;
  }
  return code;
}
