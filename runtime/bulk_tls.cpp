#include "runtime/bulk_tls.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace troupe {

namespace {

constexpr size_t read_ahead = 256 << 10; // bytes that one system call may bring

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

using context_ptr = std::unique_ptr<SSL_CTX, freeing<&SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freeing<&SSL_free>>;

// What the callbacks of a handshake know.
struct key_search {
  uint64_t id = 0;
  bulk_secret secret{};                 // of the connecting side
  const bulk_secret_of* find = nullptr; // of the accepting side
};

SSL_SESSION* session_of(SSL* ssl, const bulk_secret& secret) {
  constexpr std::array<unsigned char, 2> aes_128_gcm_sha256{0x13, 0x01};
  auto* session = SSL_SESSION_new();
  auto ok = session != nullptr
            && SSL_SESSION_set1_master_key(session, secret.data(), secret.size()) == 1
            && SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256.data())) == 1
            && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;
  TROUPE_ASSERT(ok);
  return session;
}

int offer_key(SSL* ssl, const EVP_MD*, const unsigned char** id, size_t* length,
              SSL_SESSION** session) {
  auto* mine = static_cast<key_search*>(SSL_get_app_data(ssl));
  *id = reinterpret_cast<const unsigned char*>(&mine->id);
  *length = sizeof(mine->id);
  *session = session_of(ssl, mine->secret);
  return 1;
}

// Without a session the handshake goes on, and fails for want of a certificate.
int find_key(SSL* ssl, const unsigned char* id, size_t length, SSL_SESSION** session) {
  auto* mine = static_cast<key_search*>(SSL_get_app_data(ssl));
  *session = nullptr;
  if (length != sizeof(mine->id))
    return 1;
  uint64_t offered = 0;
  std::memcpy(&offered, id, length);
  if (auto secret = (*mine->find)(offered)) {
    mine->id = offered;
    *session = session_of(ssl, *secret);
  }
  return 1;
}

// The socket as OpenSSL sees it; its own would raise SIGPIPE.
BIO_METHOD* socket_method() {
  static auto* const method = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bulk socket");
    TROUPE_ASSERT(made);
    BIO_meth_set_read(made, [](BIO* bio, char* into, int size) {
      BIO_clear_retry_flags(bio);
      auto* socket = static_cast<bulk_socket*>(BIO_get_data(bio));
      auto got = ::recv(socket->fd(), into, static_cast<size_t>(size), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
      return static_cast<int>(got);
    });
    BIO_meth_set_write(made, [](BIO* bio, const char* from, int size) {
      BIO_clear_retry_flags(bio);
      auto* socket = static_cast<bulk_socket*>(BIO_get_data(bio));
      auto sent
        = ::send(socket->fd(), from, static_cast<size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
      return static_cast<int>(sent);
    });
    BIO_meth_set_ctrl(
      made, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH; });
    return made;
  }();
  return method;
}

context_ptr new_context(bool dialing) {
  context_ptr context{SSL_CTX_new(dialing ? TLS_client_method() : TLS_server_method())};
  TROUPE_ASSERT(context);
  auto* raw = context.get();
  TROUPE_ASSERT(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1
                && SSL_CTX_set_ciphersuites(raw, "TLS_AES_128_GCM_SHA256") == 1
                && SSL_CTX_set_num_tickets(raw, 0) == 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, read_ahead);
  if (dialing) // and no certificate is trusted, so that nobody is taken for the server with one
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_psk_use_session_callback(raw, offer_key);
  SSL_CTX_set_psk_find_session_callback(raw, find_key);
  return context;
}

class tls_channel final : public bulk_channel {
public:
  tls_channel(std::shared_ptr<bulk_socket> socket, bool dialing, key_search key)
    : bulk_channel(socket), context_(new_context(dialing)), ssl_(SSL_new(context_.get())),
      key_(std::move(key)) {
    int on = 1;
    ::setsockopt(socket->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto* bio = BIO_new(socket_method());
    TROUPE_ASSERT(ssl_ && bio);
    BIO_set_data(bio, socket.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), &key_);
    dialing ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
  }

  result<void> handshake(time_point until) {
    for (;;) {
      ERR_clear_error();
      auto outcome = SSL_do_handshake(ssl_.get());
      if (outcome == 1 && SSL_session_reused(ssl_.get()) == 1)
        return {};
      if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_SSL)
        return {errc::refused, "the other side refused the ticket of the bulk transfer or is no "
                               "bulk server; a ticket is good once and expires, ask for a new one"};
      TROUPE_TRY(wait(step_after(outcome), until));
    }
  }

  uint64_t id() const { return key_.id; }

  bool readable() const override {
    return SSL_has_pending(ssl_.get()) == 1 || bulk_channel::readable();
  }

protected:
  step read_some(std::span<std::byte> into) override {
    size_t got = 0;
    auto outcome = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
    return outcome == 1 ? step{got, 0} : step_after(outcome);
  }

  step write_some(std::span<const std::byte> from) override {
    size_t sent = 0;
    auto outcome = SSL_write_ex(ssl_.get(), from.data(), from.size(), &sent);
    return outcome == 1 ? step{sent, 0} : step_after(outcome);
  }

private:
  step step_after(int outcome) {
    auto wanted = SSL_get_error(ssl_.get(), outcome);
    ERR_clear_error();
    auto event = wanted == SSL_ERROR_WANT_READ    ? POLLIN
                 : wanted == SSL_ERROR_WANT_WRITE ? POLLOUT
                                                  : 0;
    return {0, static_cast<short>(event)};
  }

  context_ptr context_;
  ssl_ptr ssl_;
  key_search key_;
};

} // namespace

bulk_secret new_bulk_secret() {
  bulk_secret made{};
  // Without entropy a secret would keep nobody out; OpenSSL fails here only on a broken machine.
  TROUPE_ASSERT(RAND_bytes(made.data(), static_cast<int>(made.size())) == 1);
  return made;
}

bool same(const bulk_secret& a, const bulk_secret& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

result<std::unique_ptr<bulk_channel>> tls_connect(std::shared_ptr<bulk_socket> socket, uint64_t id,
                                                  const bulk_secret& secret, time_point until) {
  auto made
    = std::make_unique<tls_channel>(std::move(socket), true, key_search{id, secret, nullptr});
  TROUPE_TRY(made->handshake(until));
  return made;
}

result<proven_bulk> tls_accept(std::shared_ptr<bulk_socket> socket, const bulk_secret_of& find,
                               time_point until) {
  auto made = std::make_unique<tls_channel>(std::move(socket), false, key_search{0, {}, &find});
  TROUPE_TRY(made->handshake(until));
  auto id = made->id();
  return proven_bulk{std::move(made), id};
}

} // namespace troupe
