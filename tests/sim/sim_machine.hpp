// A machine of a simulated cluster: the executors on it and the user's processes, in virtual time.
// They outlive the agent, and run the executor's real actor (actors/jobs/task_shell.hpp).
//
// A command is one word: `steady` exits with 0 after a while; `flaky` may exit with 1; `once` does
// so in its first attempt; `hang` never ends; `stubborn` is steady and ignores the polite signal.
#pragma once

#include "actors/cluster/node_agent.hpp"
#include "actors/jobs/task_shell.hpp"
#include "tests/sim/job_ledger.hpp"
#include "tests/sim/sim_packages.hpp"

namespace troupe::testing {

struct machine_options {
  resources capacity;
  duration orphan_timeout = std::chrono::seconds(30);
  duration run_max = std::chrono::seconds(2); // of a command that ends
  double start_failures = 0;                  // of executors
  package_options packages;
  int first_process = 1; // no two machines count the same
};

class sim_machine {
public:
  // `node`: the agent's. All outlive the machine; it outlives every life of its agent.
  sim_machine(sim_world& world, job_ledger& seen, std::string node, machine_options options);
  ~sim_machine();

  // Boots the agent's node. `incarnation`: greater at each call.
  void boot_agent(sim_node& node, uint64_t incarnation);

  // Ends one executor or one user's process, or freezes one executor for good; drawn at random.
  void kill_any();

  // One user's process of a gang that regroups stands still for good, if there is one.
  void freeze_command();

  // Its agent is asked to leave the cluster in order; it comes back after a while.
  void leave();

  // Everything on it ends at once, and the agent with it.
  void lose_power();

  // The machine stands still; nothing on it is lost.
  void freeze();
  void thaw();

  // From now on nothing goes wrong here.
  void heal();

  const std::string& node() const { return node_; }
  const machine_options& options() const { return options_; }
  size_t executors() const { return processes_.size(); }
  std::string text() const; // what runs, for people

private:
  friend class sim_launcher;

  enum class command { none, starting, running, over };

  struct executor {
    start_task_msg order;
    task_executor_options options;
    caf::actor shell;
    command stage = command::none;
    bool frozen = false;     // the command, for good
    bool stop_asked = false; // of the executor, before it was there
    std::optional<time_point> kill_at;
  };

  result<int> start(const start_task_msg& order);
  void boot_executor(sim_node& node, int id);
  surroundings around(sim_node& node, int id);
  void stop_executor(int id);
  void start_command(int id);
  void run_command(int id);
  void end_work(int id, bool fails);
  void stop_command(int id, duration grace);
  void end_command(int id, int code, bool stopped, const std::string& why);
  void end_executor(int id, int code);
  void end_forgotten();
  executor* find(int id);
  bool uses(const std::string& hash) const;
  resources room() const;
  void end_agent();
  void after(duration wait, std::function<void()> what);
  static std::string node_of(int id);

  sim_world& world_;
  job_ledger& seen_;
  const std::string node_;
  const machine_options options_;
  sim_package_disk disk_;
  std::unique_ptr<executor_launcher> launcher_; // of the agent's life
  std::unique_ptr<package_cache> cache_;        // of the same
  std::map<int, executor> processes_;
  std::map<int, int> gone_; // executors that ended -> exit code
  int last_process_;
  bool frozen_ = false;
  bool healed_ = false;
  std::vector<std::function<void()>> held_;
};

} // namespace troupe::testing
