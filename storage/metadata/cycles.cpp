#include "storage/metadata/cycles.hpp"

#include "storage/metadata/keys.hpp"
#include "storage/metadata/records.hpp"

#include <map>

namespace troupe::storage {

namespace {

using place = std::pair<node_kind, uint64_t>;

// A depth-first search with its own stack: a node is open while it is on the path.
class search {
public:
  search(const layer& all, const std::function<bool(node_kind, uint64_t)>& fresh)
    : all_(all), fresh_(fresh) {}

  result<void> from(place start) {
    TROUPE_TRY(open(start));
    while (!path_.empty()) {
      auto& at = path_.back();
      if (at.left.empty()) {
        state_[at.what] = state::closed;
        path_.pop_back();
        continue;
      }
      auto next = at.left.back();
      at.left.pop_back();
      auto known = state_.find(next);
      if (known == state_.end()) {
        TROUPE_TRY(open(next));
      } else if (known->second == state::open) {
        return circle(next);
      }
    }
    return {};
  }

private:
  enum class state : uint8_t { open, closed };

  struct step {
    place what;
    std::vector<place> left;
  };

  static error circle(place x) {
    auto who = "the " + std::string(name_of(x.first)) + " " + std::to_string(x.second);
    if (x.first == node_kind::context)
      return {errc::invalid, who + " would be above itself; choose another parent"};
    return {errc::invalid,
            who + " would be made of itself; put what is new in an artifact of its own"};
  }

  result<void> open(place x) {
    if (state_.contains(x))
      return {};
    if (state_.size() >= cycle_search_max)
      return {errc::invalid, "more than " + std::to_string(cycle_search_max)
                               + " nodes were made of this one, too many to rule a cycle out; put "
                                 "what is new in an artifact of its own"};
    auto next = next_to(x);
    if (!next)
      return next.error();
    state_[x] = state::open;
    path_.push_back({x, std::move(*next)});
    return {};
  }

  // What an artifact was read by, what an execution wrote, what a context is in.
  result<std::vector<place>> next_to(place x) const {
    std::vector<place> out;
    auto above = x.first == node_kind::context;
    auto readers = x.first == node_kind::artifact;
    auto prefix
      = above ? links_prefix(link_kind::parent, true, x.second) : events_prefix(x.first, x.second);
    auto add = [&](std::string_view key) {
      if (above)
        out.emplace_back(node_kind::context, other_of(key));
      else if (is_input(static_cast<event_type>(key[prefix.size()])) == readers)
        out.emplace_back(readers ? node_kind::execution : node_kind::artifact, other_of(key));
      return true;
    };
    if (!fresh_(x.first, x.second)) {
      TROUPE_TRY(all_.scan(prefix, {}, no_limit, [&](auto key, auto) { return add(key); }));
      return out;
    }
    for (auto at = all_.own().lower_bound(prefix);
         at != all_.own().end() && at->first.starts_with(prefix); ++at)
      add(at->first);
    return out;
  }

  const layer& all_;
  const std::function<bool(node_kind, uint64_t)>& fresh_;
  std::map<place, state> state_;
  std::vector<step> path_;
};

} // namespace

result<void> check_cycles(const layer& all, const std::vector<event>& added,
                          const std::function<bool(node_kind, uint64_t)>& fresh) {
  search all_of_it(all, fresh);
  for (const auto& x : added)
    TROUPE_TRY(all_of_it.from(is_input(x.type) ? place{node_kind::execution, x.execution}
                                               : place{node_kind::artifact, x.artifact}));
  return {};
}

result<void> check_parents(const layer& all, const std::vector<uint64_t>& children,
                           const std::function<bool(node_kind, uint64_t)>& fresh) {
  search all_of_it(all, fresh);
  for (auto child : children)
    TROUPE_TRY(all_of_it.from({node_kind::context, child}));
  return {};
}

} // namespace troupe::storage
