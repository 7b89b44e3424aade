// Subscriptions and claims of a transaction: see subscription.hpp.
#include "storage/metadata/filter.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/metadata/stored.hpp"
#include "storage/metadata/transaction.hpp"

namespace troupe::storage {

namespace {

std::string who(const claim_put& x) {
  return "the claim of " + x.consumer + " to version " + std::to_string(x.version)
         + " of the artifact " + std::to_string(x.artifact);
}

} // namespace

result<void> transaction::put_subscription(const subscription_put& x) {
  TROUPE_TRY(check_name(x.what.name, "the name of a subscription"));
  auto key = subscription_key(x.what.name);
  if (x.step == subscription_step::remove) { // also one that cannot be read
    auto value = local_.get(key);
    if (!value)
      return value.error();
    if (*value)
      local_.erase(std::move(key));
    return {};
  }
  auto found = find_record(local_, key, read_subscription);
  if (!found)
    return found.error();
  auto& there = *found;
  if (!there) {
    if (x.step == subscription_step::acknowledge)
      return {errc::not_found, "there is no subscription " + x.what.name + "; subscribe first"};
    if (auto read = parse_filter(x.what.kind, x.what.filter); !read)
      return read.error();
    auto added = x.what;
    if (added.next.sequence == 0)
      added.next = {counters_.sequence + 1, 0};
    local_.put(key, encode(key, added));
    return {};
  }
  if (x.step == subscription_step::add) {
    if (there->kind == x.what.kind && there->filter == x.what.filter)
      return {};
    return {errc::already_exists, "the subscription " + x.what.name + " has another filter ("
                                    + printable(there->filter)
                                    + "); choose another name, or remove it first"};
  }
  if (x.what.next.sequence > counters_.sequence + 1)
    return {errc::invalid, "the subscription " + x.what.name + " acknowledges change "
                             + std::to_string(x.what.next.sequence)
                             + ", which is none yet; acknowledge what was delivered"};
  if (!(there->next < x.what.next))
    return {};
  there->next = x.what.next;
  local_.put(key, encode(key, *there));
  return {};
}

result<void> transaction::put_claim(const claim_put& x) {
  TROUPE_TRY(check_name(x.consumer, "the name of a consumer"));
  if (x.holder == 0)
    return {errc::invalid, who(x) + " has no holder; give a number that is not 0"};
  auto key = claim_key(x.consumer, x.artifact, x.version);
  auto there = find_record(local_, key, read_claim);
  if (!there)
    return there.error();
  auto now = there->value_or(claim{x.consumer, x.artifact, x.version, 0, claim_state::failed, 0});
  if (x.step == claim_step::take) {
    auto artifact = load(node_kind::artifact, x.artifact);
    if (!artifact)
      return artifact.error();
    if (x.version == 0 || x.version > artifact->version)
      return {errc::invalid, "the artifact " + std::to_string(x.artifact) + " has no version "
                               + std::to_string(x.version) + "; claim one that there is"};
    if (now.state == claim_state::done)
      return {errc::already_exists, who(x) + " is done; there is nothing to do"};
    auto held = now.state == claim_state::taken;
    if (held && now.holder != x.holder && now.holder != x.lost_holder)
      return {errc::refused, who(x) + " is taken; wait for its end"};
    if (!held || now.holder != x.holder) {
      ++now.attempt;
      now.state = claim_state::taken;
      now.holder = x.holder;
    }
  } else {
    auto ended = x.step == claim_step::finish ? claim_state::done : claim_state::failed;
    auto again = now.state == ended && now.attempt == x.attempt && now.holder == x.holder;
    if (!again
        && (now.state != claim_state::taken || now.attempt != x.attempt || now.holder != x.holder))
      return {errc::refused, who(x) + " is not held with attempt " + std::to_string(x.attempt)
                               + "; somebody else has it, or had it since"};
    now.state = ended;
  }
  receipt_.claims.push_back(now);
  if (*there && **there == now)
    return {};
  local_.put(key, encode(key, now));
  return {};
}

} // namespace troupe::storage
