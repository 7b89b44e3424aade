// The subcommands: options as the command line gave them, and what runs them. Each returns the exit
// code: 0 done, 1 the work failed, 2 bad input and nothing changed, 3 no cluster or not allowed.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::launcher {

struct shared_options {
  std::string directory; // of the cluster, absolute
  bool json = false;
  std::string program; // the absolute path of this binary
};

// What a node offers to tasks.
struct node_capacity {
  uint32_t cpus = 0;                     // 0: what the machine has
  uint64_t memory = 0;                   // bytes; 0: what the machine has
  std::optional<uint32_t> accelerators;  // none: what the machine has
  std::optional<uint64_t> package_cache; // bytes of packages that are kept for later jobs
  std::vector<std::string> labels;
  std::string task_user; // as whom tasks run; empty: as the node
};

// Nodes from an allocation of a Slurm cluster, see launcher/slurm.hpp.
struct slurm_options {
  bool used = false;
  std::string time; // as sbatch takes it; empty: the partition's
  std::string partition;
  std::vector<std::string> more; // options of sbatch, as they are
  bool wait = false;             // until the nodes have joined
};

// Which jobs that ended the master keeps, with their directories: as long as both say so.
struct keep_options {
  std::string keep_for = "30 d";
  uint64_t keep_jobs = 100'000;
};

struct up_options {
  uint32_t nodes = 1;
  node_capacity capacity; // of each node
  std::string address;    // of this machine for other machines, "10.0.0.5" or "10.0.0.5:7700"
  std::string metrics;    // where the master serves its metrics, HOST:PORT or PORT; empty: nowhere
  std::string grow_after; // as in head_options
  std::string heartbeat;  // of the nodes, as in head_options
  std::string hosts;      // a file that names the machines of the nodes; empty: this machine
  std::string http;       // where it is served over HTTP, as for `http`; empty: nowhere
  slurm_options slurm;
  keep_options keep;
};

struct http_options {
  std::string listen = "127.0.0.1:7780"; // HOST:PORT, or PORT of loopback
};

struct head_options {
  std::string address;    // where it listens for other machines, HOST or HOST:PORT; empty: nowhere
  std::string metrics;    // as in up_options
  std::string grow_after; // how long an elastic gang runs before it grows; empty: 30 s
  keep_options keep;
  std::string heartbeat; // how often nodes are heard of; empty: 250 ms
};

struct node_options {
  std::string name;
  node_capacity capacity;
  std::string join;    // HOST:PORT of a master on another machine; empty: the one in our directory
  std::string address; // where other nodes reach the tasks; empty: found out
  std::string metrics; // as in up_options
  std::string heartbeat; // as the master's
};

struct submit_options {
  std::string file;
  std::vector<std::string> set;
  bool wait = false;
  bool trace_files = false; // as the key of the job file
  bool dry_run = false;
  bool explain = false; // say what a job file may have, and do nothing
};

struct job_options {
  uint64_t job = 0;
  bool why = false;      // and how its attempts ended
  bool config = false;   // instead: what it was submitted as
  bool attempts = false; // instead: each attempt with its tasks
  bool follow = false;   // until it ends
};

struct jobs_options {
  std::vector<std::string> states; // of these; empty: of any
  std::string user;                // empty: of any
  std::string queue;
  std::string tag;
  std::string since; // submitted then or later, "2026-11-22 02:00" or "7 d" ago; empty: ever
  uint32_t limit = 100;
};

struct metrics_options {
  uint64_t job = 0;
  std::string task;     // "worker:0"; empty: every task
  uint32_t attempt = 0; // 0: the newest
  std::string name;     // of one metric; empty: all
};

struct usage_options {
  std::string by = "user"; // or "queue"
  std::string since;       // as in jobs_options
};

struct change_options {
  std::vector<std::string> jobs; // `3`, `7..9`
  std::string reason;
};

struct ask_options {
  uint64_t job = 0;
  std::string what;  // checkpoint, stacks, drain, log-level
  std::string level; // debug, info, warning, error: with log-level only
  std::string task;  // "worker:0", or a type; empty: every task
};

struct exec_command {
  uint64_t job = 0;
  std::string task; // "worker:0"; empty: the first
  std::vector<std::string> command;
};

struct logs_options {
  uint64_t job = 0;
  std::string task;     // "worker:0"; empty: every task
  uint32_t attempt = 0; // 0: the newest
  bool follow = false;
  std::string grep;   // only the lines that match; empty: all
  bool fixed = false; // it is a text, no expression
};

struct drain_options {
  std::string node;
  bool draining = true; // false: it takes tasks again
  std::string reason;
  std::string at;     // local time; empty: now
  std::string length; // how long; empty: until it is resumed
  bool move = false;  // its gangs go elsewhere
};

int up(const shared_options& shared, const up_options& options);
int down(const shared_options& shared);
int status(const shared_options& shared);
int nodes(const shared_options& shared);
int submit(const shared_options& shared, const submit_options& options);
int jobs(const shared_options& shared, const jobs_options& options);
int job(const shared_options& shared, const job_options& options);
int logs(const shared_options& shared, const logs_options& options);
int metrics(const shared_options& shared, const metrics_options& options);
int usage(const shared_options& shared, const usage_options& options);
int kill(const shared_options& shared, const change_options& options);
int hold(const shared_options& shared, const change_options& options, bool held);
int requeue(const shared_options& shared, const change_options& options);
int ask(const shared_options& shared, const ask_options& options);
int exec(const shared_options& shared, const exec_command& options);
int drain(const shared_options& shared, const drain_options& options);
int add_key(const shared_options& shared, const std::string& name);
int write_bundle(const shared_options& shared, const std::string& file); // see bundle.hpp

// The long-lived processes.
int run_master(const shared_options& shared, const head_options& options);
int run_node(const shared_options& shared, const node_options& options);
int run_http(const shared_options& shared, const http_options& options);

// Prints one sentence to standard error; returns the exit code that belongs to it.
int complain(const error& reason);

} // namespace troupe::launcher
