// Gangs for the tests: ranks that are threads of the test, or processes of their own.
#pragma once

#include "kernels/collective/collective.hpp"
#include "tests/support/loopback.hpp"

#include <sys/types.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace troupe::collective::test {

// NCCL: rank r has GPU r, and meets the others in shared memory.
enum class backend { shm, tcp, hierarchical, nccl };

// Its ranks are on the hosts in turn, or the first ones on the first host and so on. Only a
// hierarchical gang asks where they are.
struct gang_shape {
  backend kind = backend::shm;
  uint32_t ranks = 1;
  uint32_t hosts = 2;
  bool in_blocks = false;

  uint32_t host_of(uint32_t rank) const { return in_blocks ? rank * hosts / ranks : rank % hosts; }
};

std::string name_of(backend kind);
std::string name_of(const gang_shape& shape); // letters and digits

// Of 2 to 16 ranks on each backend that is there; over NCCL only where four GPUs are.
std::vector<gang_shape> sampled_shapes();

using troupe::test::listening;

// At an address of that host of this machine; they are numbered from 0. The caller owns the socket.
listening listen_on(uint32_t host);

// Where the ranks of one generation find each other. Holds the listening sockets until they are
// taken.
class place {
public:
  explicit place(const gang_shape& shape);
  place(backend kind, uint32_t ranks) : place(gang_shape{kind, ranks}) {}
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
void run_threads(const gang_shape& shape, const std::function<void(group&)>& body,
                 duration deadline = std::chrono::seconds(20));

// Ranks as processes. `body` returns the process's exit code and may report progress by writing
// bytes to the descriptor.
class process_gang {
public:
  using body_type = std::function<int(group&, int progress)>;

  process_gang(const gang_shape& shape, duration deadline, const body_type& body);
  ~process_gang();
  process_gang(const process_gang&) = delete;
  process_gang& operator=(const process_gang&) = delete;

  // Waits until the ranks together have written so many of these bytes since they began. False
  // after 20 s without a byte, and when all have ended.
  bool await_progress(size_t bytes, char which = 'x');

  void signal(uint32_t rank, int number);

  // The exit code; -1 when a signal ended it, -2 when it has not ended after a minute: it hangs.
  int await_exit(uint32_t rank);

private:
  std::vector<pid_t> pids_;
  int progress_ = -1;
  std::array<size_t, 256> seen_{}; // bytes, by value
};

} // namespace troupe::collective::test
