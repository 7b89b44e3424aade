// Nodes on machines that ssh reaches and on which nothing is installed. Each gets the bundle, once
// for each content, and a directory of the node's own, both below ~/.cache/troupe there; the secret
// key travels over ssh's input into a file of mode 0600. Which hosts have a node, and in which
// directory, is in DIR/hosts until they are ended.
#pragma once

#include "launcher/hosts_file.hpp"

#include <string>
#include <utility>
#include <vector>

namespace troupe::launcher {

result<std::vector<host_entry>> read_hosts(const std::string& file);

// Where the first of them reaches this machine.
result<std::string> address_for(const std::vector<host_entry>& hosts);

// Asks each whether it could run a node: those that could not, and why. Nothing is changed on any.
using failed_hosts = std::vector<std::pair<host_entry, error>>;
failed_hosts unfit_hosts(const std::vector<host_entry>& hosts);

result<void> all_or_first(const failed_hosts& failed);

// Makes the nodes' keys, ships what a node needs, and starts the nodes; the master listens already.
// After an error some may run: end_hosts(). Hosts of the cluster that are not among these keep
// theirs.
result<void> start_hosts(const shared_options& shared, const std::vector<host_entry>& hosts,
                         const std::string& heartbeat);

// Where nodes of other machines join the cluster, HOST:PORT.
std::string endpoint_of(const std::string& directory);

bool has_hosts(const std::string& directory);

// The end of the log of a node, as a part of a sentence.
std::string last_words(const std::string& directory, const host_entry& host);

// Ends the nodes and removes all that was put on their machines. False: there were none. A host
// that cannot be reached is named, and stays in DIR/hosts.
result<bool> end_hosts(const std::string& directory);

} // namespace troupe::launcher
