#include "runtime/bulk.hpp"
#include "runtime/tcp_socket.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace troupe {
namespace {

constexpr auto patience = std::chrono::seconds(30);

// A server that holds a certificate but no ticket.
void pose_as_server(int listener) {
  auto* key = EVP_EC_gen("P-256");
  auto* paper = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(paper), 0);
  X509_gmtime_adj(X509_getm_notAfter(paper), 3600);
  X509_set_pubkey(paper, key);
  X509_sign(paper, key, EVP_sha256());
  auto* context = SSL_CTX_new(TLS_server_method());
  ASSERT_EQ(SSL_CTX_use_certificate(context, paper), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key), 1);
  bulk_socket waiting{::dup(listener)};
  ASSERT_TRUE(wait_for(waiting.fd(), POLLIN, system_clock{}.now() + patience));
  auto fd = ::accept(listener, nullptr, nullptr);
  auto* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  std::array<char, 1> secret{};
  EXPECT_FALSE(SSL_accept(ssl) == 1 && SSL_read(ssl, secret.data(), 1) == 1)
    << "it was given content";
  SSL_free(ssl);
  ::close(fd);
  SSL_CTX_free(context);
  X509_free(paper);
  EVP_PKEY_free(key);
}

TEST(BulkTls, ACertificateIsNoTicket) {
  bulk_socket listener{*listen_tcp("127.0.0.1:0")};
  std::thread impostor{[&] { pose_as_server(listener.fd()); }};
  bulk_ticket ticket{1, new_bulk_secret(), "tls:127.0.0.1:" + port_of(listener.fd()), 1};
  auto outcome = push(ticket, *bulk_of_memory({std::byte{7}}));
  impostor.join();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, errc::refused) << outcome.error().text;
}

} // namespace
} // namespace troupe
