// Where a master's packages are brought and fetched: the store, and a bulk server for each way in.
//
//   client --find, push---> master --ticket--> client ==bulk==> store
//   agent ---fetch--------> master --ticket--> agent  <==bulk== store
//
// The master listens, and whoever wants to bring or to get something dials it with a ticket: agents
// and clients need no open port. Guarantees: a ticket is for one package, for a minute; what is
// brought is checked against its hash before anybody sees it.
// Threads: a master's actor asks; nothing here waits for content.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <memory>
#include <set>
#include <string>

namespace troupe {

// What the master's actor needs of it. The simulation has one of its own.
class package_desk {
public:
  virtual ~package_desk() = default;

  // errc::invalid for what is no hash.
  virtual result<packages_lacking_msg> lacking(const find_packages_msg& asked) = 0;
  virtual result<bulk_access_msg> push(const push_package_msg& asked) = 0;
  virtual result<bulk_access_msg> fetch(const fetch_package_msg& asked) = 0;

  // Time passes: removes what no job names any more.
  virtual void sweep(const std::set<std::string>& named) = 0;
};

// `directory`: of the packages. `local`: the socket for this host ("local:/path.sock"). `remote`:
// where other machines come, HOST:PORT; a port of 0 is left to the kernel. Listens until the end.
result<std::unique_ptr<package_desk>> open_package_desk(const std::string& directory,
                                                        const std::string& local,
                                                        const std::string& remote,
                                                        const clock& time);

// The packages that a job names and the desk does not have: the submission is refused for them.
// errc::not_found with one sentence.
result<void> check_packages(const job_spec_msg& job, package_desk& desk);

} // namespace troupe
