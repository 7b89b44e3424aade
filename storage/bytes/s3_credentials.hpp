// Who asks S3: a key and its secret, and where AWS's own tools keep them. Texts come in, nothing is
// read here. Threads: plain functions.
// Errors: errc::invalid and errc::not_found; no value of a credential is ever in a text.
#pragma once

#include "runtime/base/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::storage {

struct s3_credentials {
  std::string key_id{};
  std::string secret{};
  std::string session_token{}; // empty: none
};

// Whether they can stand in a request: neither is empty, and nothing in them but printing ASCII.
result<void> check_credentials(const s3_credentials& credentials);

// Looks a variable up; null where it is not set.
using variable_lookup = std::function<const char*(const char* name)>;

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Empty where neither of the first
// two is set.
result<std::optional<s3_credentials>> credentials_of_environment(const variable_lookup& lookup);

// Of the content of ~/.aws/credentials, or ~/.aws/config: aws_access_key_id, aws_secret_access_key
// and aws_session_token of [PROFILE] or [profile PROFILE].
result<s3_credentials> credentials_of_file(std::string_view text, std::string_view profile);

} // namespace troupe::storage
