#include "kernels/collective/proof.hpp"

#include "runtime/base/assert.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <vector>

namespace troupe::collective {

digest prove(std::string_view secret, std::string_view purpose, std::span<const uint8_t> bytes) {
  std::vector<uint8_t> text(purpose.begin(), purpose.end());
  text.push_back(0);
  text.insert(text.end(), bytes.begin(), bytes.end());
  digest out{};
  unsigned length = 0;
  auto* done = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), text.data(),
                    text.size(), out.data(), &length);
  TROUPE_ASSERT(done && length == out.size());
  return out;
}

bool same(const digest& a, const digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

digest new_nonce() {
  digest out{};
  // Without entropy a challenge would prove nothing; OpenSSL fails here only on a broken machine.
  TROUPE_ASSERT(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
  return out;
}

} // namespace troupe::collective
