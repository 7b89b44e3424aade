// A master and a node inside this process, in a directory of their own. Of that, what tasks printed
// and wrote is left, and the log of the cluster beside a job that did not succeed.
#include "launcher/processes.hpp"
#include "launcher/submission.hpp"
#include "runtime/base/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace troupe::launcher {

namespace fs = std::filesystem;

namespace {

int run_job(const shared_options& shared, const submit_options& options, submission what) {
  auto ignore = [](const error*) {};
  auto head = start_master(shared.directory, {}, ignore);
  if (!head)
    return complain(head.error());
  auto node = start_node(shared, {"node-1", {}, {}, {}, {}, {}}, ignore);
  if (!node)
    return complain(node.error());
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  for (int tries = 0; tries < 200; ++tries) { // an empty cluster would admit what it can never run
    auto now = (*cluster)->cluster();
    if (now && !now->nodes.empty() && now->nodes.front()->alive)
      break;
    ::poll(nullptr, 0, 10);
  }
  if (auto shipped = ship(**cluster, shared, what.spec); !shipped)
    return complain(shipped.error());
  return submit_to(**cluster, shared, options, std::move(what));
}

// Whether a job printed or wrote anything; what its tasks measured alone is nothing to keep.
bool has_written(const fs::path& jobs) {
  std::error_code failed;
  for (fs::recursive_directory_iterator i{jobs, failed}, end; i != end; i.increment(failed))
    if (!i->is_directory(failed) && i->path().extension() != ".metrics"
        && (!i->is_regular_file(failed) || i->file_size(failed) != 0))
      return true;
  return false;
}

// Whether anything is left.
bool clear(const fs::path& directory, bool succeeded) {
  std::error_code failed;
  auto kept = has_written(directory / "jobs");
  for (auto& each : fs::directory_iterator{directory, failed}) {
    auto name = each.path().filename();
    if (kept && (name == "jobs" || (name == "troupe.log" && !succeeded)))
      continue;
    for (fs::recursive_directory_iterator i{each.path(), failed}, end; i != end;
         i.increment(failed))
      if (i->is_directory(failed) && !i->is_symlink(failed)) // packages are read-only
        fs::permissions(i->path(), fs::perms::owner_all, failed);
    fs::remove_all(each.path(), failed);
  }
  fs::remove(directory, failed); // it stays where it is not empty
  return fs::exists(directory, failed);
}

} // namespace

int submit_embedded(const shared_options& given, const submit_options& options, submission what) {
  auto shared = given;
  auto pattern = (fs::temp_directory_path() / "troupe-embedded-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    return complain({errc::io, "cannot make a directory in " + fs::temp_directory_path().string()});
  shared.directory = pattern;
  log::open(pattern + "/troupe.log", log::level::info);
  if (!shared.json)
    std::printf("no cluster is up: running inside this command, in %s\n", shared.directory.c_str());
  auto with = options;
  with.wait = true;
  what.embedded = true;
  auto code = run_job(shared, with, std::move(what));
  if (clear(shared.directory, code == 0) && !shared.json)
    std::printf("what it printed and wrote is kept in %s/jobs\n", shared.directory.c_str());
  return code;
}

} // namespace troupe::launcher
