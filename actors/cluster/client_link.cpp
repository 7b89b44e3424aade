#include "actors/cluster/client_link.hpp"

#include "runtime/actor_threads.hpp"
#include "runtime/local_transport.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace troupe {

namespace {

constexpr auto link_time = std::chrono::seconds(1); // for a link that was dialled to come up
constexpr auto redial_pause = std::chrono::milliseconds(50);

bridge_options options_of(const clock& time) {
  bridge_options options;
  options.name = "client/" + std::to_string(::getpid()) + "." + std::to_string(time.wall_ns());
  options.life = incarnation{static_cast<uint64_t>(time.wall_ns())};
  return options;
}

} // namespace

struct client_link::state {
  state(const std::string& directory_, duration deadline_)
    : directory(directory_), deadline(deadline_), system(with_threads(config, 1)),
      carrier(make_local_transport()),
      link(system, options_of(time),
           {[this](const peer& who) { set_up(true, who); },
            [this](const peer& who, const error&) { set_up(false, who); }}) {}

  ~state() { link.stop(); }

  void set_up(bool is_up, const peer& who) {
    if (who.name != "master")
      return;
    std::lock_guard guard{mutex};
    up = is_up;
    changed.notify_all();
  }

  // Waits for a link to the master until `end`, and dials when there is none.
  bool reach(time_point end) {
    std::unique_lock guard{mutex};
    while (!up && time.now() < end) {
      guard.unlock();
      auto dialled = static_cast<bool>(link.dial(*carrier, "local:" + directory + "/master.sock"));
      guard.lock();
      auto pause = dialled ? link_time : redial_pause;
      changed.wait_for(guard, std::min<duration>(pause, end - time.now()), [this] { return up; });
    }
    return up;
  }

  error silent() const {
    return {errc::unavailable, "the cluster in " + directory + " does not answer; see " + directory
                                 + "/logs/master.log, or end it with: troupe down --dir "
                                 + directory};
  }

  const std::string directory;
  const duration deadline; // of a call
  system_clock time;
  std::mutex mutex;
  std::condition_variable changed;
  bool up = false;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> carrier;
  bridge link;
};

client_link::client_link(const std::string& directory, duration deadline)
  : state_(std::make_unique<state>(directory, deadline)) {}

client_link::~client_link() = default;

result<void> client_link::open(duration patience) {
  TROUPE_TRY(state_->link.attach(*state_->carrier));
  if (!reach(now() + patience))
    return silent();
  return {};
}

bridge& client_link::wire() {
  return state_->link;
}

duration client_link::deadline() const {
  return state_->deadline;
}

time_point client_link::now() const {
  return state_->time.now();
}

bool client_link::reach(time_point end) {
  return state_->reach(end);
}

error client_link::silent() const {
  return state_->silent();
}

caf::actor_system& client_link::system() {
  return state_->system;
}

} // namespace troupe
