// Every message, as the schema defines it (troupe.fbs): `table start_task` is the type
// start_task_msg.
//
// A message type is a plain value: it is copied deep, compared by content, sent to actors as it is,
// and packed into an envelope when the actor is in another process.
#pragma once

#include "troupe_generated.h"

#include <caf/allowed_unsafe_message_type.hpp>
#include <flatbuffers/minireflect.h>

#include <concepts>
#include <string>

namespace troupe {

template <class T>
concept message_type = std::derived_from<T, flatbuffers::NativeTable>;

// The tag of a message type in the union `payload`.
template <message_type T>
inline constexpr payload kind_of = payloadUnionTraits<T>::enum_value;

// A message as text, for logs and transcripts; default values are left out.
template <message_type T>
std::string text_of(const T& x) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(T::TableType::Pack(builder, &x));
  return flatbuffers::FlatBufferToString(builder.GetBufferPointer(),
                                         T::TableType::MiniReflectTypeTable());
}

} // namespace troupe

namespace caf {

// Messages never reach a serializer of CAF: between processes they travel in our own envelope.
template <troupe::message_type T>
struct allowed_unsafe_message_type<T> : std::true_type {};

} // namespace caf
