// The commands of troupe bundle, each with its place open and its context there.
// Threads: plain functions. They block, and print.
#pragma once

#include "launcher/bundle_options.hpp"
#include "launcher/bundle_place.hpp"

namespace troupe::launcher {

struct bundle_work {
  const shared_options& shared;
  const bundle_options& options;
  bundle_place& place;
  std::string context;
};

// bundle_makers.cpp
result<void> add_bundle(const bundle_work& x);
result<void> find_bundle(const bundle_work& x);
result<void> commit_directory(const bundle_work& x);
result<void> checkout_bundle(const bundle_work& x);

// bundle_moves.cpp
result<void> push_to_remote(const bundle_work& x);
result<void> pull_from_remote(const bundle_work& x);
result<void> sweep_bundles(const bundle_work& x);
// What was removed, or with --dry-run would be.
result<std::vector<storage::kept_bundle>> remove_on_remote(const bundle_work& x);

// Prints the uuid, or with --json all of it.
void print_made(const bundle_work& x, const storage::kept_bundle& made);

} // namespace troupe::launcher
