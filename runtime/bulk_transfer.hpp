// The two ends of a bulk transfer, over a channel whose other side has proved its ticket.
//
//   receiver                                sender
//   want(how much it holds)            ->
//                                      <-   for each MiB of content, in order:
//                                             known(check)          the receiver holds it
//                                             chunk(check), bytes   it does not
//                                      <-   end(check of the whole)
//   checks, commits
//   done                               ->
//
// Either side may say failed(reason) in place of its next word. Every word is a head of 40 bytes,
// little endian; the check of a chunk is its XXH3-64, that of the whole its XXH3-128. These notice
// accidents; against enemies there is TLS, or the kernel. Chunks have limits::bulk_chunk_max bytes,
// the last one what is left, so offset and length of each are known before it comes. An end holds
// one chunk in memory, however slow the other is.
// Threads: one per transfer; both block.
#pragma once

#include "runtime/bulk_channel.hpp"
#include "runtime/bulk_content.hpp"

#include <functional>

namespace troupe {

struct bulk_options {
  // For each chunk to be moved; a peer that takes or gives less in that time has failed.
  duration chunk_deadline = std::chrono::seconds(30);

  // Called after each chunk; false ends the transfer with errc::aborted.
  std::function<bool(uint64_t done, uint64_t size)> progress;
};

result<void> bulk_send(bulk_channel& to, bulk_source& from, const bulk_options& options);

// errc::corrupt when a check fails.
result<void> bulk_receive(bulk_channel& from, bulk_sink& into, uint64_t size,
                          const bulk_options& options);

// Ends a transfer with the reason in words.
void bulk_refuse(bulk_channel& channel, const error& reason);

} // namespace troupe
