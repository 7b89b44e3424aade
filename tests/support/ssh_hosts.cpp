#include "tests/support/ssh_hosts.hpp"

#include "launcher/run_command.hpp"
#include "runtime/base/file_text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace troupe {

namespace {

namespace fs = std::filesystem;

// Those of the packages that Debian calls essential which a shell script may use.
constexpr std::array programs{
  "/usr/bin/sh",       "/usr/bin/tar",      "/usr/bin/gzip", "/usr/bin/setsid", "/usr/bin/cat",
  "/usr/bin/chmod",    "/usr/bin/echo",     "/usr/bin/grep", "/usr/bin/ln",     "/usr/bin/mkdir",
  "/usr/bin/mktemp",   "/usr/bin/mv",       "/usr/bin/rm",   "/usr/bin/rmdir",  "/usr/bin/sleep",
  "/usr/bin/tail",     "/usr/bin/readlink", "/usr/bin/tr",   "/usr/bin/true",   "/usr/bin/uname",
  "/usr/bin/hostname", "/usr/sbin/dropbear"};
constexpr std::array tools{"/usr/sbin/ip", "/usr/bin/unshare",     "/usr/sbin/dropbear",
                           "/usr/bin/ssh", "/usr/bin/dropbearkey", "/usr/bin/ssh-keygen"};

result<std::string> run(const std::vector<std::string>& words) {
  auto done = launcher::run_command(words);
  if (!done)
    return done.error();
  if (done->code != 0)
    return {errc::io, words[0] + " " + words[1] + ": " + launcher::one_line(done->err)};
  return done->out;
}

result<void> run_all(const std::vector<std::vector<std::string>>& commands) {
  for (auto& each : commands)
    if (auto done = run(each); !done)
      return done.error();
  return {};
}

// The libraries of a program, with the loader: words that are paths. Where the C library is, so is
// all of its package.
std::set<std::string> libraries_of(const std::string& program) {
  std::set<std::string> found;
  if (auto shown = run({"ldd", program})) {
    std::istringstream words{*shown};
    for (std::string word; words >> word;)
      if (word.starts_with("/"))
        found.insert(word);
  }
  auto is_libc = [](auto& path) { return path.ends_with("/libc.so.6"); };
  if (auto libc = std::find_if(found.begin(), found.end(), is_libc); libc != found.end()) {
    auto beside = fs::path{*libc}.parent_path();
    for (auto* each :
         {"libm.so.6", "libresolv.so.2", "libpthread.so.0", "libdl.so.2", "librt.so.1"})
      if (fs::exists(beside / each))
        found.insert(beside / each);
  }
  return found;
}

// Of a whole Debian; empty: a root is made of this machine's programs.
std::string given_root() {
  auto* given = std::getenv("TROUPE_ROOT");
  return given ? given : "";
}

std::string address_of(int host) {
  return "10.77.0." + std::to_string(host + 1);
}

void write(const std::string& path, const std::string& text, fs::perms mode) {
  fs::create_directories(fs::path{path}.parent_path());
  std::ofstream{path} << text;
  fs::permissions(path, mode);
}

std::string text_of(const std::string& path) {
  return text_of_file(path);
}

} // namespace

std::string ssh_hosts::missing() {
  for (std::string each : tools)
    if (::access(each.c_str(), X_OK) != 0)
      return each + " is not installed (packages openssh-client, dropbear-bin and iproute2)";
  return ::geteuid() == 0 ? "" : "network namespaces need root";
}

ssh_hosts::~ssh_hosts() {
  for (int host = 1; host <= static_cast<int>(machines_.size()); ++host) {
    kill(host);
    if (!given_root().empty())
      ::umount2(root(host).c_str(), MNT_DETACH);
  }
}

result<void> ssh_hosts::start(int count) {
  fs::create_directories(directory_);
  TROUPE_TRY(make_network());
  TROUPE_TRY(make_keys());
  for (int host = 1; host <= count; ++host) {
    machines_.push_back(0);
    TROUPE_TRY(make_root(host));
    TROUPE_TRY(let_in(host));
    TROUPE_TRY(connect(host));
    TROUPE_TRY(boot(host));
  }
  return {};
}

// Nothing of it is seen by others, and nothing is left of it behind the last process in it.
result<void> ssh_hosts::make_network() const {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0
      || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return {errc::refused, "this user may not make namespaces"};
  fs::create_directories("/run/netns");
  auto made = run_all({{"mount", "-t", "tmpfs", "none", "/run/netns"},
                       {"ip", "link", "set", "lo", "up"},
                       {"ip", "link", "add", "bridge", "type", "bridge"},
                       {"ip", "address", "add", "10.77.0.1/24", "dev", "bridge"},
                       {"ip", "link", "set", "bridge", "up"}});
  return made ? made : result<void>{errc::refused, made.error().text};
}

result<void> ssh_hosts::make_keys() const {
  auto key = directory_ + "/key";
  TROUPE_TRY(run_all({{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key},
                      {"dropbearkey", "-t", "ed25519", "-f", directory_ + "/host_key"}}));
  write(directory_ + "/ssh_config",
        "IdentityFile " + key
          + "\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n"
            "LogLevel ERROR\nUser root\n",
        fs::perms{0644});
  write(directory_ + "/bin/ssh",
        "#!/bin/sh\nexec /usr/bin/ssh -F " + directory_ + "/ssh_config \"$@\"\n", fs::perms{0755});
  auto* path = std::getenv("PATH");
  ::setenv("PATH", (directory_ + "/bin:" + (path ? path : "/usr/bin")).c_str(), 1);
  return {};
}

result<void> ssh_hosts::make_root(int host) const {
  auto at = root(host);
  fs::create_directories(at);
  if (given_root().empty())
    return copy_programs(host);
  for (auto* layer : {".upper", ".work"})
    fs::create_directories(at + layer);
  return run_all(
    {{"mount", "-t", "overlay", "overlay", "-o",
      "lowerdir=" + given_root() + ",upperdir=" + at + ".upper,workdir=" + at + ".work", at},
     {"mkdir", "-p", at + "/run/sshd"}});
}

result<void> ssh_hosts::copy_programs(int host) const {
  auto at = root(host);
  for (auto* each :
       {"usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "tmp", "dev", "proc", "run", "sys"})
    fs::create_directories(fs::path{at} / each);
  for (std::string each : {"bin", "sbin", "lib", "lib64"})
    fs::create_directory_symlink("usr/" + each, at + "/" + each);
  std::set<std::string> files{programs.begin(), programs.end()};
  for (auto* each : programs)
    files.merge(libraries_of(each));
  for (auto& each : files) {
    fs::create_directories(fs::path{at + each}.parent_path());
    fs::copy_file(each, at + each);
  }
  write(at + "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", fs::perms{0644});
  write(at + "/etc/shadow", "root:*:19000:0:99999:7:::\n", fs::perms{0600});
  write(at + "/etc/host_key", text_of(directory_ + "/host_key"), fs::perms{0600});
  return {};
}

result<void> ssh_hosts::let_in(int host) const {
  auto keys = home(host) + "/.ssh";
  write(keys + "/authorized_keys", text_of(directory_ + "/key.pub"), fs::perms{0600});
  fs::permissions(keys, fs::perms{0700});
  std::ofstream{directory_ + "/ssh_config", std::ios::app}
    << "Host " << name(host) << "\n  HostName " << address_of(host) << '\n';
  return {};
}

result<void> ssh_hosts::connect(int host) const {
  auto here = "to-" + name(host);
  return run_all(
    {{"ip", "netns", "add", name(host)},
     {"ip", "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", name(host)},
     {"ip", "link", "set", here, "master", "bridge", "up"},
     {"ip", "-n", name(host), "link", "set", "lo", "up"},
     {"ip", "-n", name(host), "address", "add", address_of(host) + "/24", "dev", "eth0"},
     {"ip", "-n", name(host), "link", "set", "eth0", "up"}});
}

result<void> ssh_hosts::boot(int host) {
  auto at = root(host);
  auto script = "mount --rbind /dev " + at + "/dev && mount -t proc proc " + at
                + "/proc && mount -t sysfs sys " + at + "/sys && exec "
                + "env -i HOME=/root PATH=/usr/sbin:/usr/bin chroot " + at
                + (given_root().empty() ? " dropbear -F -E -s -r /etc/host_key -p 22"
                                        : " /usr/sbin/sshd -D -e");
  std::vector<std::string> words{"ip",
                                 "netns",
                                 "exec",
                                 name(host),
                                 "unshare",
                                 "--mount",
                                 "--uts",
                                 "--pid",
                                 "--fork",
                                 "--kill-child",
                                 "sh",
                                 "-c",
                                 "hostname " + name(host) + "; " + script};
  std::vector<char*> argv;
  for (auto& each : words)
    argv.push_back(each.data());
  argv.push_back(nullptr);
  auto log = at + ".log";
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  auto failed = ::posix_spawnp(&machines_.at(static_cast<size_t>(host) - 1), argv[0], &files,
                               nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    return {errc::io, "cannot start " + name(host)};
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (auto tried = run({"ssh", name(host), "true"}); !tried;
       tried = run({"ssh", name(host), "true"})) {
    if (std::chrono::steady_clock::now() > end)
      return {errc::deadline, name(host) + " does not answer: " + tried.error().text};
    ::poll(nullptr, 0, 50);
  }
  return {};
}

// unshare takes its child along, the first process of the machine, and so the rest.
void ssh_hosts::kill(int host) {
  auto& machine = machines_.at(static_cast<size_t>(host) - 1);
  if (machine == 0)
    return;
  ::kill(machine, SIGKILL);
  ::waitpid(machine, nullptr, 0);
  machine = 0;
}

result<void> ssh_hosts::plug(int host, bool in) const {
  return run_all({{"ip", "link", "set", "to-" + name(host), in ? "up" : "down"}});
}

result<void> ssh_hosts::let_speak(int host, bool arrives) const {
  return run_all(
    {{"ip", "-n", name(host), "route", arrives ? "del" : "add", "blackhole", "10.77.0.1/32"}});
}

std::vector<std::string> ssh_hosts::processes(int host) const {
  auto at = fs::canonical(root(host));
  std::vector<std::string> found;
  std::error_code gone;
  for (auto& entry : fs::directory_iterator{"/proc", gone}) {
    auto line = text_of(entry.path() / "cmdline");
    std::replace(line.begin(), line.end(), '\0', ' ');
    if (fs::read_symlink(entry.path() / "root", gone) == at && !line.empty()
        && line.find("dropbear") == std::string::npos && line.find("sshd") == std::string::npos)
      found.push_back(line);
  }
  return found;
}

} // namespace troupe
