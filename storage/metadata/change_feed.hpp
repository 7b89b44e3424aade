// Tells subscribers of changes: in order, each until it is acknowledged, none skipped. Plain code:
// it reads views and gives out what is to be sent.
//
// A subscriber that is attached has credits: so many changes may be on their way to it. While it
// has some left it is told of each change as it comes; else it falls behind, and reads what it
// missed from the record of changes when it has credits again. What one does costs the others
// nothing.
// Threads: one at a time. Whoever is told may not call the feed meanwhile.
// Errors: those of the view.
#pragma once

#include "storage/metadata/filter.hpp"
#include "storage/metadata/view.hpp"

#include <memory>

namespace troupe::storage {

struct told_change {
  change_place at;
  change_kind what = change_kind::created;
  std::shared_ptr<const node> now; // as this change left it
};

class change_feed {
public:
  // What a subscriber is to be told, in order.
  using teller = std::function<void(const std::string& subscriber, const told_change& what)>;

  // Who could not be told, and why: of a filter that has too much to try, or the view's error. It
  // stays behind; the others are told.
  using complainer = std::function<void(const std::string& subscriber, const error& reason)>;

  change_feed(teller tell, complainer complain)
    : tell_(std::move(tell)), complain_(std::move(complain)) {}

  // The subscription (by its name) is there from now on, from its place on, and has no credits.
  // Errors: errc::invalid (its filter).
  result<void> attach(const subscription& x);
  void detach(const std::string& name);

  // It may be told of so many changes more.
  void grant(const std::string& name, uint64_t credits);

  // This change is durable: tells those who wait for it. `in` shows it, or a later state. The
  // numbers come in order.
  void changed(const metadata_view& in, uint64_t sequence, const change_record& what);

  // Tells those who are behind and have credits, at most `changes_max` records for each; whether
  // somebody is behind still and has credits left.
  result<bool> catch_up(const metadata_view& in, size_t changes_max = 1000);

  // What it is to be told of next; empty where there is no such subscriber.
  std::optional<change_place> place_of(const std::string& name) const;

private:
  struct subscriber {
    subscription what;
    filter wanted;
    uint64_t credits = 0;
    bool behind = true; // it has not seen all up to sequence_
    std::string type{}; // that the filter demands; empty: any
  };

  using numbered_changes = std::vector<std::pair<uint64_t, change_record>>;
  using nodes = std::map<std::pair<node_kind, uint64_t>, std::shared_ptr<const node>>;

  static bool may_match(const metadata_view& in, const subscriber& to, const node_change& what);
  static result<nodes> read_ahead(const metadata_view& in, const subscriber& to,
                                  const numbered_changes& changes);
  // `now`: nodes as they are now.
  result<bool> tell(const metadata_view& in, subscriber& to, uint64_t sequence,
                    const change_record& what, const nodes& now, nodes& read);
  result<bool> tell_missed(const metadata_view& in, subscriber& to, uint64_t last,
                           size_t changes_max);

  teller tell_;
  complainer complain_;
  std::map<std::string, subscriber> all_;
  uint64_t sequence_ = 0; // of the last change that came
};

} // namespace troupe::storage
