// The actor of an executor: what the agent is told, and what is done at its orders.
//
// Private to task_executor; its guarantees are those of that header. It never blocks: the command
// is waited for by the thread in task_executor::run(), which gets its orders through `orders`.
#pragma once

#include "actors/cluster/interfaces.hpp"
#include "actors/jobs/task_executor.hpp"
#include "actors/jobs/task_process.hpp"

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <condition_variable>
#include <functional>

namespace troupe {

inline constexpr int exit_of_stopped = 143;

// What happens around the actor, told to it by other threads.
struct link_changed {
  bool up;
};
struct command_started {};
struct stop_wanted {};
struct command_ended {
  task_exit how;
};

// What the actor orders the thread in run() to do.
class orders {
public:
  void start(cluster_spec_msg spec) {
    std::lock_guard hold{mutex_};
    spec_ = std::move(spec);
    changed_.notify_all();
  }
  void finish(int code) {
    std::lock_guard hold{mutex_};
    code_ = code;
    changed_.notify_all();
  }

  // Empty when the task is over before it began.
  std::optional<cluster_spec_msg> wait_for_start() {
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return spec_ || code_; });
    return std::exchange(spec_, std::nullopt);
  }
  int wait_for_finish() {
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return code_.has_value(); });
    return *code_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<cluster_spec_msg> spec_;
  std::optional<int> code_;
};

// What the actor works with; all of it outlives the actor system.
struct surroundings {
  const task_executor_options& options;
  task_process& process;
  orders& runner;
  std::function<agent_executor_api(duration deadline)> agent; // over the link that is up now
  uint16_t port;
};

caf::actor spawn_task_shell(caf::actor_system& system, std::shared_ptr<surroundings> around);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::command_started)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::stop_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::command_ended)
