// A cluster of real processes in a directory of its own, for tests that kill some of them.
// All waits poll a condition until a deadline. One thread. Teardown leaves no process and no file.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace troupe::e2e {

// What a command printed, and its exit code; 128 + signal when a signal ended it, and -1 when it
// ran past its limit and was killed.
struct outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Polls until `holds` or `limit`; true when it held.
bool eventually(const std::function<bool()>& holds,
                std::chrono::seconds limit = std::chrono::seconds(40));

// The first value of `key` in the JSON text, without quotes; empty when there is none.
std::string value_of(const std::string& json, const std::string& key);

// Scripts of tasks, for cluster::job_of. Each first adds a line "attempt rank process" to `seen`.
// The first then waits to be killed on attempt 1 and succeeds on a later one; the other waits for
// the gate.
extern const std::string waits_once;
extern const std::string waits_at_gate;
int process_in(const std::string& line);

// The time in so many seconds, as --at and --since take it.
std::string local_time_in(int seconds);

// The content of a file; empty when there is none.
std::string text_of(const std::string& path);

// True while the process exists and is no zombie.
bool lives(int process);

int parent_of(int process);

class cluster : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  // Runs `troupe --dir <directory> args...`, its temporary files below the scratch directory.
  outcome troupe(const std::vector<std::string>& args,
                 std::chrono::seconds limit = std::chrono::seconds(60)) const;
  void start_nodes(int nodes, int cpus);

  // Writes the text to a file of the scratch directory; returns its path.
  std::string write(const std::string& name, const std::string& text) const;
  // A job of `instances` tasks of 1 cpu that run the shell script; returns the job file's path.
  std::string job_of(const std::string& script, int instances = 1, int attempts = 3) const;
  // Submits, does not wait; the job's number, or empty.
  std::string submit(const std::string& file) const;
  std::string job_json(const std::string& job) const { return troupe({"job", job, "--json"}).out; }
  // Waits until the job is in the state; true when it is.
  bool becomes(const std::string& job, const std::string& state) const;

  // The lines that tasks wrote to the file `seen`, which scripts find in the scratch directory.
  std::vector<std::string> seen() const;
  // Lets one task go on that reads the named pipe `gate`; false when none reads it in time.
  bool open_gate() const;
  // Of the master, whose answer is awaited. Never 0 or -1: a signal to those reaches the test.
  int master_process() const;
  // The supervisor of the node; its only child is the agent.
  int node_process(const std::string& name) const;
  int agent_process(const std::string& name) const;
  // The process that forks the node's executors.
  int fork_server_of(const std::string& node) const;
  // The executors that were started by the node.
  std::vector<int> executors_of(const std::string& node) const;
  // Sends a signal to all that runs on the node: supervisor, agent, fork server, executors and
  // their tasks.
  void signal_node(const std::string& name, int signal) const;
  // The state of a node as the cluster sees it: "alive", "lost", or empty.
  std::string node_state(const std::string& name) const;
  // Starts a command that goes on; what it prints goes to <name>.log of the scratch directory.
  int start_process(const std::string& name, const std::vector<std::string>& args);
  // A directory of another machine, as far as that can be shown on one: it has its own key only.
  std::string other_machine(const std::string& name);
  // Starts a node there that joins over TCP; its process.
  int join(const std::string& name, const std::string& there, int cpus = 1);

  std::string scratch;   // of this test
  std::string directory; // of its cluster
  std::string binary;    // the `troupe` that is run

private:
  // The process id, or -1.
  int spawn(const std::vector<std::string>& args, const std::string& out,
            const std::string& err) const;

  std::vector<int> started_;
};

} // namespace troupe::e2e
