// The machines that `up --hosts` starts nodes on, one to a line:
//
//   # comment
//   [USER@]HOST [name=NAME] [cpus=N] [memory=SIZE] [accelerators=N] [label=LABEL]...
//   [address=ADDRESS] [task-user=NAME] [package-cache=SIZE]
//
// HOST is as ssh knows it. The name is that of the node, HOST unless told; the capacity is what the
// machine has unless told; the address is where other nodes reach it, found out unless told.
#pragma once

#include "launcher/commands.hpp"

#include <string>
#include <vector>

namespace troupe::launcher {

struct host_entry {
  std::string target; // what ssh is given: [USER@]HOST
  std::string name;
  node_capacity capacity;
  std::string address;
};

// errc::invalid names the line. There is at least one host, and no name twice.
result<std::vector<host_entry>> parse_hosts(const std::string& text);

} // namespace troupe::launcher
