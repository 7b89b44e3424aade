#include "storage/metadata/query.hpp"

#include "storage/hash.hpp"
#include "storage/metadata/filter_match.hpp"
#include "storage/metadata/filter_plan.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <tuple>

namespace troupe::storage {

namespace {

constexpr size_t ids_at_once = 256; // that are read from an index

// Where the page before ended.
struct place {
  uint64_t sequence = 0; // of an order by updates
  uint64_t id = 0;
};

// Candidates in the order of ids, one after the other.
class id_stream {
public:
  id_stream(const metadata_view& in, node_kind kind, filter_candidates from, bool descending,
            uint64_t after, uint64_t last)
    : view_(in), kind_(kind), from_(std::move(from)), descending_(descending) {
    if (from_.ids) {
      auto& all = *from_.ids;
      if (descending_)
        std::reverse(all.begin(), all.end());
      std::erase_if(all, [&](auto id) { return after != 0 && !behind(id, after); });
    } else if (from_.type == 0) {
      end_ = last;
    }
    at_ = after;
  }

  result<std::optional<uint64_t>> next() {
    if (!from_.ids && from_.type == 0)
      return dense();
    if (used_ == read_.size())
      TROUPE_TRY(read());
    if (used_ == read_.size())
      return std::optional<uint64_t>();
    at_ = read_[used_++];
    return std::optional(at_);
  }

private:
  bool behind(uint64_t id, uint64_t other) const { return descending_ ? id < other : id > other; }

  // No node ever goes: the ids are 1 to the last.
  std::optional<uint64_t> dense() {
    if (descending_)
      at_ = at_ == 0 ? end_ : at_ - 1;
    else
      ++at_;
    if (at_ == 0 || at_ > end_) {
      at_ = end_ = 0;
      return std::nullopt;
    }
    return at_;
  }

  result<void> read() {
    used_ = 0;
    read_.clear();
    if (from_.ids) {
      read_ = std::exchange(*from_.ids, {});
      return {};
    }
    auto prefix = type_index(kind_, from_.type);
    auto from = descending_ ? prefix : prefix + big_endian(at_ + 1);
    auto end = descending_ && at_ != 0 ? prefix + big_endian(at_) : std::string();
    auto found = view_.indexed(prefix, from, end, ids_at_once, descending_);
    if (!found)
      return found.error();
    read_ = std::move(*found);
    return {};
  }

  const metadata_view& view_;
  node_kind kind_;
  filter_candidates from_;
  bool descending_;
  std::vector<uint64_t> read_;
  size_t used_ = 0;
  uint64_t at_ = 0; // the last one given
  uint64_t end_ = 0;
};

// A node that the view shows and the filter lets through.
result<std::optional<node>> candidate(const metadata_view& in, const filter_matcher& wanted,
                                      node_kind kind, uint64_t id) {
  auto x = in.get(kind, id);
  if (!x && x.error().code == errc::not_found)
    return std::optional<node>();
  if (!x)
    return x.error();
  auto matches = wanted.matches(*x);
  if (!matches)
    return matches.error();
  return *matches ? std::optional(std::move(*x)) : std::nullopt;
}

result<id_stream> stream_of(const metadata_view& in, const filter& wanted, bool descending,
                            uint64_t after) {
  auto from = plan_filter(in, wanted);
  if (!from)
    return from.error();
  auto counters = in.counters();
  if (!counters)
    return counters.error();
  return id_stream(in, wanted.kind, std::move(*from), descending, after, counters->of(wanted.kind));
}

// Matching nodes in the order of ids, at most `limit`.
result<std::vector<node>> by_id(const metadata_view& in, const filter& wanted, bool descending,
                                uint64_t after, size_t limit) {
  auto ids = stream_of(in, wanted, descending, after);
  if (!ids)
    return ids.error();
  filter_matcher matcher(wanted, in);
  std::vector<node> out;
  while (out.size() < limit) {
    auto id = ids->next();
    if (!id)
      return id.error();
    if (!*id)
      break;
    auto x = candidate(in, matcher, wanted.kind, **id);
    if (!x)
      return x.error();
    if (*x)
      out.push_back(std::move(**x));
  }
  return out;
}

// The same in the order of their last changes.
result<std::vector<node>> by_update(const metadata_view& in, const filter& wanted, bool descending,
                                    place after, size_t limit) {
  auto all = by_id(in, wanted, false, 0, no_limit);
  if (!all)
    return all.error();
  auto rank = [](const node& x) { return std::tuple(x.sequence, x.id); };
  std::tuple last(after.sequence, after.id);
  std::erase_if(*all, [&](const node& x) {
    return after.id != 0 && (descending ? rank(x) >= last : rank(x) <= last);
  });
  std::sort(all->begin(), all->end(), [&](const node& a, const node& b) {
    return descending ? rank(b) < rank(a) : rank(a) < rank(b);
  });
  all->resize(std::min(all->size(), limit));
  return all;
}

// All nodes of the kind by their last changes, from the index of them.
result<std::vector<node>> by_update_index(const metadata_view& in, const filter& wanted,
                                          bool descending, place after, size_t limit) {
  auto prefix = update_index(wanted.kind);
  auto at = after.id == 0 ? std::string()
                          : update_index(wanted.kind, after.sequence)
                              + big_endian(descending ? after.id : after.id + 1);
  filter_matcher matcher(wanted, in);
  std::vector<node> out;
  for (;;) {
    auto ids = in.indexed(prefix, descending ? prefix : std::max(prefix, at),
                          descending ? at : std::string(), ids_at_once, descending);
    if (!ids)
      return ids.error();
    for (auto id : *ids) {
      auto now = in.get(wanted.kind, id);
      if (!now)
        return now.error();
      at = update_index(wanted.kind, now->sequence) + big_endian(descending ? id : id + 1);
      auto matches = matcher.matches(*now);
      if (!matches)
        return matches.error();
      if (*matches)
        out.push_back(std::move(*now));
      if (out.size() == limit)
        return out;
    }
    if (ids->size() < ids_at_once)
      return out;
  }
}

std::string token_of(const list_request& wanted, const node& last) {
  field_writer out;
  out.count(static_cast<uint32_t>(wanted.order));
  out.count(wanted.descending ? 1 : 0);
  out.number(last.sequence);
  out.number(last.id);
  return hex(out.take()) + sha256(wanted.filter).substr(0, 16);
}

error bad_token() {
  return {errc::invalid, "the page token is none of this list; give the one of the page before, "
                         "with the same filter and order"};
}

result<place> place_of(const list_request& wanted) {
  if (wanted.page_token.empty())
    return place();
  // The same token for another node differs only in the two numbers.
  auto like = token_of(wanted, node());
  const auto& token = wanted.page_token;
  if (token.size() != like.size() || token.substr(0, 16) != like.substr(0, 16)
      || token.substr(48) != like.substr(48) || !is_hex(token, token.size()))
    return bad_token();
  auto number = [&](size_t at) {
    uint64_t out = 0;
    for (size_t i = 8; i-- > 0;)
      out = out << 8 | std::stoull(token.substr(at + 2 * i, 2), nullptr, 16);
    return out;
  };
  place out{number(16), number(32)};
  if (out.id == 0)
    return bad_token();
  return out;
}

} // namespace

result<node_page> list_nodes(const metadata_view& in, const list_request& wanted) {
  if (wanted.page_size == 0 || wanted.page_size > page_max)
    return error{errc::invalid, "a page of " + std::to_string(wanted.page_size)
                                  + " nodes is asked; ask for 1 to " + std::to_string(page_max)};
  auto after = place_of(wanted);
  if (!after)
    return after.error();
  auto tree = parse_filter(wanted.kind, wanted.filter);
  if (!tree)
    return tree.error();
  auto limit = wanted.page_size + 1; // one more shows whether there is a next page
  result<std::vector<node>> found = std::vector<node>();
  if (wanted.order != list_order::updated)
    found = by_id(in, *tree, wanted.descending, after->id, limit);
  else if (tree->root || in.as_of() != latest)
    found = by_update(in, *tree, wanted.descending, *after, limit);
  else
    found = by_update_index(in, *tree, wanted.descending, *after, limit);
  if (!found)
    return found.error();
  node_page page{std::move(*found), {}};
  if (page.nodes.size() == limit) {
    page.nodes.pop_back();
    page.next = token_of(wanted, page.nodes.back());
  }
  return page;
}

result<std::vector<uint64_t>> matching(const metadata_view& in, node_kind kind,
                                       std::string_view filter, size_t limit) {
  auto tree = parse_filter(kind, filter);
  if (!tree)
    return tree.error();
  auto found = by_id(in, *tree, false, 0, limit);
  if (!found)
    return found.error();
  std::vector<uint64_t> out;
  for (const auto& x : *found)
    out.push_back(x.id);
  return out;
}

} // namespace troupe::storage
