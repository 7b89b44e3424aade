// Options of the commands in a YAML file, as the command line would give them; what the command
// line says wins.
//
//   dir: /var/lib/troupe
//   up:
//     nodes: 3
//     cpus: 4
#pragma once

#include <CLI/CLI.hpp>

#include <memory>

namespace troupe::launcher {

// For CLI::App::config_formatter. Throws CLI::ConfigError, as CLI11 expects, where the file is no
// YAML or a value is neither a scalar nor a list of them.
std::shared_ptr<CLI::Config> yaml_config();

} // namespace troupe::launcher
