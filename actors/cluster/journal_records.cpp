#include "actors/cluster/journal_records.hpp"

namespace troupe {

uint64_t job_of(const cluster_changeUnion& x) {
  if (auto* submitted = x.Asjob_submitted())
    return submitted->job;
  if (auto* placed = x.Asattempt_placed())
    return placed->job;
  if (auto* ended = x.Astask_ended())
    return ended->task->job;
  if (auto* stopping = x.Asgang_stopping())
    return stopping->job;
  if (auto* changed = x.Asjob_changed())
    return changed->job;
  if (auto* held = x.Asjob_held())
    return held->job;
  if (auto* regrouped = x.Asgang_regrouped())
    return regrouped->job;
  return 0;
}

std::string encode_record(const cluster_event_msg& x) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(cluster_event::Pack(builder, &x));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

result<cluster_event_msg> decode_record(std::string_view bytes) {
  // A copy is aligned, whatever the position of the bytes in a file was.
  std::vector<uint64_t> aligned((bytes.size() + 7) / 8);
  bytes.copy(reinterpret_cast<char*>(aligned.data()), bytes.size());
  auto* begin = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier{begin, bytes.size(), 64, 10'000'000};
  if (bytes.size() < 8 || !verifier.VerifyBuffer<cluster_event>(nullptr))
    return {errc::corrupt, "a record of the event log is damaged; restore the log from a copy"};
  auto* event = flatbuffers::GetRoot<cluster_event>(begin);
  if (event->change_type() == cluster_change::NONE || event->change_type() > cluster_change::MAX)
    return {errc::corrupt, "a record of the event log is of an unknown kind, written by a later "
                           "version; start that version instead"};
  cluster_event_msg out;
  event->UnPackTo(&out);
  return out;
}

} // namespace troupe
