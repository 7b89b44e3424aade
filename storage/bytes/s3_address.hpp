// Where a bucket is, and how its objects are written in a URL.
// Source: AWS, "Signature Version 4", the rules of UriEncode(); RFC 3986.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::storage {

enum class s3_style {
  virtual_host, // https://BUCKET.HOST/KEY: what AWS wants
  path,         // https://HOST/BUCKET/KEY: what most other servers want
};

struct s3_address {
  std::string base;   // http://HOST[:PORT] or https://..., without a '/' at its end
  std::string host;   // what the header Host says
  std::string bucket; // what every path begins with: "" or "/BUCKET"
};

// `endpoint`: http://HOST[:PORT] or https://...
// Errors: errc::invalid.
result<s3_address> address_of(std::string_view endpoint, std::string_view bucket, s3_style style);

// All bytes but A-Z, a-z, 0-9, '-', '.', '_' and '~' as %XX; '/' too unless it is kept.
std::string uri_encoded(std::string_view text, bool keep_slashes);

// The reverse; '+' is a space. What is no %XX stays as it is.
std::string uri_decoded(std::string_view text);

using s3_query = std::vector<std::pair<std::string, std::string>>;

// "name=value&...", encoded and in the order that the signature wants.
std::string query_text(const s3_query& query);

} // namespace troupe::storage
