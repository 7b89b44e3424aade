// troupe bundle, troupe context: what the command line gave, and what runs it.
// A bundle is named by its uuid, by an alias of the context, or by its name: then the one that was
// made last is meant.
#pragma once

#include "launcher/commands.hpp"

namespace CLI {
class App;
}

namespace troupe::launcher {

enum class bundle_verb {
  context_create,
  context_ls,
  context_remote, // the last of contexts
  add,
  find,
  ls,
  cat,
  show,
  tag,
  remove,
  alias,
  checkout,
  commit,
  push,
  pull,
  sweep,
};

struct bundle_options {
  bundle_verb what = bundle_verb::ls;
  std::string context; // empty: of TROUPE_CONTEXT, or "default"
  std::string name;    // of a bundle, or of a context
  std::vector<std::string> names;
  std::vector<std::string> paths;
  std::string path;   // of a file in a bundle; a directory
  std::string remote; // empty: the context's
  std::string alias;
  std::vector<std::string> parameters; // K=V
  std::vector<std::string> tags;       // K=V
  std::vector<std::string> sources;    // BUNDLE[:ARGUMENT]
  std::string code;
  std::string processing; // its processing name; empty: what it follows from
  std::string took;       // how long making it took; empty: unknown
  std::string type;
  std::string value; // JSON
  std::string guard = "24 h";
  bool all = false;
  bool removed = false;
  bool dry_run = false;
  bool records = false;
  bool on_remote = false;
};

// Adds both commands with all theirs; `code` is the exit code of the one that ran. All outlive the
// parsing.
void add_bundle_commands(CLI::App& app, const shared_options& shared, bundle_options& options,
                         int& code);

int run_bundle_command(const shared_options& shared, const bundle_options& options);

} // namespace troupe::launcher
