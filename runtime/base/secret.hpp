// What a stranger gives, beside a secret. Threads: a plain function.
#pragma once

#include <string_view>

namespace troupe {

// Whether they are the same, in a time that does not tell how much of it is right. An empty one is
// none.
inline bool same_secret(std::string_view given, std::string_view secret) {
  if (given.size() != secret.size() || secret.empty())
    return false;
  volatile unsigned char differs = 0; // so that no compiler leaves the loop early
  for (size_t i = 0; i < secret.size(); ++i)
    differs = static_cast<unsigned char>(differs | (given[i] ^ secret[i]));
  return differs == 0;
}

} // namespace troupe
