// Messages as frames. Nothing is written per message: the schema's union and the typed interface of
// an actor say all.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "runtime/transport.hpp"

#include <caf/mailbox_element.hpp>
#include <caf/make_message.hpp>
#include <caf/typed_actor.hpp>

#include <span>
#include <typeinfo>
#include <vector>

namespace troupe {

// How one message type gets into a frame and out of one.
struct message_codec {
  payload kind;
  const std::type_info* type;

  // Packs the only element of `content`, which has this type.
  flatbuffers::Offset<void> (*pack)(flatbuffers::FlatBufferBuilder&,
                                    const caf::type_erased_tuple& content);

  // A mailbox element with the unpacked `table`, which was verified to be of this kind.
  caf::mailbox_element_ptr (*unpack)(const void* table, caf::strong_actor_ptr sender,
                                     caf::message_id);
};

template <message_type T>
inline constexpr message_codec codec_of{
  kind_of<T>, &typeid(T),
  [](flatbuffers::FlatBufferBuilder& builder, const caf::type_erased_tuple& content) {
    return T::TableType::Pack(builder, &content.get_as<T>(0)).Union();
  },
  [](const void* table, caf::strong_actor_ptr sender, caf::message_id id) {
    T value;
    static_cast<const typename T::TableType*>(table)->UnPackTo(&value);
    return caf::make_mailbox_element(std::move(sender), id, {}, std::move(value));
  }};

// One message that an actor takes, and what it answers (null: nothing).
struct signature {
  const message_codec* in;
  const message_codec* out;
};

namespace detail {

template <class T>
constexpr const message_codec* codec_or_null() {
  if constexpr (std::is_void_v<T>)
    return nullptr;
  else
    return &codec_of<T>;
}

template <class Signatures>
struct interface_of;

template <class... In, class... Out>
struct interface_of<
  caf::detail::type_list<caf::typed_mpi<caf::detail::type_list<In>, caf::output_tuple<Out>>...>> {
  static constexpr signature value[] = {{&codec_of<In>, codec_or_null<Out>()}...};
};

} // namespace detail

// The signatures of a typed actor whose every message is one message type and one answer.
template <class Handle>
constexpr std::span<const signature> signatures_of() {
  return detail::interface_of<typename Handle::signatures>::value;
}

// ---- envelopes
// ----------------------------------------------------------------------------------------------

struct envelope_head {
  uint64_t sequence = 0;
  uint64_t handled = 0;
  uint64_t request = 0;
  bool reply = false;
  std::string_view actor;
  uint64_t sender = 0;
  uint64_t incarnation = 0;
  uint64_t to_incarnation = 0;
  int64_t budget_ns = 0;
  uint64_t trace = 0;
};

// Builds a frame in `builder`, which keeps it until its next use.
frame_view seal(flatbuffers::FlatBufferBuilder& builder, const envelope_head& head,
                const message_codec& codec, const caf::type_erased_tuple& content);

// Writes the two numbers that are known only when the frame leaves. Both were sealed as non-zero.
void stamp(std::span<std::byte> frame, uint64_t sequence, uint64_t handled);

// The envelope of a frame, after every offset in it was checked; it points into the frame. What it
// unpacks to is in proportion to the frame.
result<const envelope*> open_frame(frame_view frame);

} // namespace troupe
