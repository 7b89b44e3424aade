#include "actors/cluster/master_replay.hpp"

#include "storage/event_log.hpp"

namespace troupe {

result<void> replay(const storage::event_log& from, master_core& into) {
  auto saved = from.load_snapshot();
  if (!saved)
    return saved.error();
  if (*saved)
    TROUPE_TRY(decode_records((*saved)->bytes, [&](auto& record) { into.apply(record); }));
  result<void> all;
  TROUPE_TRY(from.replay(*saved ? (*saved)->sequence + 1 : 1, [&](uint64_t, auto bytes) {
    auto record = decode_record(bytes);
    if (record)
      into.apply(*record);
    else if (all)
      all = record.error();
  }));
  return all;
}

} // namespace troupe
