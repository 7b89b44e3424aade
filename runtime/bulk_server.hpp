// Gives out tickets for bulk content, and serves them.
//
// Bounds: limits::bulk_offers_max tickets (then offer() answers errc::queue_full),
// limits::bulk_transfers_max transfers (then a connection is refused with errc::queue_full), one
// chunk of memory for each; limits::bulk_strangers_max connections that have proved nothing, each
// for five seconds at most (then the oldest is cut off for a new one).
// Threads: every method may be called from any thread and blocks only on its own lock, but stop(),
// which waits for the connections to end. One thread accepts, one more runs per connection; sources
// and sinks are used there.
#pragma once

#include "runtime/bulk.hpp"

namespace troupe {

struct bulk_server_options {
  duration chunk_deadline = std::chrono::seconds(30);
  const clock* time = nullptr; // by which tickets expire; none: the system's
};

class bulk_server {
public:
  virtual ~bulk_server() = default;

  // The ticket's content is `source`; it is let go when the ticket is spent or dropped.
  virtual result<bulk_ticket> offer(std::shared_ptr<bulk_source> source, duration lifetime) = 0;

  // The ticket takes `size` bytes into `sink`, whose commit() tells that they are all here.
  virtual result<bulk_ticket> expect(std::shared_ptr<bulk_sink> sink, uint64_t size,
                                     duration lifetime)
    = 0;

  // Drops a ticket and ends its transfer. Expired ones are dropped at the next call or connection;
  // a transfer that began in time goes on.
  virtual void withdraw(uint64_t id) = 0;

  // Where it listens, with what was left open (a port) filled in. A ticket says the same: if that
  // is no address that the other host can reach (0.0.0.0), write one into its copy.
  virtual const std::string& endpoint() const = 0;

  // Those that run now.
  virtual size_t transfers() const = 0;

  // Ends everything; the other sides see their connection end. The destructor does it too.
  virtual void stop() = 0;
};

result<std::unique_ptr<bulk_server>> start_bulk_server(const std::string& endpoint,
                                                       bulk_server_options options = {});

} // namespace troupe
