// What the record answers to clients: questions as messages, to a view of the metadata store.
// Guarantees: an answer fits into a frame; what does not fit comes with the next page, or is said
// to be left out.
// Threads: as the view. Errors: those of the questions in storage/metadata.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/metadata/view.hpp"

namespace troupe {

result<record_page_msg> answer_to(const list_records_msg& x, const storage::metadata_view& in);
result<record_types_msg> answer_to(const list_types_msg& x, const storage::metadata_view& in);
result<record_graph_msg> answer_to(const get_graph_msg& x, const storage::metadata_view& in);
result<reusable_msg> answer_to(const find_reusable_msg& x, const storage::metadata_view& in);

// Audits the store: findings_max sentences at most.
result<records_checked_msg> checked(const storage::store& all);

} // namespace troupe
