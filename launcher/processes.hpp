// Master, node and HTTP server, assembled: used by the long-lived processes; master and node both
// at once by an embedded run.
#pragma once

#include "launcher/commands.hpp"
#include "runtime/base/result.hpp"

#include <functional>
#include <memory>

namespace troupe::launcher {

// A role that runs until it is destroyed. Destroying it ends its actors, links and threads.
class running_role {
public:
  virtual ~running_role() = default;

  // Asks it to end in order: true if it will say so through `on_end`, false if it may be destroyed
  // now.
  virtual bool leave() { return false; }
};

// `on_end` is called once, from another thread, when the role wants its process to end; with an
// error if it must.
using end_callback = std::function<void(const error*)>;

result<std::unique_ptr<running_role>>
start_master(const std::string& directory, const head_options& options, end_callback on_end);

// The HTTP server of a cluster that runs already, and the file that says where it listens.
result<std::unique_ptr<running_role>> start_http(const std::string& directory,
                                                 const http_options& options);
std::string http_address_file(const std::string& directory);

result<std::unique_ptr<running_role>> start_node(const shared_options& shared,
                                                 const node_options& options, end_callback on_end);

} // namespace troupe::launcher
