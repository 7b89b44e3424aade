// One request on its way to the UI of a task, and the answer on its way back.
//
// A request is passed on as it is, without the token of the cluster and with `x-forwarded-prefix`,
// the beginning of the path that the browser sees; the answer is passed back as it comes, and where
// it leads to is put below the prefix. After an upgrade (web sockets) bytes go both ways.
// Limits: a body has to say its size; ten minutes without a byte end it. Threads: plain functions.
#pragma once

#include "runtime/http_server.hpp"

namespace troupe::launcher {

inline constexpr std::string_view ui_paths = "/proxy/"; // and then JOB/TASK/...
inline constexpr std::string_view token_cookie = "troupe_token";

struct ui_address {
  std::string host;
  uint16_t port = 0;
};

// "/proxy/3/worker:0", and the path there is at the task: "/a/b"; empty: the slash is missing.
struct ui_path {
  std::string prefix;
  std::string rest;
};

ui_path split_ui_path(const std::string& path);

// A query but for its token.
std::string without_token(std::string_view query);

// Answers `x`. 502 where no HTTP comes back.
void pass_on(http_exchange& x, const ui_address& to, const ui_path& where, std::string_view token);

} // namespace troupe::launcher
