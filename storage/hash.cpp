#include "storage/hash.hpp"

#include "storage/record.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace troupe::storage {

namespace {

struct close_file {
  void operator()(std::FILE* x) const { std::fclose(x); }
};

struct free_context {
  void operator()(EVP_MD_CTX* x) const { EVP_MD_CTX_free(x); }
};

struct free_digest {
  void operator()(EVP_MD* x) const { EVP_MD_free(x); }
};

sha256_digest finish(EVP_MD_CTX* context) {
  sha256_digest out{};
  unsigned int size = 0;
  TROUPE_ASSERT(EVP_DigestFinal_ex(context, out.data(), &size) == 1 && size == out.size());
  return out;
}

} // namespace

struct sha256_stream::state {
  std::unique_ptr<EVP_MD_CTX, free_context> context{EVP_MD_CTX_new()};
};

sha256_stream::sha256_stream() : state_(std::make_unique<state>()) {
  auto* context = state_->context.get();
  TROUPE_ASSERT(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
}

sha256_stream::~sha256_stream() = default;
sha256_stream::sha256_stream(sha256_stream&&) noexcept = default;
sha256_stream& sha256_stream::operator=(sha256_stream&&) noexcept = default;

void sha256_stream::add(std::string_view bytes) {
  TROUPE_ASSERT(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string sha256_stream::digits() {
  auto raw = digest();
  return hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
}

sha256_digest sha256_stream::digest() {
  return finish(state_->context.get());
}

// Fetching the algorithm takes longer than hashing 1 KiB.
struct sha256_hasher::state {
  std::unique_ptr<EVP_MD, free_digest> algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  std::unique_ptr<EVP_MD_CTX, free_context> context{EVP_MD_CTX_new()};
};

sha256_hasher::sha256_hasher() : state_(std::make_unique<state>()) {
  TROUPE_ASSERT(state_->algorithm && state_->context);
}

sha256_hasher::~sha256_hasher() = default;
sha256_hasher::sha256_hasher(sha256_hasher&&) noexcept = default;
sha256_hasher& sha256_hasher::operator=(sha256_hasher&&) noexcept = default;

sha256_digest sha256_hasher::of(std::string_view bytes) {
  auto* context = state_->context.get();
  TROUPE_ASSERT(EVP_DigestInit_ex2(context, state_->algorithm.get(), nullptr) == 1
                && EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
  return finish(context);
}

std::string sha256(std::string_view bytes) {
  sha256_stream state;
  state.add(bytes);
  return state.digits();
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string raw(32, '\0');
  unsigned int size = 0;
  TROUPE_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                     reinterpret_cast<unsigned char*>(raw.data()), &size)
                && size == raw.size());
  return raw;
}

std::string md5(std::string_view bytes) {
  std::string raw(16, '\0');
  unsigned int size = 0;
  TROUPE_ASSERT(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(raw.data()),
                           &size, EVP_md5(), nullptr)
                  == 1
                && size == raw.size());
  return hex(raw);
}

result<std::string> sha256_file(const std::string& path) {
  std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "rbe"));
  if (!file)
    return {errno == ENOENT ? errc::not_found : errc::io,
            "cannot open " + path + ": " + std::strerror(errno) + "; check the path"};
  sha256_stream state;
  std::vector<char> piece(1 << 20);
  while (auto n = std::fread(piece.data(), 1, piece.size(), file.get()))
    state.add({piece.data(), n});
  if (std::ferror(file.get()))
    return {errc::io, "cannot read " + path + ": " + std::strerror(errno)
                        + "; check that it is a file and that its disk is well"};
  return state.digits();
}

} // namespace troupe::storage
