// How the HTTP server says things: documents, errors, and who may ask. Threads: plain functions.
#pragma once

#include "runtime/http_server.hpp"

#include <string>
#include <string_view>

namespace troupe::launcher {

void answer_json(http_exchange& x, std::string_view document);

// With the status that belongs to the error; `more`: headers beside those of every answer.
void answer_error(http_exchange& x, const error& reason, http_headers more = {});
void answer_error(http_exchange& x, uint32_t status, const std::string& text,
                  http_headers more = {});

// 401.
void ask_for_token(http_exchange& x);

// Whether the request brings the token as a bearer's.
bool has_token(const http_request& x, std::string_view token);

// errc::not_found: it is no number, so no job has it.
result<uint64_t> job_named(const std::string& number);

} // namespace troupe::launcher
