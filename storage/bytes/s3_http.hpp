// One HTTP request and its answer, over connections that are kept for the next ones.
// Threads: exchange() may be called from several at a time; each uses a connection of its own.
// Limits: an answer has at most `answer_max` bytes; up to 16 idle connections are kept.
#pragma once

#include "runtime/base/clock.hpp"
#include "storage/bytes/s3_signature.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::storage {

struct http_request {
  std::string method{};
  std::string url{};
  s3_headers headers{};
  std::string_view body{};
  duration budget{}; // for all of it, the connection too
  size_t answer_max = 0;
};

struct http_answer {
  int status = 0; // 0: none came
  std::string body{};
  std::string etag{};          // of the header of that name, as are the next ones
  std::string content_range{}; // "bytes FIRST-LAST/TOTAL"
  std::string bucket_region{}; // x-amz-bucket-region
  std::optional<int64_t> date_s{};
  std::optional<uint64_t> length{}; // Content-Length
  std::string broken{};             // why there is no whole answer; empty: there is one
  bool hopeless = false;            // broken, and so will be the next try
};

class http_connections {
public:
  // `ca_file`: the certificates to trust, as PEM; empty: those of the system.
  explicit http_connections(std::string ca_file);
  ~http_connections();

  http_connections(const http_connections&) = delete;
  http_connections& operator=(const http_connections&) = delete;

  // Follows no redirection, asks no proxy. A status of 400 or more is never `broken`, as a server
  // may say no and close before it has read the request.
  http_answer exchange(const http_request& request);

private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

// Holds the calling thread.
void pause_thread(duration time);

} // namespace troupe::storage
