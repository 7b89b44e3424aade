#include "launcher/role_system.hpp"

#include "runtime/base/log.hpp"

#include <caf/all.hpp>

namespace troupe::launcher {

namespace {

caf::actor_system_config& configured(caf::actor_system_config& config) {
  // The stealing scheduler polls: it costs 2 % of a core when idle, and 150 us a hop.
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", size_t{2});
  return config;
}

bridge_options options_of(const std::string& name, const clock& time) {
  bridge_options options;
  options.name = name;
  options.life = incarnation{static_cast<uint64_t>(time.wall_ns())};
  return options;
}

} // namespace

role_system::role_system(const std::string& name,
                         std::function<void(const node_link_changed&)> changed)
  : system(configured(config)), local(make_local_transport()),
    link(system, options_of(name, time),
         {[changed](const peer& who) {
            changed({who.name, true, false});
          },
          [changed](const peer& who, const error& why) {
            changed({who.name, false, why.code == errc::deadline});
          }}) {}

void role_system::hold(const caf::actor& root, const end_callback& on_end) {
  root->attach_functor([this, on_end](const caf::error& why) {
    if (!why || why == caf::exit_reason::kill)
      return;
    error reason{errc::internal, "the role's actor died: " + system.render(why)};
    log::error("an actor died", {{"reason", reason.text}});
    on_end(&reason);
  });
  roots.push_back(root);
}

role_system::~role_system() {
  link.stop();
  for (auto& each : roots)
    caf::anon_send_exit(each, caf::exit_reason::kill);
}

} // namespace troupe::launcher
