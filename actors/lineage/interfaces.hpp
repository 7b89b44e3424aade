// The typed interfaces of the actors of the record.
#pragma once

#include "runtime/protocol/messages.hpp"

#include <caf/typed_actor.hpp>

namespace troupe {

// The metadata store of the cluster, under the name "artifact_store". A client is any listed user.
using artifact_store_api = caf::typed_actor<
  caf::replies_to<write_records_msg>::with<records_written_msg>, // durable when answered
  caf::replies_to<list_records_msg>::with<record_page_msg>,
  caf::replies_to<list_types_msg>::with<record_types_msg>,
  caf::replies_to<get_graph_msg>::with<record_graph_msg>,
  caf::replies_to<find_reusable_msg>::with<reusable_msg>,
  caf::replies_to<next_changes_msg>::with<record_changes_msg>, // when there is one, or within a
                                                               // second
  caf::replies_to<check_records_msg>::with<records_checked_msg>,
  caf::replies_to<backup_store_msg>::with<done_msg>>; // when the copy is whole and durable

} // namespace troupe
