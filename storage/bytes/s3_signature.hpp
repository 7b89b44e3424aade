// What proves to S3 who asks: a request's Authorization header.
// Source: AWS, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
// Threads: plain functions.
#pragma once

#include "storage/bytes/s3_credentials.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::storage {

using s3_headers = std::vector<std::pair<std::string, std::string>>;

struct s3_request {
  std::string method{};
  std::string host{};   // the header Host
  std::string path{};   // encoded, from its '/'
  std::string query{};  // of query_text()
  s3_headers headers{}; // all of them are signed; names in lower case
};

// The headers to send: those of the request, and x-amz-date, x-amz-content-sha256,
// x-amz-security-token where there is one, and authorization. `payload` is the SHA-256 of the body;
// `wall_ns` are nanoseconds since 1970.
s3_headers signed_headers(const s3_request& request, std::string_view payload,
                          const s3_credentials& credentials, std::string_view region,
                          int64_t wall_ns);

} // namespace troupe::storage
