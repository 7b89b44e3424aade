// Who is told of changes, how far each has come, and who works on what: kept in the metadata store,
// so that a crash of either side neither skips a change nor starts work twice.
//
// A subscription is a filter and a place in the record of changes: everything before the place was
// acknowledged. A claim is a consumer's right to work on one version of an artifact: it is taken
// once, and again, with the next attempt, only after a failure or the loss of its holder.
// Threads: plain values.
#pragma once

#include "storage/metadata/node.hpp"

#include <tuple>

namespace troupe::storage {

// One node of one change: the `index`-th of the nodes that the change lists.
struct change_place {
  uint64_t sequence = 0;
  uint64_t index = 0;

  friend bool operator==(const change_place&, const change_place&) = default;
  friend bool operator<(const change_place& a, const change_place& b) {
    return std::tie(a.sequence, a.index) < std::tie(b.sequence, b.index);
  }
};

struct subscription {
  std::string name;
  node_kind kind = node_kind::artifact;
  std::string filter{}; // what it is told of: see formats.md ("Filters"); empty: of all
  change_place next{};  // what it is to be told of next

  friend bool operator==(const subscription&, const subscription&) = default;
};

enum class subscription_step : uint8_t {
  add,         // from `next` on, or from the next change where that is 0; one that is there goes on
  acknowledge, // everything before `next`; a lower one than before changes nothing
  remove,      // done also where there is none
};

struct subscription_put {
  subscription_step step = subscription_step::add;
  subscription what;
};

enum class claim_state : uint8_t { taken = 1, done = 2, failed = 3 };

struct claim {
  std::string consumer;
  uint64_t artifact = 0;
  uint64_t version = 0; // of the artifact
  uint64_t attempt = 0; // from 1
  claim_state state = claim_state::taken;
  uint64_t holder = 0; // who took it: a number that is another one in each life

  friend bool operator==(const claim&, const claim&) = default;
};

// `take` by who holds it gives the same attempt again. `finish` and `fail` are refused to everybody
// but the holder of the current attempt; said again they change nothing.
enum class claim_step : uint8_t { take, finish, fail };

struct claim_put {
  claim_step step = claim_step::take;
  std::string consumer;
  uint64_t artifact = 0;
  uint64_t version = 0;
  uint64_t holder = 0;
  uint64_t attempt = 0;     // of finish and fail
  uint64_t lost_holder = 0; // of take: a holder of whom it is known that it is gone
};

} // namespace troupe::storage
