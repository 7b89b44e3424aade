// A TCP relay on loopback that does to connections what networks do: it cuts, stalls, counts.
// Threads: one of its own for each connection; every function may be called from any thread.
#pragma once

#include "runtime/base/owned_fd.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace troupe::testing {

class tcp_relay {
public:
  // What happens to one connection.
  struct fault {
    enum class kind {
      cut_request, // reset behind `bytes` bytes of the client
      cut_answer,  // reset behind `bytes` bytes of the server
      answer,      // the server gets nothing, the client `text` and an end
      stall,       // nothing goes on
    };
    kind what = kind::stall;
    uint64_t bytes = 0;
    std::string text{};
  };

  explicit tcp_relay(int target_port);
  ~tcp_relay();

  tcp_relay(const tcp_relay&) = delete;
  tcp_relay& operator=(const tcp_relay&) = delete;

  int port() const noexcept { return port_; }
  void set_target(int port) { target_ = port; }

  // The next connections suffer these, one each, in order; those behind them nothing.
  void next(fault x, int times = 1);

  // Called once, on a thread of the relay, when so many more bytes of clients have been passed on.
  void when_sent(uint64_t bytes, std::function<void()> act);

  // Resets the connections that are there.
  void cut_all() { ++cuts_; }

  uint64_t sent() const { return sent_; } // bytes of clients that were passed on
  int connections() const { return connections_; }

private:
  void accept_all();
  void serve(owned_fd client);
  void carry(int client, int server, const fault* suffers);
  void count(uint64_t bytes);

  owned_fd listener_;
  owned_fd ending_; // readable when the relay ends
  int port_ = 0;
  std::atomic<int> target_;
  std::atomic<uint64_t> sent_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<int> cuts_ = 0;
  std::mutex mutex_;
  std::deque<fault> faults_;
  uint64_t act_at_ = 0;
  std::function<void()> act_;
  std::vector<std::thread> threads_; // of accept_all() and, behind it, of the connections
};

} // namespace troupe::testing
