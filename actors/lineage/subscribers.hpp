// The polls of subscribers: who asks for its next changes gets those that it did not acknowledge,
// or waits for the next one. Plain code around change_feed.
//
// A subscriber is told of at most `unacknowledged_max` changes that it did not acknowledge; it gets
// them again, in order, as often as it asks. One that does not ask for a while is forgotten here,
// and goes on at its durable place when it asks again.
// Threads: one at a time.
#pragma once

#include "runtime/base/clock.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/metadata/change_feed.hpp"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace troupe {

inline constexpr size_t unacknowledged_max = 4'000;
inline constexpr duration poll_time = std::chrono::seconds(1);
inline constexpr duration forgotten_after = std::chrono::seconds(30);

class subscribers {
public:
  using view_source = std::function<storage::metadata_view()>;
  using answer = std::function<void(result<record_changes_msg>)>;

  // `look` gives what is durable now.
  explicit subscribers(view_source look);

  // Whether the acknowledgement in the poll has to be made durable before the poll is answered: it
  // says that changes were taken which the record does not know to be taken.
  bool acknowledges(const next_changes_msg& x) const;

  // Answers when there is a change, and at the latest with expire(); one that does not wait, when
  // all that it missed is read. Gives whether catch_up() has more to read. Errors:
  // errc::not_found, those of its filter, and errc::aborted: somebody else polls it now.
  bool poll(const next_changes_msg& x, time_point now, answer then);

  // The subscription was removed.
  void forget(const std::string& name);

  // A change is durable. They come in order.
  void changed(uint64_t sequence, const storage::change_record& what);

  // Reads what those missed who are behind; whether there is more to read.
  bool catch_up();

  // Answers the polls that waited long enough, and forgets who did not ask any more. Gives the
  // places to make durable of those that are far behind the record without having missed anything.
  std::vector<storage::subscription_put> expire(time_point now);

private:
  struct subscriber {
    std::deque<storage::told_change> told; // and not acknowledged
    storage::change_place acknowledged;    // as the record has it, or will
    storage::node_kind kind = storage::node_kind::artifact;
    std::string filter;
    answer waiting;
    bool waits = true; // for what comes later
    uint32_t limit = 0;
    time_point asked{};
  };

  using all_subscribers = std::map<std::string, subscriber>;

  result<all_subscribers::iterator> attached(const std::string& name);
  void acknowledge(const std::string& name, subscriber& x, storage::change_place before);
  void reply(const std::string& name, subscriber& x);
  void reply_to_told();
  void complain(const std::string& name, const error& reason);

  view_source look_;
  storage::change_feed feed_;
  all_subscribers all_;
  std::set<std::string> told_; // somebody who was told since the last reply
};

} // namespace troupe
