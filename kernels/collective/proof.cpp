#include "kernels/collective/proof.hpp"

#include "runtime/base/assert.hpp"

#include <unistd.h>

#include <vector>

namespace troupe::collective {

digest prove(std::string_view secret, std::string_view purpose, std::span<const uint8_t> bytes) {
  std::vector<uint8_t> text(purpose.begin(), purpose.end());
  text.push_back(0);
  text.insert(text.end(), bytes.begin(), bytes.end());
  return hmac_sha256({reinterpret_cast<const uint8_t*>(secret.data()), secret.size()}, text);
}

bool same(const digest& a, const digest& b) {
  // Read once each, so that no compiler ends the loop at the first difference.
  volatile uint8_t differences = 0;
  for (size_t i = 0; i < a.size(); ++i)
    differences = static_cast<uint8_t>(differences | (a[i] ^ b[i]));
  return differences == 0;
}

digest new_nonce() {
  digest out{};
  // Without entropy a challenge would prove nothing; this fails only on a kernel without random(4).
  TROUPE_ASSERT(getentropy(out.data(), out.size()) == 0);
  return out;
}

} // namespace troupe::collective
