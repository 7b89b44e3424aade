#include "storage/bytes/s3_objects.hpp"

#include "storage/bytes/s3_upload.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::storage {

namespace {

constexpr size_t piece_size = 8u << 20;    // bytes of one request of get
constexpr int empty_pages_max = 100;       // in a row, of one list
constexpr size_t answer_slack = 64u << 10; // bytes of an answer beside an object's

// The numbers of "bytes FIRST-LAST/TOTAL".
struct range {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t total = 0;
};

std::optional<range> read_range(std::string_view text) {
  range out;
  auto* at = text.data();
  auto* end = at + text.size();
  auto number = [&](std::string_view before, uint64_t& to) {
    if (static_cast<size_t>(end - at) < before.size()
        || std::string_view{at, before.size()} != before)
      return false;
    auto [next, failed] = std::from_chars(at + before.size(), end, to);
    at = next;
    return failed == std::errc{};
  };
  if (!number("bytes ", out.first) || !number("-", out.last) || !number("/", out.total) || at != end
      || out.first > out.last || out.last >= out.total)
    return {};
  return out;
}

std::string range_text(uint64_t first, uint64_t count) {
  return "bytes=" + std::to_string(first) + "-" + std::to_string(first + count - 1);
}

} // namespace

result<std::unique_ptr<s3_objects>> s3_objects::make(s3_options options, s3_credentials credentials,
                                                     s3_surroundings around) {
  auto client = s3_client::make(std::move(options), std::move(credentials), std::move(around));
  if (!client)
    return client.error();
  return std::unique_ptr<s3_objects>{new s3_objects(std::move(*client))};
}

result<void> s3_objects::put(std::string_view name, std::string_view bytes) {
  TROUPE_TRY(check_object_name(name));
  if (bytes.size() > object_size_max)
    return {errc::invalid, "an object of " + std::to_string(bytes.size())
                             + " bytes is too large: store it as several of at most 256 MiB"};
  auto there = size(name);
  if (!there || *there)
    return there ? result<void>{} : there.error();
  std::string key{name};
  if (bytes.size() > s3_single_max) {
    auto done = upload_in_parts(*client_, key, bytes, s3_part_size);
    if (done || done.error().code != errc::not_found)
      return done;
    // Somebody else completed it, or our own completion was done before its answer was lost.
    there = size(name);
    return there && *there == bytes.size() ? result<void>{} : done;
  }
  s3_ask ask{.method = "PUT", .name = key, .body = bytes};
  auto answer = client_->ask(ask);
  if (!answer)
    return answer.error();
  return answer->status / 100 == 2 ? result<void>{} : client_->refusal(ask, *answer);
}

result<std::string> s3_objects::get(std::string_view name, uint64_t offset, uint64_t count) const {
  TROUPE_TRY(check_object_name(name));
  std::string out;
  s3_ask ask{.name = std::string{name}, .answer_max = object_size_max + answer_slack};
  auto beyond = count == 0 || offset >= object_size_max;
  if (beyond) { // only whether it is there
    offset = 0;
    count = 1;
  }
  while (out.size() < count) {
    auto from = offset + out.size();
    auto want = std::min<uint64_t>(piece_size, count - out.size());
    ask.headers = {{"range", range_text(from, want)}};
    auto answer = client_->ask(ask);
    if (!answer)
      return answer.error();
    if (answer->status == 416) // there is nothing behind `from`
      break;
    if (answer->status == 200) { // all of it: it is empty, or the server knows no ranges
      if (answer->length != answer->body.size())
        return client_->failure(errc::io, ask,
                                "the answer does not say how long it is: check that "
                                "the endpoint is one of S3");
      out = answer->body.substr(std::min<uint64_t>(offset, answer->body.size()), count);
      break;
    }
    if (answer->status != 206)
      return client_->refusal(ask, *answer);
    auto part = read_range(answer->content_range);
    if (!part || part->first != from || part->last - part->first + 1 != answer->body.size()
        || answer->body.size() > want || part->total > object_size_max)
      return client_->failure(errc::io, ask,
                              "the answer is not the range that was asked for, or is of an object "
                              "above 256 MiB: check who else writes to the bucket");
    out += answer->body;
    if (part->last + 1 == part->total)
      break;
  }
  return beyond ? std::string{} : out;
}

result<std::optional<uint64_t>> s3_objects::size(std::string_view name) const {
  TROUPE_TRY(check_object_name(name));
  s3_ask ask{.method = "HEAD", .name = std::string{name}};
  auto answer = client_->ask(ask);
  if (!answer)
    return answer.error();
  if (answer->status == 404) { // of the object or of the bucket: nothing says which
    auto there = bucket_is_there();
    if (!there)
      return there.error();
    return std::optional<uint64_t>{};
  }
  if (answer->status != 200)
    return client_->refusal(ask, *answer);
  bucket_seen_ = true;
  if (!answer->length)
    return client_->failure(errc::io, ask,
                            "the answer does not say how long the object is: check "
                            "that the endpoint is one of S3");
  return answer->length;
}

result<void> s3_objects::bucket_is_there() const {
  if (bucket_seen_)
    return {};
  s3_ask ask{.query = {{"list-type", "2"}, {"max-keys", "1"}}};
  auto answer = client_->ask(ask);
  if (!answer)
    return answer.error();
  // Who may not list may still know that an object is not there.
  if (answer->status != 200 && answer->status != 403)
    return client_->refusal(ask, *answer);
  bucket_seen_ = true;
  return {};
}

result<void> s3_objects::list(std::string_view prefix, const visitor& visit) const {
  auto whole = client_->prefix() + std::string{prefix};
  s3_ask ask;
  std::string last;
  std::string token;
  for (int empty = 0; empty < empty_pages_max;) {
    ask.query = {{"list-type", "2"}, {"prefix", whole}, {"encoding-type", "url"}};
    if (!token.empty())
      ask.query.emplace_back("continuation-token", token);
    auto answer = client_->ask(ask);
    if (!answer)
      return answer.error();
    if (answer->status != 200)
      return client_->refusal(ask, *answer);
    auto page = read_listing(answer->body);
    if (!page)
      return client_->failure(errc::io, ask, page.error().text);
    for (auto& each : page->entries) {
      if (each.key <= last || !each.key.starts_with(whole))
        return client_->failure(errc::io, ask,
                                "its list is out of order, or of other keys: check "
                                "that the endpoint is one of S3");
      last = each.key;
      auto name = std::string_view{each.key}.substr(client_->prefix().size());
      if (check_object_name(name) && !visit(name, each.bytes))
        return {};
    }
    if (page->next.empty())
      return {};
    empty = page->entries.empty() ? empty + 1 : 0;
    token = page->next;
  }
  return client_->failure(errc::io, ask, "its list goes on and on without a key: check the server");
}

result<void> s3_objects::remove(std::string_view name) {
  TROUPE_TRY(check_object_name(name));
  s3_ask ask{.method = "DELETE", .name = std::string{name}};
  auto answer = client_->ask(ask);
  if (!answer)
    return answer.error();
  if (answer->status / 100 == 2)
    return {};
  auto said = read_refusal(answer->body);
  if (answer->status == 404 && said.code != "NoSuchBucket")
    return {};
  return client_->refusal(ask, *answer);
}

} // namespace troupe::storage
