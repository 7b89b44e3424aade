#include "actors/jobs/process_list.hpp"

#include "runtime/base/file_text.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr size_t tree_max = 20'000; // processes

std::string line_of(const fs::path& path) {
  auto text = text_of_file(path);
  return text.substr(0, text.find('\n'));
}

// The fields of a `stat` file behind the name, which may hold anything: state, parent, group ...
struct stat_fields {
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  uint64_t ticks = 0; // of the processor, its own and of children that it waited for
  uint64_t pages = 0; // resident
};

stat_fields stat_of(const fs::path& folder) {
  auto text = text_of_file(folder / "stat");
  stat_fields out;
  auto behind = text.rfind(')');
  if (behind == std::string::npos)
    return out;
  std::istringstream in{text.substr(behind + 1)};
  in >> out.state >> out.parent >> out.group;
  std::string skipped;
  for (int field = 6; field < 14; ++field)
    in >> skipped;
  for (int field = 14; field < 18; ++field) {
    uint64_t ticks = 0;
    in >> ticks;
    out.ticks += ticks;
  }
  for (int field = 18; field < 24; ++field)
    in >> skipped;
  in >> out.pages;
  return out;
}

// The number behind `key` in a `status` file, in base 16.
uint64_t mask_of(const std::string& status, const std::string& key) {
  auto at = status.find("\n" + key + ":");
  return at == std::string::npos ? 0
                                 : std::strtoull(status.c_str() + at + key.size() + 2, nullptr, 16);
}

// The folders below `path` whose names are numbers, in their order.
std::vector<pid_t> numbers_in(const fs::path& path) {
  std::vector<pid_t> out;
  std::error_code failed;
  for (fs::directory_iterator at{path, failed}, end; !failed && at != end; at.increment(failed)) {
    auto name = at->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos)
      out.push_back(static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10)));
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace

std::vector<seen_process> processes_of_group(pid_t group) {
  std::vector<seen_process> out;
  for (auto id : numbers_in("/proc")) {
    auto folder = fs::path{"/proc"} / std::to_string(id);
    auto now = stat_of(folder);
    if (now.group != group || now.state == 'Z')
      continue;
    out.push_back(
      {id, line_of(folder / "comm"), mask_of(text_of_file(folder / "status"), "SigCgt")});
  }
  return out;
}

void end_descendants(pid_t spared) {
  int adopts = 0;
  if (::prctl(PR_GET_CHILD_SUBREAPER, &adopts) != 0 || adopts == 0)
    return;
  constexpr int rounds_max = 1000; // a chain of processes that flee, each a child of the last
  for (int round = 0; round < rounds_max; ++round) {
    siginfo_t any{};
    if (::waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) != 0)
      return; // no child at all
    auto found = false;
    for (auto id : numbers_in("/proc"))
      if (id != spared && stat_of(fs::path{"/proc"} / std::to_string(id)).parent == ::getpid()) {
        found = true;
        ::kill(id, SIGKILL);
        ::waitpid(id, nullptr, 0);
      }
    if (!found)
      return;
  }
}

std::vector<pid_t> tree_of(pid_t root) {
  std::vector<pid_t> out{root};
  std::set<pid_t> seen{root};
  for (size_t i = 0; i < out.size(); ++i) {
    auto threads = fs::path{"/proc"} / std::to_string(out[i]) / "task";
    for (auto thread : numbers_in(threads)) {
      std::istringstream children{text_of_file(threads / std::to_string(thread) / "children")};
      for (pid_t child = 0; out.size() < tree_max && children >> child;)
        if (seen.insert(child).second)
          out.push_back(child);
    }
  }
  return out;
}

tree_usage usage_of_tree(pid_t root) {
  static const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  static const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  tree_usage out;
  for (auto id : tree_of(root)) {
    auto now = stat_of(fs::path{"/proc"} / std::to_string(id));
    out.cpu_seconds += static_cast<double>(now.ticks) / ticks_per_second;
    out.memory += now.pages * page;
  }
  return out;
}

std::string text_of_threads(const seen_process& x) {
  auto out = "[process " + std::to_string(x.id) + " (" + x.name + ")\n";
  auto folder = fs::path{"/proc"} / std::to_string(x.id) / "task";
  for (auto id : numbers_in(folder)) {
    auto thread = folder / std::to_string(id);
    out += " thread " + std::to_string(id) + " (" + line_of(thread / "comm") + ") "
           + stat_of(thread).state + " " + line_of(thread / "wchan") + "\n";
    out += text_of_file(thread / "stack"); // for root only
  }
  return out + "]\n";
}

} // namespace troupe
