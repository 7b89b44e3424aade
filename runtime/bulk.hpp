// The bulk channel: what is too big for a message travels on a connection of its own, so that it
// delays no message and no heartbeat.
//
//   owner                                  another process
//   server->offer(source, lifetime)
//        -- ticket, in a control message -->  fetch(ticket, sink)
//   server->expect(sink, size, lifetime)
//        -- ticket, in a control message -->  push(ticket, source)
//
// A ticket is good for one whole transfer, before it expires. One that fails may be tried again
// with the same ticket and goes on where it ended; the newest connection ends an older one of its
// ticket. The content is checked chunk by chunk and as a whole; see bulk_transfer.hpp. Endpoints:
// "local:/path.sock" inside a host (peer credentials, mode 0600), "tls:HOST:PORT" between hosts
// (TLS 1.3, keyed by the ticket). Threads: fetch() and push() block until the end, which
// chunk_deadline bounds: call them on a plain thread, never on an actor's scheduler thread.
#pragma once

#include "runtime/bulk_tls.hpp"
#include "runtime/bulk_transfer.hpp"

namespace troupe {

// Whoever holds it may take the content: it belongs into control messages, which are private, and
// never into a log.
struct bulk_ticket {
  uint64_t id = 0;
  bulk_secret secret{};
  std::string endpoint;
  uint64_t size = 0; // bytes of content
};

// Errors of both: errc::unavailable if nobody answers at the endpoint, errc::refused if the ticket
// is not known (any more), errc::queue_full if the server is busy, errc::node_lost if the
// connection ended, errc::deadline, errc::corrupt, errc::aborted by the progress function, and
// those of the other side. What a sink holds after an error is where the next try begins.

result<void> fetch(const bulk_ticket& ticket, bulk_sink& into, const bulk_options& options = {});

// errc::invalid if the source has not the size that the ticket says.
result<void> push(const bulk_ticket& ticket, bulk_source& from, const bulk_options& options = {});

// How a connection inside a host begins: what TLS proves between hosts, the kernel keeps private
// here.
struct bulk_hello {
  uint64_t magic = 0x314b4c42'50525454; // "TTRPBLK1"
  uint64_t id = 0;
  bulk_secret secret{};
};

} // namespace troupe
