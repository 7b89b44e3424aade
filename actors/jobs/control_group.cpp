#include "actors/jobs/control_group.hpp"

#include "actors/jobs/device_limit.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr auto prefix = "troupe-task-";
constexpr auto aside = "troupe-node";
constexpr int rounds_max = 500; // of 2 ms, to be rid of the processes of a group

// Where a process stands: the directory of its group, by controller; "" is version 2.
using places = std::map<std::string, std::string>;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::istringstream in{text};
  for (std::string part; std::getline(in, part, at);)
    out.push_back(part);
  return out;
}

// `9:memory:/system.slice` of /proc/PID/cgroup: the path below the hierarchy's mount.
std::map<std::string, std::string> read_paths(const std::string& proc, const std::string& whose) {
  std::map<std::string, std::string> out;
  std::ifstream in{proc + "/" + whose + "/cgroup"};
  for (std::string line; std::getline(in, line);) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (second == std::string::npos)
      continue;
    auto controllers = line.substr(first + 1, second - first - 1);
    auto path = line.substr(second + 1);
    if (controllers.empty())
      out[""] = path;
    for (auto& each : split(controllers, ','))
      out[each] = path;
  }
  return out;
}

// `... /root /mount ... - cgroup source options` of /proc/self/mountinfo.
places find_places(const std::string& proc, const std::string& whose = "self") {
  auto paths = read_paths(proc, whose);
  places out;
  std::ifstream in{proc + "/self/mountinfo"};
  for (std::string line; std::getline(in, line);) {
    auto dash = line.find(" - ");
    if (dash == std::string::npos)
      continue;
    auto before = split(line.substr(0, dash), ' ');
    auto behind = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || behind.size() < 3 || !behind[0].starts_with("cgroup"))
      continue;
    auto below = [&](const std::string& path) {
      auto inside
        = path.starts_with(before[3]) && before[3] != "/" ? path.substr(before[3].size()) : path;
      auto whole = before[4] + (inside == "/" ? "" : inside);
      return fs::exists(whole) ? whole : before[4]; // a name of another namespace
    };
    if (behind[0] == "cgroup2")
      out[""] = below(paths[""]);
    else
      for (auto& each : split(behind[2], ','))
        if (paths.contains(each))
          out[each] = below(paths[each]);
  }
  return out;
}

bool write_text(const std::string& path, const std::string& text) {
  owned_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// The number behind `key` in lines of `key number`.
uint64_t counter_of(const std::string& text, const std::string& key) {
  std::istringstream in{text};
  std::string name;
  for (uint64_t value = 0; in >> name >> value;)
    if (name == key)
      return value;
  return 0;
}

bool has_controller(const std::string& file, const std::string& name) {
  std::istringstream in{text_of_file(file)};
  return std::find(std::istream_iterator<std::string>{in}, {}, name)
         != std::istream_iterator<std::string>{};
}

void kill_members(const std::string& path) {
  std::istringstream in{text_of_file(path + "/cgroup.procs")};
  for (pid_t id = 0; in >> id;)
    ::kill(id, SIGKILL);
}

void remove_group(const std::string& path) {
  for (int round = 0; round < rounds_max && ::rmdir(path.c_str()) != 0 && errno == EBUSY; ++round) {
    if (!write_text(path + "/cgroup.kill", "1"))
      kill_members(path);
    ::poll(nullptr, 0, 2);
  }
}

// Groups whose makers are gone.
void clear_away(const std::string& parent, const std::string& proc) {
  std::error_code failed;
  for (fs::directory_iterator at{parent, failed}, end; !failed && at != end; at.increment(failed)) {
    auto name = at->path().filename().string();
    if (name.starts_with(prefix) && !fs::exists(proc + "/" + name.substr(std::strlen(prefix))))
      remove_group(at->path().string());
  }
}

// Where the groups of tasks are made: the directory, by controller. Empty: they cannot be.
places find_parents(const std::string& proc) {
  auto found = find_places(proc);
  if (auto v2 = found.find(""); v2 != found.end()) {
    auto folder = fs::path{v2->second};
    auto parent = (folder.filename() == aside ? folder.parent_path() : folder).string();
    auto enabled = parent + "/cgroup.subtree_control";
    if (has_controller(enabled, "memory") && has_controller(enabled, "pids"))
      return {{"", parent}};
  }
  places out;
  for (auto* each : {"memory", "cpu", "pids"})
    if (found.contains(each))
      out[each] = found[each];
  if (out.size() < 3)
    return {};
  if (found.contains("devices"))
    out["devices"] = found["devices"];
  return out;
}

} // namespace

bool has_control_groups(const std::string& proc) {
  auto parents = find_parents(proc);
  return !parents.empty() && std::all_of(parents.begin(), parents.end(), [](auto& x) {
    return ::access(x.second.c_str(), W_OK) == 0;
  });
}

result<control_group> control_group::make(pid_t owner, const group_limits& limits,
                                          const std::string& proc) {
  auto parents = find_parents(proc);
  if (parents.empty())
    return {errc::unavailable, "this machine has no control groups for memory, cpu and pids"};
  if (limits.memory == 0)
    parents.erase("memory");
  if (limits.denied.empty())
    parents.erase("devices");
  control_group out;
  for (auto& [controller, parent] : parents) {
    clear_away(parent, proc);
    if (auto added = out.add(controller, parent + "/" + prefix + std::to_string(owner)); !added) {
      out.end();
      return added.error();
    }
  }
  if (auto limited = out.limit(limits); !limited) {
    out.end();
    return limited.error();
  }
  out.deny(limits.denied);
  return out;
}

control_group::~control_group() {
  end();
}

result<void> control_group::add(const std::string& controller, const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return {errc::unavailable,
            "cannot make the control group " + path + ": " + std::strerror(errno)};
  auto& made = parts_[controller];
  made.path = path;
  made.members = owned_fd{::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)};
  if (!made.members)
    return {errc::unavailable, "cannot open " + path + "/cgroup.procs: " + std::strerror(errno)};
  return {};
}

result<void> control_group::limit(const group_limits& limits) {
  limits_memory_ = limits.memory != 0;
  auto bytes = std::to_string(limits.memory);
  std::map<std::string, std::string> wanted;
  auto want = [&](const char* controller, const char* file, std::string value) {
    if (auto found = parts_.find(controller); found != parts_.end())
      wanted[found->second.path + file] = std::move(value);
  };
  auto processes = std::to_string(limits.processes);
  auto weight = std::clamp<uint64_t>(uint64_t{limits.cpus} * 100, 1, 10'000);
  want("", "/cpu.weight", std::to_string(weight));
  want("", "/pids.max", processes);
  want("", "/memory.max", limits_memory_ ? bytes : "max");
  want("memory", "/memory.limit_in_bytes", bytes);
  want("cpu", "/cpu.shares",
       std::to_string(std::min<uint64_t>(uint64_t{limits.cpus} * 1024, 262'144)));
  want("pids", "/pids.max", processes);
  // systemd gives a user's session memory and pids, and mostly not cpu.
  auto is_there = [](const std::string& path) {
    return !path.ends_with("/cpu.weight") || ::access(path.c_str(), F_OK) == 0;
  };
  for (auto& [path, value] : wanted)
    if (is_there(path) && !write_text(path, value))
      return {errc::unavailable,
              "cannot write " + value + " to " + path + ": " + std::strerror(errno)};
  if (!limits_memory_)
    return {};
  // Where there is any swap, and where it is counted.
  if (auto found = parts_.find(""); found != parts_.end())
    write_text(found->second.path + "/memory.swap.max", "0");
  else
    write_text(parts_["memory"].path + "/memory.memsw.limit_in_bytes", bytes);
  return {};
}

void control_group::deny(const std::vector<dev_t>& devices) {
  if (devices.empty())
    return;
  result<void> denied;
  if (auto found = parts_.find(""); found != parts_.end())
    denied = deny_devices(found->second.path, devices);
  else if (!parts_.contains("devices"))
    denied = error{errc::unavailable, "this machine has no control groups for devices"};
  else
    for (auto each : devices)
      if (auto path = parts_["devices"].path + "/devices.deny"; !write_text(
            path, "c " + std::to_string(major(each)) + ":" + std::to_string(minor(each)) + " rwm"))
        denied = error{errc::unavailable, "cannot write " + path + ": " + std::strerror(errno)};
  if (!denied)
    log::warning("a task may open every accelerator", {{"reason", denied.error().text}});
}

bool control_group::take(pid_t id) const noexcept {
  std::array<char, 16> text;
  auto size = static_cast<size_t>(std::to_chars(text.begin(), text.end(), id).ptr - text.begin());
  return std::all_of(parts_.begin(), parts_.end(), [&](auto& x) {
    return ::write(x.second.members.get(), text.data(), size) == static_cast<ssize_t>(size);
  });
}

bool control_group::join() const noexcept {
  return take(0);
}

std::vector<std::string> control_group::member_files() const {
  std::vector<std::string> out;
  for (auto& [controller, each] : parts_)
    out.push_back(each.path + "/cgroup.procs");
  return out;
}

bool control_group::ran_out_of_memory() const {
  if (!limits_memory_)
    return false;
  auto found = parts_.find("");
  auto file = found != parts_.end() ? found->second.path + "/memory.events"
                                    : parts_.at("memory").path + "/memory.oom_control";
  return counter_of(text_of_file(file), "oom_kill") != 0;
}

void control_group::end() {
  for (auto& [controller, each] : parts_) {
    each.members.close();
    remove_group(each.path);
  }
  parts_.clear();
  limits_memory_ = false;
}

void make_room_for_control_groups(const std::string& proc) {
  auto found = find_places(proc);
  auto v2 = found.find("");
  if (v2 == found.end() || !has_controller(v2->second + "/cgroup.controllers", "memory")
      || fs::path{v2->second}.filename() == aside)
    return;
  auto leaf = v2->second + "/" + aside;
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST)
    return;
  if (write_text(leaf + "/cgroup.procs", "0"))
    for (auto* each : {"+memory", "+cpu", "+pids"}) // all that we are given: together none or all
      write_text(v2->second + "/cgroup.subtree_control", each);
}

bool join_groups_of(pid_t whom, const std::string& proc) {
  bool joined = false;
  for (auto& [controller, path] : find_places(proc, std::to_string(whom)))
    joined = write_text(path + "/cgroup.procs", std::to_string(::getpid())) || joined;
  return joined;
}

} // namespace troupe
