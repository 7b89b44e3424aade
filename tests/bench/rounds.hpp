// What every messaging peer measures, so that all are measured alike: a server process answers
// pings and counts notes, a client process asks. Times are of the client.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe::bench {

struct sample {
  double ask_rtt_us = 0;     // median of single requests, 64 bytes
  double one_way_per_s = 0;  // notes of 64 bytes, until the server has handled all
  double echo_64k_per_s = 0; // requests of 64 KiB, 32 in flight
};

// A messaging system under test: both ends, in two processes.
struct contender {
  std::string name;
  std::string version;
  // Runs the server until the process is killed; writes one line to `ready` when clients may come.
  std::function<void(const std::string& directory, int ready)> serve;
  // Connects, measures, and returns.
  std::function<sample(const std::string& directory)> measure;
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

constexpr int asks = 2000;
constexpr int notes = 60'000;
constexpr int echoes = 2000;
constexpr int echo_window = 32;

contender troupe_local();
contender troupe_zmq();
contender caf_remote();
contender bare_zmq();

} // namespace troupe::bench
