// What the two halves of a bridge share: bridge_receive.cpp hands incoming frames to actors,
// bridge.cpp does the rest.
#pragma once

#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "runtime/remote_actor.hpp"

#include <caf/all.hpp>

#include <deque>
#include <map>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

// Actors that a frame woke and that run on the receiving thread.
class inline_unit : public caf::execution_unit {
public:
  explicit inline_unit(caf::actor_system& system) : caf::execution_unit(&system) {}

  void exec_later(caf::resumable* job) override { jobs_.push_back(job); }

  void drain() {
    while (!jobs_.empty()) {
      auto* job = jobs_.front();
      jobs_.pop_front();
      switch (job->resume(this, 50)) {
      case caf::resumable::resume_later:
        system().scheduler().enqueue(job);
        break;
      case caf::resumable::shutdown_execution_unit:
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        caf::intrusive_ptr_release(job);
        break;
      }
    }
  }

private:
  std::deque<caf::resumable*> jobs_;
};

struct service {
  caf::strong_actor_ptr target;
  std::span<const signature> takes;
  run_on where;
};

struct bridge::state : std::enable_shared_from_this<state> {
  using link_ptr = std::shared_ptr<peer_link>;
  using link_key = std::pair<transport*, link_id>;

  // The same in every run, as a simulation asks for.
  struct link_hash {
    size_t operator()(const link_key& x) const noexcept { return x.second.value; }
  };

  // What one transport delivers to.
  struct port : transport_receiver {
    port(bridge::state& owner_, transport& t) : owner(owner_), carrier(t), unit(owner_.system) {}

    void on_link_up(link_id link, bool accepted, const std::string& principal) override {
      owner.on_link_up(carrier, link, accepted, principal);
    }
    void on_frame(link_id link, frame_view frame, bool more) override {
      owner.on_frame(*this, link, frame, more);
    }
    void on_link_down(link_id link, const error& reason) override {
      if (auto found = owner.find(carrier, link))
        return owner.end(found, reason);
      // A dial that failed; it is repeated, its reason is told once.
      auto closed = reason.code == errc::aborted;
      if (!closed && std::exchange(dial_failed, reason.text) != reason.text)
        log::warning("no connection", {{"reason", reason.text}});
    }

    bridge::state& owner;
    transport& carrier;
    inline_unit unit;
    std::string dial_failed; // why, as it was told last
  };

  // An endpoint that is dialled whenever no link to it is up.
  struct standing {
    transport* carrier;
    std::string endpoint;
    link_id link;
    time_point next{};
    duration pause{};
  };

  state(caf::actor_system& system_, bridge_options options_, peer_events events_)
    : system(system_), options(std::move(options_)), events(std::move(events_)) {}

  link_ptr find(transport& carrier, link_id link) {
    std::shared_lock guard{mutex};
    auto i = links.find({&carrier, link});
    return i != links.end() ? i->second : nullptr;
  }

  void on_link_up(transport& carrier, link_id id, bool accepted, const std::string& principal);
  void on_frame(port& from, link_id id, frame_view frame, bool more);
  void on_hello(const link_ptr& link, const hello& said);
  void on_reply(const link_ptr& link, const envelope& in, caf::execution_unit* unit);
  void on_message(const link_ptr& link, const envelope& in, inline_unit* unit);
  void end(const link_ptr& link, const error& reason);
  void tick();
  void dial_standing(time_point now);

  caf::actor_system& system;
  const bridge_options options;
  const peer_events events;

  std::shared_mutex mutex; // guards what follows
  std::unordered_map<link_key, link_ptr, link_hash> links;
  std::map<node_id, link_ptr> peers;
  std::map<std::string, service, std::less<>> services;
  std::vector<standing> endpoints;
  std::vector<std::unique_ptr<port>> ports;
  caf::actor timer;
  bool stopped = false;
  bridge_statistics ended; // of the links that are no more
};

} // namespace troupe
