// Two nodes in one process, each with an actor system and a bridge, over real unix sockets.
#pragma once

#include "runtime/actor_error.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/bridge.hpp"
#include "runtime/local_transport.hpp"
#include "tests/support/scratch_directory.hpp"

#include <caf/all.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

namespace troupe::testing {

// A condition that other threads change, waited for with a deadline.
class events {
public:
  void add(const std::string& what) {
    std::lock_guard guard{mutex_};
    seen_.push_back(what);
    changed_.notify_all();
  }

  [[nodiscard]] bool wait_for(const std::string& what, duration limit = std::chrono::seconds(10)) {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(
      guard, limit, [&] { return std::find(seen_.begin(), seen_.end(), what) != seen_.end(); });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> seen_;
};

struct test_node {
  test_node(const std::string& name, incarnation life,
            duration silence_max = std::chrono::seconds(10),
            std::unique_ptr<transport> over = make_local_transport())
    : system(with_threads(config, 2)), carrier(std::move(over)),
      link(system, options(name, life, silence_max),
           {[this](const peer& p) { seen.add("up " + p.name); },
            [this](const peer& p, const error& e) {
              seen.add("down " + p.name);
              seen.add("reason " + e.text);
            }}) {
    auto started = link.attach(*carrier);
    EXPECT_TRUE(started);
  }

  ~test_node() {
    for (auto& each : owned)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    link.stop();
  }

  static bridge_options options(const std::string& name, incarnation life, duration silence_max) {
    bridge_options result;
    result.name = name;
    result.life = life;
    result.silence_max = silence_max;
    result.tick = std::chrono::milliseconds(10);
    return result;
  }

  events seen;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> carrier;
  bridge link;
  std::vector<caf::actor> owned;
};

} // namespace troupe::testing
