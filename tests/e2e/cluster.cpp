#include "tests/e2e/cluster.hpp"

#include "runtime/base/file_text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace troupe::e2e {

namespace fs = std::filesystem;

std::string text_of(const std::string& path) {
  return text_of_file(path);
}

namespace {

std::string command_line_of(int process) {
  return text_of("/proc/" + std::to_string(process) + "/cmdline");
}

// The processes for which `wanted` holds; this one is none of them.
std::vector<int> processes(const std::function<bool(int)>& wanted) {
  std::vector<int> found;
  std::error_code gone;
  for (auto& entry : fs::directory_iterator{"/proc", gone}) {
    auto number = std::atoi(entry.path().filename().c_str());
    if (number > 0 && number != ::getpid() && wanted(number))
      found.push_back(number);
  }
  return found;
}

// The environment too: a task's command need not name the directory.
std::vector<int> processes_of(const std::string& scratch) {
  return processes([&](int process) {
    auto environment = text_of("/proc/" + std::to_string(process) + "/environ");
    return command_line_of(process).find(scratch) != std::string::npos
           || environment.find(scratch) != std::string::npos;
  });
}

} // namespace

const std::string waits_once = "echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen\n"
                               "[ $TROUPE_ATTEMPT -ge 2 ] && exit 0\n"
                               "exec sleep 1000";
const std::string waits_at_gate = "echo $TROUPE_ATTEMPT $TROUPE_RANK $$ >> seen\n"
                                  "read line < gate";

int process_in(const std::string& line) {
  return std::atoi(line.substr(line.rfind(' ') + 1).c_str());
}

bool eventually(const std::function<bool()>& holds, std::chrono::seconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    ::poll(nullptr, 0, 20);
  }
  return true;
}

std::string value_of(const std::string& json, const std::string& key) {
  auto name = "\"" + key + "\": ";
  auto at = json.find(name);
  if (at == std::string::npos)
    return {};
  at += name.size();
  if (json[at] == '"')
    return json.substr(at + 1, json.find('"', at + 1) - at - 1);
  return json.substr(at, json.find_first_of(",\n}", at) - at);
}

std::string local_time_in(int seconds) {
  auto when = std::time(nullptr) + seconds;
  std::tm local{};
  ::localtime_r(&when, &local);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

int parent_of(int process) {
  auto stat = text_of("/proc/" + std::to_string(process) + "/stat");
  auto state = stat.rfind(')'); // "number (name) state parent ..."
  return state == std::string::npos ? 0
                                    : std::atoi(stat.c_str() + std::min(state + 4, stat.size()));
}

bool lives(int process) {
  return !command_line_of(process).empty();
}

void cluster::SetUp() {
  if (!std::getenv("TROUPE_BINARY"))
    FAIL() << "TROUPE_BINARY names no troupe; run this with ctest";
  binary = std::getenv("TROUPE_BINARY");
  scratch = (fs::temp_directory_path() / "troupe-e2e-XXXXXX").string();
  ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
  directory = scratch + "/c";
  ASSERT_EQ(::mkfifo((scratch + "/gate").c_str(), 0600), 0);
}

void cluster::TearDown() {
  if (scratch.empty())
    return;
  for (auto process : processes_of(scratch))
    ::kill(process, SIGCONT); // one that is stopped ends at no SIGTERM
  if (fs::exists(directory + "/run")) {
    EXPECT_EQ(troupe({"down"}).code, 0);
  }
  EXPECT_TRUE(eventually([&] {
    auto left = processes_of(scratch);
    for (auto process : left)
      ::kill(process, SIGKILL);
    return left.empty();
  }));
  for (auto process : started_)
    ::waitpid(process, nullptr, 0);
  if (HasFailure())
    for (auto& entry : fs::recursive_directory_iterator{scratch})
      if (entry.path().extension() == ".log")
        std::printf("== %s\n%s\n", entry.path().c_str(), text_of(entry.path()).c_str());
  for (auto& entry : fs::recursive_directory_iterator{scratch}) // packages are read-only
    if (entry.is_directory() && !entry.is_symlink())
      fs::permissions(entry.path(), fs::perms::owner_all);
  fs::remove_all(scratch);
}

int cluster::spawn(const std::vector<std::string>& args, const std::string& out,
                   const std::string& err) const {
  std::vector<std::string> words{binary};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (auto& each : words)
    argv.push_back(each.data());
  argv.push_back(nullptr);
  auto temporary = "TMPDIR=" + scratch;
  std::vector<char*> environment{temporary.data()}; // the first of a name counts
  for (auto** each = environ; *each; ++each)
    environment.push_back(*each);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  auto mode = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), mode, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), mode, 0600);
  pid_t process = 0;
  auto failed
    = ::posix_spawn(&process, argv[0], &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? process : -1;
}

outcome cluster::troupe(const std::vector<std::string>& args, std::chrono::seconds limit) const {
  std::vector<std::string> words{"--dir", directory};
  words.insert(words.end(), args.begin(), args.end());
  auto out = scratch + "/stdout";
  auto err = scratch + "/stderr";
  auto process = spawn(words, out, err);
  outcome result;
  if (process < 0)
    return result;
  int status = 0;
  if (!eventually([&] { return ::waitpid(process, &status, WNOHANG) == process; }, limit)) {
    ::kill(process, SIGKILL);
    ::waitpid(process, &status, 0);
  } else {
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  result.out = text_of(out);
  result.err = text_of(err);
  return result;
}

void cluster::start_nodes(int nodes, int cpus) {
  auto up = troupe(
    {"up", "--nodes", std::to_string(nodes), "--cpus", std::to_string(cpus), "--memory", "1GiB"});
  ASSERT_EQ(up.code, 0) << up.err;
}

std::string cluster::write(const std::string& name, const std::string& text) const {
  auto path = scratch + "/" + name;
  std::ofstream{path} << text;
  return path;
}

std::string cluster::job_of(const std::string& script, int instances, int attempts) const {
  auto program = write("task.sh", "cd " + scratch + "\n" + script + "\n");
  return write("job.yaml", "name: probe\nattempts: " + std::to_string(attempts)
                             + "\ntasks:\n  worker:\n    instances: " + std::to_string(instances)
                             + "\n    cpus: 1\n    memory: 16 MiB\n    command: [/bin/sh, "
                             + program + "]\n");
}

std::string cluster::submit(const std::string& file) const {
  return value_of(troupe({"submit", file, "--json"}).out, "job");
}

bool cluster::becomes(const std::string& job, const std::string& state) const {
  std::string now;
  auto reached = eventually([&] {
    now
      = value_of(job_json(job), "state"); // the keys are sorted: the job's comes before its tasks'
    return now == state;
  });
  if (!reached)
    std::printf("the job did not become %s:\n%s\n", state.c_str(), job_json(job).c_str());
  return reached;
}

std::vector<std::string> cluster::seen() const {
  std::istringstream text{text_of(scratch + "/seen")};
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);)
    lines.push_back(line);
  return lines;
}

bool cluster::open_gate() const {
  int gate = -1;
  auto path = scratch + "/gate";
  if (!eventually([&] { return (gate = ::open(path.c_str(), O_WRONLY | O_NONBLOCK)) >= 0; }))
    return false;
  auto written = ::write(gate, "go\n", 3);
  ::close(gate);
  return written == 3;
}

int cluster::master_process() const {
  int process = 0;
  auto answers = eventually([&] {
    process = std::atoi(value_of(troupe({"status", "--json"}).out, "pid").c_str());
    return process > 1;
  });
  EXPECT_TRUE(answers) << "there is no master";
  return answers ? process : std::numeric_limits<int>::max();
}

int cluster::node_process(const std::string& name) const {
  return std::atoi(text_of(directory + "/run/" + name + ".pid").c_str());
}

int cluster::agent_process(const std::string& name) const {
  auto supervisor = std::to_string(node_process(name));
  return std::atoi(text_of("/proc/" + supervisor + "/task/" + supervisor + "/children").c_str());
}

int cluster::fork_server_of(const std::string& node) const {
  int server = 0;
  auto threads = "/proc/" + std::to_string(agent_process(node)) + "/task";
  for (auto& thread : fs::directory_iterator{threads}) // one of them forked it
    std::ifstream{thread.path() / "children"} >> server;
  auto found = command_line_of(server).find("--fork-server") != std::string::npos;
  return found ? server : 0;
}

void cluster::signal_node(const std::string& name, int signal) const {
  auto all = std::vector{node_process(name), agent_process(name)};
  if (auto server = fork_server_of(name); server > 0)
    all.push_back(server);
  for (auto executor : executors_of(name)) {
    auto number = std::to_string(executor);
    all.push_back(executor);
    std::istringstream tasks{text_of("/proc/" + number + "/task/" + number + "/children")};
    for (int task = 0; tasks >> task;)
      all.push_back(task);
  }
  auto send = [&](int each) {
    for (auto process : all) // the task of an executor that was killed may be gone by now
      EXPECT_TRUE(process > 1 && (::kill(process, each) == 0 || errno == ESRCH))
        << name << " " << process;
  };
  if (signal == SIGKILL) // all at once: nobody sees another one die
    send(SIGSTOP);
  send(signal);
}

std::string cluster::node_state(const std::string& name) const {
  std::istringstream lines{troupe({"nodes"}).out};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string node;
    std::string state;
    words >> node >> state;
    if (node == name)
      return state;
  }
  return {};
}

int cluster::start_process(const std::string& name, const std::vector<std::string>& args) {
  auto log = scratch + "/" + name + ".log";
  started_.push_back(spawn(args, log, log));
  return started_.back();
}

std::string cluster::other_machine(const std::string& name) {
  EXPECT_EQ(troupe({"key", name}).code, 0);
  auto there = scratch + "/" + name;
  fs::create_directories(there + "/keys/authorized");
  fs::rename(directory + "/keys/" + name + ".secret", there + "/keys/" + name + ".secret");
  fs::copy(directory + "/keys/authorized/master.public", there + "/keys/authorized");
  return there;
}

int cluster::join(const std::string& name, const std::string& there, int cpus) {
  auto endpoint = text_of(directory + "/endpoint");
  auto address = endpoint.substr(endpoint.find("//") + 2);
  address.erase(address.find_last_not_of('\n') + 1);
  return start_process(name, {"--dir", there, "node", "--name", name, "--join", address, "--cpus",
                              std::to_string(cpus)});
}

std::vector<int> cluster::executors_of(const std::string& node) const {
  auto endpoint = "local:" + directory + "/agent-" + node + ".sock";
  auto is_executor = [&](int process) {
    auto line = command_line_of(process);
    return line.find("troupe-executor") != std::string::npos
           && line.find(endpoint) != std::string::npos;
  };
  // What an executor forked looks like it.
  return processes(
    [&](int process) { return is_executor(process) && !is_executor(parent_of(process)); });
}

} // namespace troupe::e2e
