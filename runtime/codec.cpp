#include "runtime/codec.hpp"

#include "runtime/base/limits.hpp"
#include "runtime/frame_parts.hpp"

namespace troupe {

frame_view seal(flatbuffers::FlatBufferBuilder& builder, const envelope_head& head,
                const message_codec& codec, const caf::type_erased_tuple& content) {
  builder.Clear();
  auto body = codec.pack(builder, content);
  flatbuffers::Offset<flatbuffers::String> actor;
  if (!head.actor.empty())
    actor = builder.CreateString(head.actor.data(), head.actor.size());
  envelopeBuilder out{builder};
  out.add_sequence(head.sequence);
  out.add_handled(head.handled);
  out.add_request(head.request);
  out.add_sender(head.sender);
  out.add_incarnation(head.incarnation);
  out.add_to_incarnation(head.to_incarnation);
  out.add_budget_ns(head.budget_ns);
  out.add_trace(head.trace);
  out.add_body(body);
  if (!actor.IsNull())
    out.add_actor(actor);
  out.add_body_type(codec.kind);
  out.add_reply(head.reply);
  builder.Finish(out.Finish());
  return std::as_bytes(std::span{builder.GetBufferPointer(), builder.GetSize()});
}

void stamp(std::span<std::byte> frame, uint64_t sequence, uint64_t handled) {
  auto* table = flatbuffers::GetMutableRoot<flatbuffers::Table>(frame.data());
  auto written = table->SetField<uint64_t>(envelope::VT_SEQUENCE, sequence, 0)
                 && table->SetField<uint64_t>(envelope::VT_HANDLED, handled, 0);
  TROUPE_ASSERT(written);
}

result<const envelope*> open_frame(frame_view frame) {
  auto bytes = reinterpret_cast<const uint8_t*>(frame.data());
  flatbuffers::Verifier verifier{bytes, frame.size(), limits::frame_depth_max,
                                 limits::frame_tables_max};
  if (!parts_lie_apart(frame, *envelopeTypeTable()) || !verifier.VerifyBuffer<envelope>(nullptr))
    return error{errc::corrupt, "a frame failed its check; the peer is broken or hostile"};
  auto* found = flatbuffers::GetRoot<envelope>(bytes);
  // A tag that this schema does not know passes the verifier, its table unseen.
  if (found->body_type() == payload::NONE || found->body_type() > payload::MAX || !found->body())
    return error{errc::corrupt, "a frame carries a message that this version does not know; "
                                "run the same version on all nodes"};
  return found;
}

} // namespace troupe
