// What the command line said, and how its files add commands to it.
#pragma once

#include "launcher/bundle_options.hpp"
#include "launcher/commands.hpp"
#include "launcher/lineage_commands.hpp"
#include "launcher/record_check.hpp"

#include <CLI/CLI.hpp>

#include <string>

namespace troupe::launcher {

// What the command line said, and the exit code of the command that ran.
struct parsed {
  shared_options shared;
  up_options up_with;
  node_options node_with;
  http_options http_with;
  submit_options submit_with;
  logs_options logs_with;
  exec_command exec_with;
  drain_options drain_with;
  job_options job_with;
  jobs_options jobs_with;
  metrics_options metrics_with;
  usage_options usage_with;
  change_options change_with;
  ask_options ask_with;
  uint64_t id = 0;
  head_options master_with;
  lineage_options lineage_with;
  list_options list_with;
  run_options run_with;
  check_options check_with;
  std::string backup_to;
  std::string key;
  std::string archive;
  bundle_options bundles;
  int code = 0;
};

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& example);

// Makes a path absolute; returns why it cannot, or nothing.
std::string make_absolute(std::string& path);

// lineage, artifacts, watch, fsck, backup.
void add_record_commands(CLI::App& app, parsed& x);

} // namespace troupe::launcher
