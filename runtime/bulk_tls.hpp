// A bulk connection between hosts: TLS 1.3 with a ticket's secret as external pre-shared key, and
// AES-128-GCM.
//
// There are no certificates: the handshake succeeds between two that hold the same secret and fails
// with anybody else, before any byte of content. Keys are fresh for each connection (psk_dhe_ke).
// Threads: each connection by one; bulk_tls_server and the functions by any.
// Source: RFC 8446 sections 2.2 and 4.2.11; RFC 9257 on external keys.
#pragma once

#include "runtime/bulk_channel.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

namespace troupe {

using bulk_secret = std::array<uint8_t, 32>;

// Fresh bytes that nobody can predict.
bulk_secret new_bulk_secret();

// Compares in constant time.
bool same(const bulk_secret& a, const bulk_secret& b);

// errc::refused when the other side does not take the ticket.
result<std::unique_ptr<bulk_channel>> tls_connect(std::shared_ptr<bulk_socket> socket, uint64_t id,
                                                  const bulk_secret& secret, time_point until);

struct proven_bulk {
  std::unique_ptr<bulk_channel> channel;
  uint64_t id = 0; // of the ticket whose secret the other side holds
};

using bulk_secret_of = std::function<std::optional<bulk_secret>(uint64_t id)>;

result<proven_bulk> tls_accept(std::shared_ptr<bulk_socket> socket, const bulk_secret_of& find,
                               time_point until);

} // namespace troupe
