// Machines that ssh reaches and on which nothing is installed, as far as they can be shown on one:
// each has a network, a process tree and a root directory of its own, with a shell, the programs
// that every Debian has, and an ssh server (dropbear: installing it starts none). Where TROUPE_ROOT
// names the root directory of a whole Debian with openssh-server, they have its files, each under a
// layer of its own, and its ssh server. They are called bare-1, bare-2, ..., stand on one bridge
// with this process, and end with the object. start() moves this process, and what it starts later,
// into a network and a mount namespace of its own, where `ssh` in PATH knows the machines. Needs
// root.
#pragma once

#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe {

class ssh_hosts {
public:
  // Why there can be none here; empty where there can.
  static std::string missing();

  // `directory` is made.
  explicit ssh_hosts(std::string directory) : directory_(std::move(directory)) {}
  ~ssh_hosts();

  ssh_hosts(const ssh_hosts&) = delete;
  ssh_hosts& operator=(const ssh_hosts&) = delete;

  // Waits until all of them answer. errc::refused where this user, or this kernel, makes no such
  // namespaces.
  result<void> start(int count);

  // The whole machine, at once; and again, with the same disk.
  void kill(int host);
  result<void> boot(int host);

  // Its only cable.
  result<void> plug(int host, bool in) const;

  // Whether what it sends to this side arrives; what is sent to it does.
  result<void> let_speak(int host, bool arrives) const;

  // Where the home directory of its user is, seen from here.
  std::string home(int host) const { return root(host) + "/root"; }
  static std::string name(int host) { return "bare-" + std::to_string(host); }
  // The command lines of its processes, but for those of ssh.
  std::vector<std::string> processes(int host) const;

private:
  std::string root(int host) const { return directory_ + "/" + name(host); }
  result<void> make_network() const;
  result<void> make_keys() const;
  result<void> make_root(int host) const;
  result<void> copy_programs(int host) const;
  result<void> let_in(int host) const;
  result<void> connect(int host) const;

  std::string directory_;
  std::vector<pid_t> machines_; // by host - 1; 0: it is off
};

} // namespace troupe
