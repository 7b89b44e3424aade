#include "runtime/remote_actor.hpp"

#include "runtime/actor_error.hpp"

#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <array>

namespace troupe {

namespace {

// One slot per kind: codecs are constants, so each slot is written with one value only.
std::array<std::atomic<const message_codec*>, static_cast<size_t>(payload::MAX) + 1> answers{};

const message_codec* codec_for(const caf::type_erased_tuple& content) {
  auto type = content.type(0).second;
  if (!type)
    return nullptr;
  for (auto& slot : answers)
    if (auto* codec = slot.load(std::memory_order_acquire); codec && *codec->type == *type)
      return codec;
  return nullptr;
}

// Answers a request with an error; CAF's own bounce would say only that the receiver is down.
void refuse(caf::mailbox_element& what, const error& reason, caf::execution_unit* context) {
  if (what.sender && what.mid.is_request())
    what.sender->enqueue(nullptr, what.mid.response_id(), caf::make_message(fail(reason)), context);
}

} // namespace

void register_answer(const message_codec& codec) {
  answers[static_cast<size_t>(codec.kind)].store(&codec, std::memory_order_release);
}

remote_actor::remote_actor(caf::actor_config& config, std::shared_ptr<peer_link> link,
                           std::string name, std::span<const signature> takes,
                           proxy_options options)
  : actor_proxy(config), link_(std::move(link)), name_(std::move(name)), takes_(takes),
    options_(options) {}

void remote_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) {
  auto& content = what->content();
  if (content.size() == 1) {
    auto type = content.type(0);
    for (auto& each : takes_) {
      if (!type.second || *type.second != *each.in->type)
        continue;
      auto sent = link_ ? link_->send(name_, each, *what, options_)
                        : result<void>{errc::node_lost, "no connection to the node"};
      if (sent)
        return;
      if (what->mid.is_request())
        return refuse(*what, sent.error(), context);
      // A one-way message that finds no room ends the proxy: its sender has no other way to learn
      // of it.
      return kill_proxy(context, fail(sent.error()));
    }
  }
  if (content.match_elements<caf::exit_msg>()) {
    handle_system_message(*what, context, false);
    return;
  }
  refuse(*what, {errc::no_such_actor, "'" + name_ + "' does not take this message"}, context);
}

void remote_actor::kill_proxy(caf::execution_unit* context, caf::error reason) {
  cleanup(std::move(reason), context);
}

return_path::return_path(caf::actor_config& config, std::weak_ptr<peer_link> link)
  : actor_proxy(config), link_(std::move(link)) {}

std::optional<peer> return_path::origin() const {
  auto link = link_.lock();
  return link ? link->who() : std::nullopt;
}

std::optional<peer> sender_of(const caf::strong_actor_ptr& sender) {
  auto* path = sender ? dynamic_cast<const return_path*>(sender->get()) : nullptr;
  return path ? path->origin() : std::nullopt;
}

void return_path::enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) {
  auto link = link_.lock();
  if (!link || !what->mid.is_response())
    return;
  auto number = what->mid.request_id().integer_value();
  if (number & one_way_bit)
    return link->one_way_handled();
  answer(*link, number, what->content());
}

void return_path::answer(peer_link& link, uint64_t request, const caf::type_erased_tuple& content) {
  if (content.empty())
    return link.answer(request, codec_of<done_msg>, caf::make_message(done_msg{}));
  error reason{errc::internal, "the actor answered with something that is no message"};
  if (content.match_elements<caf::error>())
    reason = reason_of(content.get_as<caf::error>(0));
  else if (auto* codec = content.size() == 1 ? codec_for(content) : nullptr)
    return link.answer(request, *codec, content);
  failure_msg why;
  why.code = static_cast<uint8_t>(reason.code);
  why.text = std::move(reason.text);
  link.answer(request, codec_of<failure_msg>, caf::make_message(std::move(why)));
}

void return_path::kill_proxy(caf::execution_unit* context, caf::error reason) {
  cleanup(std::move(reason), context);
}

} // namespace troupe
