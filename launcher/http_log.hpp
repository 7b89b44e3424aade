// What a task printed, over HTTP: a piece as a document, or all of it as it grows.
// Threads: plain functions.
#pragma once

#include "launcher/client_pool.hpp"
#include "runtime/http_server.hpp"

namespace troupe::launcher {

inline constexpr uint64_t log_piece_max = 64 << 10; // bytes

// At most `limit` bytes; no character is cut in two, so that pieces put together are the log.
result<log_chunk_msg> log_piece(client& cluster, const read_log_msg& request, uint64_t limit);

// All of one attempt's log from the offset on as plain text; with `follow`, until the attempt ends
// or nobody listens any more; with `text`, only the lines that contain it.
void send_log(client_pool& clients, read_log_msg request, const std::string& text, bool follow,
              http_exchange& to);

} // namespace troupe::launcher
