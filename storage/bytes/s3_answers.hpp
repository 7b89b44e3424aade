// What S3 answers in XML. The bytes come from outside: whatever they are, reading them ends, takes
// memory in proportion to them, and gives what stood there or an error.
// Source: AWS, "Amazon Simple Storage Service API Reference". Threads: plain functions.
// Errors: errc::io, as a reason that goes behind "...: ".
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

struct s3_refusal {
  std::string code{}; // such as NoSuchKey; empty: the answer is no <Error>
  std::string message{};
};

struct s3_listing {
  struct entry {
    std::string key;
    uint64_t bytes = 0;
  };

  std::vector<entry> entries{};
  std::string next{}; // the token of the next page; empty: there is none
};

struct s3_upload {
  std::string key{};
  std::string id{};
  std::string begun{}; // ISO 8601, so that the order of texts is that of times
};

struct s3_part {
  uint32_t number = 0;
  uint64_t bytes = 0;
  std::string etag{}; // without quotes
};

s3_refusal read_refusal(std::string_view xml);
result<s3_listing> read_listing(std::string_view xml);
result<std::vector<s3_upload>> read_uploads(std::string_view xml);
result<std::vector<s3_part>> read_parts(std::string_view xml);
result<std::string> read_upload_id(std::string_view xml);

// Without the quotes that stand around an ETag.
std::string bare_etag(std::string_view etag);

} // namespace troupe::storage
