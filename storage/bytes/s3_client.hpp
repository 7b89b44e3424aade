// Requests to one bucket of S3, signed, and repeated while that may help.
//
// Repeated, at most `attempts` times and within `budget`, is what broke, timed out, or was answered
// with 429, 5xx, or a code of S3 that says the same; between two tries it pauses, each time up to
// twice as long, half of that by chance. Whoever asks must be safe to repeat.
// Threads: every function may be called from any thread, several at a time; they block.
// Errors: errc::unavailable (no answer, or only such as may pass), errc::refused (what proves who
// we are, or permissions), errc::not_found, errc::io (all else). No credential is ever in a text.
#pragma once

#include "runtime/base/random.hpp"
#include "storage/bytes/s3_address.hpp"
#include "storage/bytes/s3_answers.hpp"
#include "storage/bytes/s3_http.hpp"

#include <functional>
#include <mutex>

namespace troupe::storage {

struct s3_options {
  std::string endpoint{}; // http://HOST[:PORT] or https://HOST[:PORT]
  std::string region = "us-east-1";
  std::string bucket{};
  std::string prefix{}; // what each key begins with, such as "troupe/"
  s3_style style = s3_style::virtual_host;
  std::string ca_file{}; // PEM; empty: what the system trusts

  duration attempt_budget = std::chrono::seconds{60}; // of one try
  duration budget = std::chrono::minutes{3};          // of one request with all its tries
  uint32_t attempts = 6;
  duration pause_first = std::chrono::milliseconds{100};
  duration pause_max = std::chrono::seconds{5};
};

struct s3_surroundings {
  const clock& time;
  random_source chance;
  std::function<void(duration)> pause = pause_thread;
};

struct s3_ask {
  const char* method = "GET";
  std::string name{}; // of the object, without the prefix; empty: the bucket
  s3_query query{};
  s3_headers headers{}; // names in lower case
  std::string_view body{};
  size_t answer_max = 8u << 20;
  bool ok_may_refuse = false; // a 200 may have an <Error> in it
};

class s3_client {
public:
  // Errors: errc::invalid.
  static result<std::unique_ptr<s3_client>> make(s3_options options, s3_credentials credentials,
                                                 s3_surroundings around);

  // The answer that no further try would change, or why there is none.
  result<http_answer> ask(const s3_ask& request) const;

  // Why an answer that was not wanted is an error.
  error refusal(const s3_ask& request, const http_answer& answer) const;

  // An error about a request: "S3 METHOD of NAME ...: " and the reason.
  error failure(errc code, const s3_ask& request, std::string reason) const;

  const std::string& prefix() const noexcept { return options_.prefix; }

private:
  s3_client(s3_options options, s3_credentials credentials, s3_address address,
            s3_surroundings around);

  http_request signed_request(const s3_ask& request, std::string_view payload) const;
  duration pause_before(uint32_t attempt) const;

  s3_options options_;
  s3_credentials credentials_;
  s3_address address_;
  s3_surroundings around_;
  mutable std::mutex chance_mutex_;
  mutable random_source chance_;
  mutable http_connections connections_;
};

} // namespace troupe::storage
