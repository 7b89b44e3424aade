#include "launcher/role_system.hpp"

#include "runtime/actor_threads.hpp"
#include "runtime/base/log.hpp"
#include "runtime/zmq_transport.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace troupe::launcher {

namespace {

bridge_options options_of(const std::string& name, duration heartbeat, const clock& time) {
  bridge_options options;
  options.heartbeat = heartbeat;
  options.silence_max = 6 * heartbeat;
  // Each link is looked at in each tick: thousands of them cost.
  options.tick = std::clamp(heartbeat / 10, options.tick, 5 * options.tick);
  options.name = name;
  options.life = incarnation{static_cast<uint64_t>(time.wall_ns())};
  return options;
}

} // namespace

role_system::role_system(const std::string& name_, duration heartbeat)
  : name(name_), system(with_threads(config, 2)), local(make_local_transport()),
    link(system, options_of(name, heartbeat, time),
         {[this](const peer& who) { tell(who, true, false); },
          [this](const peer& who, const error& why) {
            tell(who, false, why.code == errc::deadline);
          }}) {}

void role_system::tell(const peer& who, bool up, bool silent) {
  std::lock_guard guard{mutex};
  if (role)
    caf::anon_send(role, node_link_changed{who.name, up, silent});
}

void role_system::hold(const caf::actor& root, const end_callback& on_end) {
  keep(root, on_end);
  std::lock_guard guard{mutex};
  role = root;
}

void role_system::keep(const caf::actor& one, const end_callback& on_end) {
  one->attach_functor([this, on_end](const caf::error& why) {
    if (!why || why == caf::exit_reason::kill)
      return;
    error reason{errc::internal, "the role's actor died: " + system.render(why)};
    log::error("an actor died", {{"reason", reason.text}});
    on_end(&reason);
  });
  kept_.push_back(one);
}

result<void> role_system::attach_remote(const std::string& directory) {
  remote = make_zmq_transport({directory, name, "master"});
  return link.attach(*remote);
}

result<void> role_system::serve_metrics(const std::string& address,
                                        metrics_endpoint::collect_function collect) {
  if (address.empty())
    return {};
  auto opened = metrics_endpoint::open(address, std::move(collect));
  if (!opened)
    return opened.error();
  metrics_ = std::move(*opened);
  return {};
}

role_system::~role_system() {
  metrics_.reset();
  link.stop();
  for (const auto& each : kept_)
    caf::anon_send_exit(each, caf::exit_reason::kill);
}

} // namespace troupe::launcher
