// The record on the wire: what the metadata store takes and gives, as messages, and back.
// Threads: plain functions. Errors: errc::invalid, for numbers that no message of ours has.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/metadata/change_set.hpp"
#include "storage/metadata/lineage.hpp"

namespace troupe {

std::unique_ptr<record_node_msg> message_of(const storage::node& x,
                                            const storage::type_catalog& types);
std::unique_ptr<record_event_msg> message_of(const storage::event& x);
std::unique_ptr<record_link_msg> message_of(const storage::link& x);
std::unique_ptr<record_type_msg> message_of(const storage::node_type& x);
std::unique_ptr<record_claim_msg> message_of(const storage::claim& x);
records_written_msg message_of(const storage::receipt& x);
write_records_msg message_of(const storage::change_set& x);

result<storage::node_kind> node_kind_of(record_kind x);
record_kind message_of(storage::node_kind x);
result<storage::node> node_of(const record_node_msg& x);
result<storage::event> event_of(const record_event_msg& x);
result<storage::link> link_of(const record_link_msg& x);
result<storage::node_type> type_of(const record_type_msg& x);
storage::receipt receipt_of(const records_written_msg& x);
result<storage::change_set> change_set_of(const write_records_msg& x);

// The types that nodes name, as far as the nodes know them: their kinds, ids and names.
void load_type(storage::type_catalog& into, const record_node_msg& x);

// A graph with the types of its nodes.
struct received_graph {
  storage::lineage_graph graph;
  storage::type_catalog types;
  uint64_t sequence = 0;
};

result<received_graph> graph_of(const record_graph_msg& x);

// Of the nodes of one answer; a frame takes a megabyte.
inline constexpr size_t answer_bytes_max = 512 << 10;

// About how many bytes the message of a node takes, as its texts and values do.
size_t bytes_of(const record_node_msg& x);

} // namespace troupe
