// The two actors that stand for what is in another process; parts of the bridge.
#pragma once

#include "runtime/peer_link.hpp"

#include <caf/actor_proxy.hpp>

#include <memory>

namespace troupe {

// A remote actor as its local callers see it: packs each message on the caller's thread.
class remote_actor : public caf::actor_proxy {
public:
  remote_actor(caf::actor_config& config, std::shared_ptr<peer_link> link, std::string name,
               std::span<const signature> takes, proxy_options options);

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) override;
  void kill_proxy(caf::execution_unit* context, caf::error reason) override;

private:
  std::shared_ptr<peer_link> link_;
  const std::string name_;
  const std::span<const signature> takes_;
  const proxy_options options_;
};

// The sender of every message that came over a link: what is answered to it goes back as a frame.
class return_path : public caf::actor_proxy {
public:
  // Requests of the peer are numbered below this bit; one-way messages carry it, so that they are
  // counted.
  static constexpr uint64_t one_way_bit = uint64_t{1} << 59;

  return_path(caf::actor_config& config, std::weak_ptr<peer_link> link);

  // The peer at the other end, while the link is known.
  std::optional<peer> origin() const;

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) override;
  void kill_proxy(caf::execution_unit* context, caf::error reason) override;

private:
  void answer(peer_link& link, uint64_t request, const caf::type_erased_tuple& content);

  std::weak_ptr<peer_link> link_;
};

// Which codec packs an answer of some type. Filled by publish(), for the life of the process.
void register_answer(const message_codec& codec);

} // namespace troupe
