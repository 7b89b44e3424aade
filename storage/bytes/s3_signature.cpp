#include "storage/bytes/s3_signature.hpp"

#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace troupe::storage {

namespace {

std::string basic_time(int64_t wall_ns) {
  auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  auto size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), size};
}

} // namespace

s3_headers signed_headers(const s3_request& request, std::string_view payload,
                          const s3_credentials& credentials, std::string_view region,
                          int64_t wall_ns) {
  auto now = basic_time(wall_ns);
  auto day = now.substr(0, 8);
  auto out = request.headers;
  out.emplace_back("x-amz-content-sha256", payload);
  out.emplace_back("x-amz-date", now);
  if (!credentials.session_token.empty())
    out.emplace_back("x-amz-security-token", credentials.session_token);

  auto sorted = out;
  sorted.emplace_back("host", request.host);
  std::sort(sorted.begin(), sorted.end());
  std::string lines;
  std::string names;
  for (auto& [name, value] : sorted) {
    lines.append(name).append(":").append(value).append("\n");
    names.append(names.empty() ? "" : ";").append(name);
  }
  std::string canonical;
  for (std::string_view each : {std::string_view{request.method}, std::string_view{request.path},
                                std::string_view{request.query}, std::string_view{lines}})
    canonical.append(each).append("\n");
  canonical.append(names).append("\n").append(payload);

  std::string scope;
  scope.append(day).append("/").append(region).append("/s3/aws4_request");
  auto to_sign = "AWS4-HMAC-SHA256\n" + now + "\n" + scope + "\n" + sha256(canonical);
  auto key = hmac_sha256("AWS4" + credentials.secret, day);
  for (std::string_view each : {region, std::string_view{"s3"}, std::string_view{"aws4_request"}})
    key = hmac_sha256(key, each);
  std::string authorization = "AWS4-HMAC-SHA256 Credential=";
  authorization.append(credentials.key_id).append("/").append(scope);
  authorization.append(",SignedHeaders=").append(names);
  authorization.append(",Signature=").append(hex(hmac_sha256(key, to_sign)));
  out.emplace_back("authorization", std::move(authorization));
  return out;
}

} // namespace troupe::storage
