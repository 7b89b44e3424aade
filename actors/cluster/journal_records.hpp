// The records of the master's event log, as bytes. Bytes are verified before use: a record that
// passes `decode_record` has no holes.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <string>
#include <string_view>

namespace troupe {

// One change with its wall time.
template <class T>
cluster_event_msg record_of(T change, int64_t wall_ns) {
  cluster_event_msg out;
  out.time_ns = wall_ns;
  out.change.Set(std::move(change));
  return out;
}

// The job whose life a change is a part of; 0: of none.
uint64_t job_of(const cluster_changeUnion& x);

std::string encode_record(const cluster_event_msg& x);

// errc::corrupt: the bytes are no record, or one of a later version.
result<cluster_event_msg> decode_record(std::string_view bytes);

} // namespace troupe
