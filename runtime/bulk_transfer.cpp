#include "runtime/bulk_transfer.hpp"

#include "runtime/base/limits.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

constexpr auto farewell_patience = std::chrono::seconds(2);
constexpr uint32_t head_magic = 0x314b4c42; // "BLK1"

enum class word : uint32_t { want = 1, known, chunk, end, done, failed };

struct head {
  uint32_t magic = head_magic;
  word kind = word::failed;
  uint64_t offset = 0; // want: the bytes that are held; failed: the code
  uint64_t length = 0; // of the chunk, or of the reason that follows
  uint64_t check = 0;
  uint64_t check_high = 0;
};

static_assert(sizeof(head) == 40);

class content_hash {
public:
  content_hash() : state_(XXH3_createState(), &XXH3_freeState) {
    TROUPE_ASSERT(state_ && XXH3_128bits_reset(state_.get()) == XXH_OK);
  }

  void add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  }

  head end(uint64_t size) const {
    auto hash = XXH3_128bits_digest(state_.get());
    return {head_magic, word::end, size, 0, hash.low64, hash.high64};
  }

private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

struct chunk_buffer {
  explicit chunk_buffer(uint64_t size)
    : bytes(sizeof(head) + std::min<uint64_t>(size, limits::bulk_chunk_max)) {}

  std::span<std::byte> first(size_t length) { return std::span{bytes}.first(length); }
  std::span<std::byte> payload(size_t length) {
    return std::span{bytes}.subspan(sizeof(head), length);
  }

  std::vector<std::byte> bytes; // a head, and room for a chunk behind it
};

// Where chunk boundaries are, and which chunks the receiver holds.
head head_of_chunk(uint64_t offset, uint64_t size, uint64_t held) {
  auto length = std::min<uint64_t>(size - offset, limits::bulk_chunk_max);
  return {head_magic, offset + length <= held ? word::known : word::chunk, offset, length, 0, 0};
}

uint64_t check_of(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

time_point soon(const bulk_options& options) {
  return system_clock{}.now() + options.chunk_deadline;
}

error damaged(uint64_t offset) {
  return {errc::corrupt, "the bulk content was damaged on its way at byte " + std::to_string(offset)
                           + "; try again"};
}

error other_content() {
  return {errc::corrupt, "the content that was kept of an earlier try differs from what is sent "
                         "now; it was thrown away, try again from the beginning"};
}

result<void> report(const bulk_options& options, uint64_t done, uint64_t size) {
  if (!options.progress || options.progress(done, size))
    return {};
  return {errc::aborted, "the bulk transfer was stopped on request after " + std::to_string(done)
                           + " of " + std::to_string(size) + " bytes"};
}

result<void> say(bulk_channel& to, const head& what, time_point until) {
  return to.write(std::as_bytes(std::span{&what, 1}), until);
}

// The reason why the other side has ended the transfer.
error reason_of(bulk_channel& from, const head& heard, time_point until) {
  std::string text(std::min<uint64_t>(heard.length, limits::bulk_reason_max), '\0');
  TROUPE_TRY(from.read(std::as_writable_bytes(std::span{text}), until));
  std::replace_if(
    text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  auto known = heard.offset > 0 && heard.offset <= static_cast<uint64_t>(errc_last);
  return {known ? static_cast<errc>(heard.offset) : errc::internal,
          "the other side ended the bulk transfer: " + text};
}

result<head> hear(bulk_channel& from, time_point until) {
  head heard{};
  TROUPE_TRY(from.read(std::as_writable_bytes(std::span{&heard, 1}), until));
  if (heard.magic != head_magic)
    return {errc::corrupt, "the other side sent bytes that are no bulk transfer; try again, and "
                           "check that it speaks Troupe's protocol"};
  if (heard.kind == word::failed)
    return reason_of(from, heard, until);
  return heard;
}

result<void> send_all(bulk_channel& to, bulk_source& from, const bulk_options& options) {
  auto want = hear(to, soon(options));
  if (!want)
    return want.error();
  const auto size = from.size();
  if (want->kind != word::want || want->offset > size)
    return damaged(0);
  chunk_buffer buffer{size};
  content_hash whole;
  for (uint64_t offset = 0; offset < size;) {
    auto next = head_of_chunk(offset, size, want->offset);
    auto payload = buffer.payload(next.length);
    TROUPE_TRY(from.read(offset, payload));
    whole.add(payload);
    next.check = check_of(payload);
    std::memcpy(buffer.bytes.data(), &next, sizeof(next));
    auto follows = next.kind == word::chunk ? next.length : 0;
    TROUPE_TRY(to.write(buffer.first(sizeof(next) + follows), soon(options)));
    if (to.readable()) { // a receiver that speaks now has failed
      auto heard = hear(to, soon(options));
      return heard ? damaged(offset) : heard.error();
    }
    offset += next.length;
    TROUPE_TRY(report(options, offset, size));
  }
  TROUPE_TRY(say(to, whole.end(size), soon(options)));
  auto verdict = hear(to, soon(options));
  if (!verdict)
    return verdict.error();
  return verdict->kind == word::done ? result<void>{} : damaged(size);
}

// The next chunk, from the wire or from what is held, checked.
result<void> take_chunk(bulk_channel& from, bulk_sink& into, const head& expected,
                        std::span<std::byte> payload, time_point until) {
  auto heard = hear(from, until);
  if (!heard)
    return heard.error();
  if (heard->kind != expected.kind || heard->offset != expected.offset
      || heard->length != expected.length)
    return damaged(expected.offset);
  if (expected.kind == word::chunk) {
    TROUPE_TRY(from.read(payload, until));
    if (check_of(payload) != heard->check)
      return damaged(expected.offset);
    return into.write(expected.offset, payload);
  }
  TROUPE_TRY(into.read(expected.offset, payload));
  if (check_of(payload) == heard->check)
    return {};
  into.discard();
  return other_content();
}

result<void> receive_all(bulk_channel& from, bulk_sink& into, uint64_t size,
                         const bulk_options& options) {
  auto held = into.begin(size);
  if (!held)
    return held.error();
  TROUPE_TRY(say(from, {head_magic, word::want, *held, 0, 0, 0}, soon(options)));
  chunk_buffer buffer{size};
  content_hash whole;
  for (uint64_t offset = 0; offset < size;) {
    auto expected = head_of_chunk(offset, size, *held);
    auto payload = buffer.payload(expected.length);
    TROUPE_TRY(take_chunk(from, into, expected, payload, soon(options)));
    whole.add(payload);
    offset += expected.length;
    TROUPE_TRY(report(options, offset, size));
  }
  auto end = hear(from, soon(options));
  if (!end)
    return end.error();
  if (auto mine = whole.end(size); std::memcmp(&mine, &*end, sizeof(mine)) != 0) {
    into.discard();
    return damaged(size);
  }
  TROUPE_TRY(into.commit());
  // The content is here: if this is not heard, the ticket lives until it expires, and that is all.
  (void)say(from, {head_magic, word::done, size, 0, 0, 0}, soon(options));
  return {};
}

// Tells the other side, unless it has gone or the failure came in the middle of a word.
result<void> part_if_failed(bulk_channel& channel, result<void> outcome) {
  if (!outcome && outcome.error().code != errc::node_lost && outcome.error().code != errc::deadline)
    bulk_refuse(channel, outcome.error());
  return outcome;
}

} // namespace

result<void> bulk_send(bulk_channel& to, bulk_source& from, const bulk_options& options) {
  return part_if_failed(to, send_all(to, from, options));
}

result<void> bulk_receive(bulk_channel& from, bulk_sink& into, uint64_t size,
                          const bulk_options& options) {
  return part_if_failed(from, receive_all(from, into, size, options));
}

void bulk_refuse(bulk_channel& channel, const error& reason) {
  auto until = system_clock{}.now() + farewell_patience;
  auto text = reason.text.substr(0, limits::bulk_reason_max);
  head what{head_magic, word::failed, static_cast<uint64_t>(reason.code), text.size(), 0, 0};
  if (say(channel, what, until) && channel.write(std::as_bytes(std::span{text}), until))
    channel.drain(until);
}

} // namespace troupe
