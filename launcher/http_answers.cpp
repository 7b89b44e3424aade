#include "launcher/http_answers.hpp"

#include "launcher/json.hpp"
#include "runtime/base/secret.hpp"

#include <charconv>

namespace troupe::launcher {

namespace {

constexpr std::string_view bearer = "Bearer ";

uint32_t status_of(errc code) {
  switch (code) {
  case errc::invalid:
    return 400;
  case errc::not_found:
    return 404;
  case errc::refused:
    return 403;
  case errc::deadline:
    return 504;
  case errc::queue_full:
  case errc::node_lost:
  case errc::unavailable:
    return 503;
  default:
    return 500;
  }
}

} // namespace

void answer_json(http_exchange& x, std::string_view document) {
  x.answer(200,
           {{"content-type", "application/json"},
            {"cache-control", "no-store"},
            {"x-content-type-options", "nosniff"}},
           std::string{document}.append(1, '\n'));
}

void answer_error(http_exchange& x, uint32_t status, const std::string& text, http_headers more) {
  more.push_back({"content-type", "application/json"});
  more.push_back({"cache-control", "no-store"});
  x.answer(status, std::move(more), json_of(error{errc::invalid, text}).append(1, '\n'));
}

void answer_error(http_exchange& x, const error& reason, http_headers more) {
  answer_error(x, status_of(reason.code), reason.text, std::move(more));
}

void ask_for_token(http_exchange& x) {
  answer_error(x, 401,
               "the token of the cluster is needed: it is in keys/http.token of the cluster's "
               "directory, and goes into the header 'Authorization: Bearer TOKEN'",
               {{"www-authenticate", "Bearer"}});
}

bool has_token(const http_request& x, std::string_view token) {
  auto* given = find_header(x.headers, "authorization");
  return given && given->starts_with(bearer)
         && same_secret(std::string_view{*given}.substr(bearer.size()), token);
}

result<uint64_t> job_named(const std::string& number) {
  uint64_t out = 0;
  auto end = number.data() + number.size();
  auto read = std::from_chars(number.data(), end, out);
  if (read.ec == std::errc{} && read.ptr == end && out != 0)
    return out;
  auto shown = printable(number);
  return {errc::not_found, "there is no job '" + shown + "'; list them at /api/v1/jobs"};
}

} // namespace troupe::launcher
