// The first bytes of a connection between two ranks, as a state machine over a socket that does not
// block.
//
//   the one that connects                      the one that accepts
//   hello: generation, ranks, size, nonce  ->  must be of this generation, and for this rank
//   must hold                              <-  challenge: nonce, proof over the hello and the nonce
//   answer: proof over both                ->  must hold
//   done                                   <-  welcome, done
//
// No byte after these is read. A wrong one closes the connection without a word.
// Threads: one.
#pragma once

#include "kernels/collective/proof.hpp"
#include "kernels/collective/tcp/link.hpp"

#include <optional>
#include <vector>

namespace troupe::collective::tcp {

struct hello {
  uint64_t magic = 0x31706374'5f727274; // "trr_tcp1"
  uint64_t generation = 0;
  uint32_t from = 0;
  uint32_t to = 0;
  uint32_t size = 0;
  uint32_t zero = 0;
  digest nonce{};
};

struct challenge {
  digest nonce{};
  digest proof{};
};

static_assert(sizeof(hello) == 64 && sizeof(challenge) == 64);

enum class progress {
  waiting, // for the socket
  proven,  // the other end is the rank it says; the socket may carry payload
  refused, // the other end, or this one, does not know the secret or is of another generation
  broken   // the connection failed or ended before anything was said about that
};

class handshake {
public:
  // `dialed`: the rank that this end connects to (the connection may still be under way); none: it
  // accepted.
  handshake(const group_options& options, owned_fd socket, std::optional<uint32_t> dialed);

  // Goes on as far as the socket lets it.
  progress advance();

  short wanted_events() const;
  int fd() const { return socket_.get(); }
  uint32_t from() const { return hello_.from; } // once it is proven
  owned_fd take() { return std::move(socket_); }

private:
  enum class stage { connecting, awaits_hello, awaits_challenge, awaits_answer, awaits_welcome };

  progress flush();
  progress fill();
  progress react(bool& finished);
  bool check_hello();
  bool check_challenge();
  digest proof_of(std::string_view side) const;
  void push(const void* bytes, size_t count);

  const group_options& options_;
  owned_fd socket_;
  stage stage_;
  hello hello_;
  digest nonce_{}; // of the accepting end
  std::vector<uint8_t> in_;
  size_t needed_ = 0;
  std::vector<uint8_t> out_;
};

} // namespace troupe::collective::tcp
