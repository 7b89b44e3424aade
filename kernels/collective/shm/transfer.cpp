#include "kernels/collective/shm/link.hpp"

#include <algorithm>

namespace troupe::collective::shm {

// The mailbox holds two pieces: the next but one is written when the first was taken. It is empty
// at the end, so the next transfer finds it so.
result<void> send_pieces(region& memory, uint32_t rank, const call& x, uint32_t to,
                         time_point until) {
  auto& own = memory.slot_of(rank);
  own.mail = x.what;
  auto all_but = [&](uint32_t left) {
    return [&own, left] { return own.mail_sent.load() - own.mail_taken.load() <= left; };
  };
  own.mail_to = to + 1;
  auto step = piece_bytes(memory.head().size);
  size_t at = 0;
  do {
    TROUPE_TRY(memory.wait_for(to, all_but(1), until));
    auto bytes = std::min(step, x.in.bytes() - at);
    copy_bytes(memory.piece(rank, own.mail_sent.load()), x.in.data + at, bytes);
    own.mail_sent.fetch_add(1);
    memory.ring_sleepers();
    at += bytes;
  } while (at < x.in.bytes());
  TROUPE_TRY(memory.wait_for(to, all_but(0), until));
  own.mail_to = 0;
  return {};
}

result<void> take_pieces(region& memory, uint32_t rank, const call& x, uint32_t from,
                         time_point until) {
  auto& theirs = memory.slot_of(from);
  auto step = piece_bytes(memory.head().size);
  auto has_come
    = [&] { return theirs.mail_to.load() == rank + 1 && theirs.mail_sent != theirs.mail_taken; };
  size_t at = 0;
  do {
    TROUPE_TRY(memory.wait_for(from, has_come, until));
    if (!same_call(theirs.mail, x.what))
      return mismatch(x.what, theirs.mail, from);
    auto bytes = std::min(step, x.out.bytes() - at);
    copy_bytes(x.out.data + at, memory.piece(from, theirs.mail_taken.load()), bytes);
    theirs.mail_taken.fetch_add(1);
    memory.ring_sleepers();
    at += bytes;
  } while (at < x.out.bytes());
  return {};
}

} // namespace troupe::collective::shm
