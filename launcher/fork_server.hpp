// A process that waits, loaded and ready, to become an executor: one for each node.
//
// Why: of the time that a task takes to start, most went into loading the executor's libraries, for
// each task anew. The server loads them once, and forks.
//
//   agent --[words of the command line, environment]--> server --fork--> executor
//         <--[forked, process]  [ended, process, status]--
//
// Guarantees: a fork shows the words that it was given as its command line; it leads a session of
// its own and outlives both. The server ends when the agent does. When the server ends, `lost` says
// so once, no end of an earlier fork is told any more, and the next start starts another.
// Threads: a client is used by one thread at a time; the server has only one.
#pragma once

#include "runtime/base/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace troupe::launcher {

struct ended_fork {
  int process = 0;
  int status = 0; // as of waitpid
};

class fork_client {
public:
  // `program` calls serve_forks when its first argument is fork_server_option.
  explicit fork_client(std::string program) : program_(std::move(program)) {}
  ~fork_client();
  fork_client(const fork_client&) = delete;
  fork_client& operator=(const fork_client&) = delete;

  // The process that runs `words`. `environment` holds NAME=VALUE; no other user sees it.
  result<int> start(const std::vector<std::string>& words,
                    const std::vector<std::string>& environment);

  // The forks that ended since the last call. Does not block.
  std::vector<ended_fork> ended();

  // Whether the server was lost since the last call.
  bool lost();

private:
  result<void> start_server();
  void stop_server();
  bool read_news(bool wait, int& forked);

  const std::string program_;
  int channel_ = -1;
  int server_ = 0;
  bool lost_ = false;
  std::vector<ended_fork> ended_;
};

// What a fork is to run.
struct fork_order {
  std::vector<std::string> words;
  std::vector<std::string> environment; // beside that of the process
};

inline constexpr auto fork_server_option = "--fork-server";

// Serves the client at descriptor 0 until it is gone, or `needed`, a child of this process, has
// ended. `run` is called in each fork, without the first word, and its result is the fork's exit
// code. `arguments` are those of main: a fork writes its own words over them.
int serve_forks(int count, char** arguments, int needed, const std::function<int(fork_order)>& run);

} // namespace troupe::launcher
