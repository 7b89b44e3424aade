// A master and a node inside this process, in a directory that is kept for its logs and outputs.
#include "launcher/processes.hpp"
#include "launcher/submission.hpp"
#include "runtime/base/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace troupe::launcher {

namespace fs = std::filesystem;

int submit_embedded(const shared_options& given, const submit_options& options, submission what) {
  auto shared = given;
  auto pattern = (fs::temp_directory_path() / "troupe-embedded-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    return complain({errc::io, "cannot make a directory in " + fs::temp_directory_path().string()});
  shared.directory = pattern;
  log::open(pattern + "/troupe.log", log::level::info);
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
  if (!shared.json)
    std::printf("no cluster is up: running inside this command, in %s\n", shared.directory.c_str());
  auto with = options;
  with.wait = true;
  for (int tries = 0; tries < 200; ++tries) { // an empty cluster would admit what it can never run
    auto now = (*cluster)->cluster();
    if (now && !now->nodes.empty() && now->nodes.front()->alive)
      break;
    ::poll(nullptr, 0, 10);
  }
  if (auto shipped = ship(**cluster, shared, what.spec); !shipped)
    return complain(shipped.error());
  return submit_to(**cluster, shared, with, std::move(what));
}

} // namespace troupe::launcher
