// Gangs for the tests: ranks that are threads of the test, or processes of their own.
#pragma once

#include "kernels/collective/collective.hpp"
#include "tests/support/loopback.hpp"

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace troupe::collective::test {

// Hierarchical: on two hosts, in turn. NCCL: rank r has GPU r, and meets the others in shared
// memory.
enum class backend { shm, tcp, hierarchical, nccl };

std::string name_of(backend kind);

using troupe::test::listening;

// The caller owns the socket.
listening listen_on(bool second_host);

// Where the ranks of one generation find each other. Holds the listening sockets until they are
// taken.
class place {
public:
  place(backend kind, uint32_t ranks);
  // At duplicates of these sockets, one a rank: as where a process listens longer than one
  // generation.
  place(backend kind, const std::vector<listening>& at);
  ~place();
  place(const place&) = delete;
  place& operator=(const place&) = delete;

  // Rank `options.rank` joins. Any thread; once a rank and process.
  result<std::unique_ptr<group>> join(const group_options& options);

  backend kind() const { return kind_; }
  const std::string& name() const { return name_; }
  const std::vector<std::string>& members() const { return members_; }

  // The listening socket of a rank; the caller owns it.
  int take_listener(uint32_t rank);

  // Where this process is not to have it; nothing, where it was taken or there is none.
  void close_listener(uint32_t rank);

private:
  backend kind_;
  std::string name_;
  std::vector<std::string> members_;
  std::vector<int> listeners_;
};

group_options options_of(uint32_t rank, uint32_t ranks, duration deadline);

// Runs `body` once a rank, each in a thread, with its joined group. Joining must work.
void run_threads(backend kind, uint32_t ranks, const std::function<void(group&)>& body,
                 duration deadline = std::chrono::seconds(20));

// Ranks as processes. `body` returns the process's exit code and may report progress by writing
// bytes to the descriptor.
class process_gang {
public:
  using body_type = std::function<int(group&, int progress)>;

  process_gang(backend kind, uint32_t ranks, duration deadline, const body_type& body);
  ~process_gang();
  process_gang(const process_gang&) = delete;
  process_gang& operator=(const process_gang&) = delete;

  // Waits until the ranks together have written so many bytes. False after 20 s.
  bool await_progress(size_t bytes);

  void signal(uint32_t rank, int number);

  // The exit code, or -1 when a signal ended it.
  int await_exit(uint32_t rank);

private:
  std::vector<pid_t> pids_;
  int progress_ = -1;
};

} // namespace troupe::collective::test
