#include "tests/support/slurm_cluster.hpp"

#include "runtime/base/random.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace troupe {

namespace {

namespace fs = std::filesystem;

constexpr auto configuration = R"(
ClusterName=test
SlurmUser=root
AuthType=auth/munge
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=2
SlurmdTimeout=20
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SlurmdParameters=config_overrides
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=high Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
)";

bool holds_within(std::chrono::seconds limit, const std::function<bool()>& holds) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    ::poll(nullptr, 0, 50);
  }
  return true;
}

// Ports that nobody has now, nor gets without asking for them: the kernel gives out higher ones.
std::vector<int> free_ports(size_t count) {
  random_source chance(static_cast<uint64_t>(::getpid()));
  std::vector<int> sockets;
  std::vector<int> ports;
  while (ports.size() < count) {
    sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    auto port = static_cast<int>(20'000 + chance.below(12'000));
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (::bind(sockets.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
      ports.push_back(port);
  }
  for (auto each : sockets)
    ::close(each);
  return ports;
}

std::string short_host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  std::string whole{name.data()};
  return whole.substr(0, whole.find('.'));
}

} // namespace

std::string slurm_cluster::missing() {
  for (auto* program : {"munged", "slurmctld", "slurmd", "sbatch", "setpriv"}) {
    std::string found;
    for (auto* below : {"/usr/bin/", "/usr/sbin/"})
      if (::access((std::string{below} + program).c_str(), X_OK) == 0)
        found = below;
    if (found.empty())
      return std::string{program} + " is not installed (packages slurm-wlm and munge)";
  }
  return ::geteuid() == 0 ? "" : "its daemons need root";
}

slurm_cluster::slurm_cluster(std::string directory, int nodes, int cpus)
  : directory_(std::move(directory)), nodes_(nodes), cpus_(cpus) {}

slurm_cluster::~slurm_cluster() {
  ::unsetenv("SLURM_CONF");
  std::reverse(daemons_.begin(), daemons_.end());
  for (auto each : daemons_) {
    ::kill(each, SIGTERM);
    auto gone = [&] { return ::waitpid(each, nullptr, WNOHANG) == each; };
    if (!holds_within(std::chrono::seconds(5), gone)) {
      ::kill(each, SIGKILL);
      ::waitpid(each, nullptr, 0);
    }
  }
}

result<void> slurm_cluster::start() {
  for (auto* each : {"", "/munge", "/state"})
    fs::create_directories(directory_ + each);
  fs::permissions(directory_, fs::perms{0755}); // munge has a user of its own
  write_configuration();
  ::setenv("SLURM_CONF", (directory_ + "/slurm.conf").c_str(), 1);
  TROUPE_TRY(start_munge());
  TROUPE_TRY(start_daemon("slurmctld", {"slurmctld", "-D"}));
  for (int i = 1; i <= nodes_; ++i) {
    auto name = std::string{"n"}.append(std::to_string(i));
    TROUPE_TRY(start_daemon(name, {"slurmd", "-D", "-N", name}));
  }
  auto idle = [&] {
    auto states = ask({"sinfo", "-h", "-N", "-p", "low", "-t", "idle", "-o", "%N"});
    return std::count(states.begin(), states.end(), '\n') == nodes_;
  };
  if (holds_within(std::chrono::seconds(30), idle))
    return {};
  return {errc::deadline, "the nodes of Slurm are not idle: " + ask({"sinfo"})};
}

std::string slurm_cluster::ask(const std::vector<std::string>& words) const {
  auto done = launcher::run_command(words);
  return done ? done->out + done->err : done.error().text;
}

void slurm_cluster::write_configuration() const {
  auto ports = free_ports(static_cast<size_t>(nodes_) + 1);
  auto host = short_host_name();
  std::ofstream out{directory_ + "/slurm.conf"};
  out << "SlurmctldHost=" << host << "(127.0.0.1)\nSlurmctldPort=" << ports[0]
      << "\nAuthInfo=socket=" << directory_ << "/munge/socket,cred_expire=5"
      << "\nStateSaveLocation=" << directory_ << "/state\nSlurmdSpoolDir=" << directory_
      << "/spool.%n\nSlurmctldPidFile=" << directory_
      << "/slurmctld.pid\nSlurmdPidFile=" << directory_
      << "/slurmd.%n.pid\nSlurmctldLogFile=" << directory_
      << "/slurmctld.log\nSlurmdLogFile=" << directory_ << "/slurmd.%n.log\n";
  for (size_t i = 1; i < ports.size(); ++i)
    out << "NodeName=n" << i << " NodeHostname=" << host << " NodeAddr=127.0.0.1 Port=" << ports[i]
        << " CPUs=" << cpus_ << " RealMemory=1000\n";
  out << configuration;
}

result<void> slurm_cluster::start_munge() {
  auto home = directory_ + "/munge";
  std::ifstream random{"/dev/urandom", std::ios::binary};
  std::array<char, 1024> key{};
  random.read(key.data(), key.size());
  std::ofstream{home + "/key", std::ios::binary}.write(key.data(), key.size());
  auto* user = ::getpwnam("munge");
  if (!user)
    return {errc::not_found, "there is no user munge"};
  for (auto& each : {home, home + "/key"})
    if (::chown(each.c_str(), user->pw_uid, user->pw_gid) != 0)
      return {errc::io, "cannot give " + each + " to munge"};
  ::chmod((home + "/key").c_str(), 0400);
  ::chmod(home.c_str(), 0711);
  TROUPE_TRY(start_daemon("munged", {"--reuid=munge", "--regid=munge", "--init-groups", "munged",
                                     "-F", "-S", home + "/socket", "--key-file=" + home + "/key",
                                     "--pid-file=" + home + "/pid", "--log-file=" + home + "/log",
                                     "--seed-file=" + home + "/seed"}));
  if (holds_within(std::chrono::seconds(10), [&] { return fs::exists(home + "/socket"); }))
    return {};
  return {errc::deadline, "munged does not listen; see " + directory_ + "/munged.out"};
}

// By setpriv, so that it ends with us.
result<void> slurm_cluster::start_daemon(const std::string& name, std::vector<std::string> words) {
  words.insert(words.begin(), {"setpriv", "--pdeathsig=KILL"});
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& each : words)
    argv.push_back(each.data());
  argv.push_back(nullptr);
  auto log = directory_ + "/" + name + ".out";
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = 0;
  auto failed = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    return {errc::io, "cannot start " + name};
  daemons_.push_back(pid);
  return {};
}

} // namespace troupe
