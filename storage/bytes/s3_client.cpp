#include "storage/bytes/s3_client.hpp"

#include "storage/hash.hpp"

#include <algorithm>
#include <array>

namespace troupe::storage {

namespace {

constexpr int64_t skew_max_s = 15 * 60; // what S3 allows

// Whether the same request may be answered otherwise in a while.
bool is_passing(const http_answer& answer, const std::string& code) {
  static constexpr std::array<std::string_view, 9> passing{"RequestTimeout",
                                                           "SlowDown",
                                                           "InternalError",
                                                           "ServiceUnavailable",
                                                           "Throttling",
                                                           "BadDigest",
                                                           "OperationAborted",
                                                           "XAmzContentSHA256Mismatch",
                                                           "ConditionalRequestConflict"};
  return answer.status == 408 || answer.status == 429
         || (answer.status >= 500 && answer.status != 501 && answer.status != 505)
         || std::find(passing.begin(), passing.end(), code) != passing.end();
}

void replace_all(std::string& text, const std::string& what) {
  if (what.empty())
    return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 3))
    text.replace(at, what.size(), "***");
}

// What the other end said, short enough for a sentence.
std::string shown(std::string_view foreign) {
  std::string out;
  for (auto c : foreign.substr(0, 200))
    out += c >= ' ' && c < 0x7f && c != '"' ? c : '?';
  while (!out.empty() && (out.back() == '.' || out.back() == ' '))
    out.pop_back();
  return out;
}

// Why trying again went on until now.
std::string last_words(const http_answer& answer) {
  if (!answer.broken.empty())
    return shown(answer.broken);
  auto out = "it answers " + std::to_string(answer.status);
  if (auto said = read_refusal(answer.body); !said.code.empty())
    out.append(", ").append(shown(said.code));
  return out;
}

bool is_clean(std::string_view x) {
  return std::all_of(x.begin(), x.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

} // namespace

result<std::unique_ptr<s3_client>> s3_client::make(s3_options options, s3_credentials credentials,
                                                   s3_surroundings around) {
  auto address = address_of(options.endpoint, options.bucket, options.style);
  if (!address)
    return address.error();
  TROUPE_TRY(check_credentials(credentials));
  if (options.region.empty() || !is_clean(options.region)
      || options.region.find('/') != std::string::npos)
    return {errc::invalid, "the region '" + printable(options.region)
                             + "' is none of S3: give one such as us-east-1"};
  if (options.prefix.size() > 512 || !is_clean(options.prefix) || options.prefix.starts_with('/'))
    return {errc::invalid, "the prefix '" + printable(options.prefix)
                             + "' cannot begin the keys of S3: give up to 512 bytes of printing "
                               "ASCII that do not begin with '/'"};
  if (options.attempts == 0 || options.attempt_budget <= duration::zero()
      || options.budget <= duration::zero() || options.pause_first <= duration::zero())
    return {errc::invalid, "a request of S3 has at least one attempt, and budgets and pauses above "
                           "zero: correct the options"};
  return std::unique_ptr<s3_client>{new s3_client(std::move(options), std::move(credentials),
                                                  std::move(*address), std::move(around))};
}

s3_client::s3_client(s3_options options, s3_credentials credentials, s3_address address,
                     s3_surroundings around)
  : options_(std::move(options)), credentials_(std::move(credentials)),
    address_(std::move(address)), around_(std::move(around)), chance_(around_.chance),
    connections_(options_.ca_file) {}

result<http_answer> s3_client::ask(const s3_ask& request) const {
  auto end = around_.time.now() + options_.budget;
  auto payload = sha256(request.body);
  http_answer answer;
  for (uint32_t attempt = 1;; ++attempt) {
    auto next = signed_request(request, payload);
    next.budget = std::min(options_.attempt_budget, end - around_.time.now());
    answer = connections_.exchange(next);
    if (answer.broken.empty()) {
      auto said
        = answer.status >= 400 || request.ok_may_refuse ? read_refusal(answer.body) : s3_refusal{};
      if (answer.status == 200 && !said.code.empty())
        answer.status = 400;
      if (!is_passing(answer, said.code))
        return answer;
    } else if (answer.hopeless) {
      return failure(errc::io, request,
                     answer.broken + ": check the endpoint and the certificates to trust");
    }
    auto pause = pause_before(attempt);
    if (attempt == options_.attempts || around_.time.now() + pause >= end) {
      return failure(errc::unavailable, request,
                     "after " + std::to_string(attempt) + " tries: " + last_words(answer)
                       + ": check that the server runs and can be reached, then try again");
    }
    around_.pause(pause);
  }
}

http_request s3_client::signed_request(const s3_ask& request, std::string_view payload) const {
  s3_request to_sign{request.method, address_.host, address_.bucket, query_text(request.query),
                     request.headers};
  if (!request.name.empty())
    to_sign.path.append("/").append(uri_encoded(options_.prefix + request.name, true));
  else if (to_sign.path.empty())
    to_sign.path += '/';
  http_request out;
  out.method = request.method;
  out.url = address_.base + to_sign.path;
  if (!to_sign.query.empty())
    out.url.append("?").append(to_sign.query);
  out.headers
    = signed_headers(to_sign, payload, credentials_, options_.region, around_.time.wall_ns());
  out.body = request.body;
  out.answer_max = request.answer_max;
  return out;
}

duration s3_client::pause_before(uint32_t attempt) const {
  auto longest = options_.pause_first;
  for (uint32_t i = 1; i < attempt && longest < options_.pause_max; ++i)
    longest *= 2;
  longest = std::min(longest, options_.pause_max);
  std::lock_guard lock{chance_mutex_};
  auto half = static_cast<uint64_t>(longest.count() / 2);
  return duration{static_cast<int64_t>(half + chance_.below(half + 1))};
}

error s3_client::refusal(const s3_ask& request, const http_answer& answer) const {
  auto said = read_refusal(answer.body);
  auto status = answer.status;
  auto who = status == 401 || status == 403;
  if (answer.date_s && who) {
    auto apart = around_.time.wall_ns() / 1'000'000'000 - *answer.date_s;
    auto distance = apart < 0 ? -apart : apart;
    if (said.code == "RequestTimeTooSkewed" || (said.code.empty() && distance > skew_max_s)) {
      std::string text = "the clock of this machine is ";
      text.append(std::to_string(distance)).append(apart < 0 ? " s behind" : " s ahead of");
      text.append(" the server's, and S3 allows 900: set the clock, as by NTP");
      return failure(errc::refused, request, std::move(text));
    }
  }
  auto what = "it answers " + std::to_string(status);
  if (!said.code.empty())
    what.append(", ").append(shown(said.code)).append(" (").append(shown(said.message)).append(")");
  if (said.code == "NoSuchBucket")
    return failure(errc::not_found, request,
                   "there is no such bucket: make it, or correct its name");
  if (status == 404)
    return failure(errc::not_found, request, "there is no such object: check the name");
  if (who)
    return failure(errc::refused, request,
                   what + ": check the key, its secret and what they are allowed to do");
  if (!answer.bucket_region.empty() && answer.bucket_region != options_.region)
    return failure(errc::io, request,
                   "the bucket is in the region " + shown(answer.bucket_region) + ", not in "
                     + options_.region + ": set the region and its endpoint");
  return failure(errc::io, request, what + ": check the endpoint, the region and the bucket");
}

error s3_client::failure(errc code, const s3_ask& request, std::string reason) const {
  // The other end may say any of them to us.
  replace_all(reason, credentials_.secret);
  replace_all(reason, credentials_.session_token);
  replace_all(reason, credentials_.key_id);
  std::string text = "S3 at " + address_.base + ", bucket " + options_.bucket + ", ";
  text.append(request.method);
  if (!request.name.empty())
    text.append(" of ").append(options_.prefix).append(request.name);
  text.append(": ").append(reason);
  return {code, std::move(text)};
}

} // namespace troupe::storage
