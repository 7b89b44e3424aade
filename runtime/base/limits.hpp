// Every bound between two processes, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::limits {

inline constexpr size_t frame_size_max = 1 << 20;        // bytes of one control message
inline constexpr uint32_t frame_depth_max = 16;          // nesting of one control message
inline constexpr uint32_t frame_tables_max = 100'000;    // tables of one control message
inline constexpr uint32_t requests_in_flight_max = 4096; // unanswered requests per link
inline constexpr uint32_t one_way_window = 4096;    // one-way messages not yet handled, per link
inline constexpr size_t link_buffer_max = 16 << 20; // bytes that wait to be written, per link
inline constexpr size_t held_bytes_max = 16 << 20;  // bytes that wait for credit, per link
inline constexpr size_t links_max = 16384;          // links of one process
inline constexpr size_t bulk_chunk_max = 1 << 20;   // bytes of one chunk of the bulk channel
inline constexpr size_t bulk_reason_max = 1024;     // bytes of a reason to end a bulk transfer
inline constexpr size_t bulk_offers_max = 4096;     // tickets of one bulk server
inline constexpr size_t bulk_transfers_max = 64;    // transfers at one time of one bulk server
inline constexpr size_t bulk_strangers_max = 64;    // its connections that have not proved a ticket
inline constexpr uint64_t bulk_size_max = uint64_t{1} << 38; // bytes of one transfer
inline constexpr size_t task_files_max = 1000;            // files that the report of a task names
inline constexpr size_t task_files_bytes_max = 256 << 10; // of them in it
inline constexpr size_t node_files_bytes_max = 512 << 10; // of them in the report of a node

static_assert(task_files_bytes_max <= node_files_bytes_max);
static_assert(2 * node_files_bytes_max <= frame_size_max);
static_assert(link_buffer_max >= 2 * frame_size_max);

} // namespace troupe::limits
