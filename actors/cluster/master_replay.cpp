#include "actors/cluster/master_replay.hpp"

#include "storage/event_log.hpp"

namespace troupe {

result<void> replay(const storage::event_log& from, master_core& into) {
  result<void> all;
  auto apply = [&](auto bytes) {
    auto record = decode_record(bytes);
    if (record)
      into.apply(*record);
    else if (all)
      all = record.error();
  };
  auto saved = from.load_snapshot([&](auto, auto bytes) { apply(bytes); });
  if (!saved)
    return saved.error();
  into.forget_changes();
  TROUPE_TRY(from.replay(*saved + 1, [&](uint64_t, auto bytes) { apply(bytes); }));
  return all;
}

} // namespace troupe
