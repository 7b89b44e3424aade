#include "storage/metadata/metadata.hpp"

#include "runtime/base/log.hpp"
#include "storage/metadata/first_format.hpp"
#include "storage/metadata/keys.hpp"

#include <future>

namespace troupe::storage {

result<std::unique_ptr<metadata>> metadata::open(store& target, committer& writer,
                                                 const clock& time) {
  std::unique_ptr<metadata> opened(new metadata(target, writer, time));
  TROUPE_TRY(opened->load());
  TROUPE_TRY(opened->convert());
  return opened;
}

metadata::~metadata() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return under_way_.empty() && !submitting_; });
}

result<void> metadata::load() {
  auto types = std::make_shared<type_catalog>();
  result<void> good;
  TROUPE_TRY(store_.scan(types_prefix(), {}, no_limit, [&](auto key, auto value) {
    auto x = read_type(key, value);
    if (x)
      types->load(std::move(*x));
    else
      good = x.error();
    return bool{good};
  }));
  TROUPE_TRY(std::move(good));
  types_ = std::move(types);
  auto counters = metadata_view(store_.snapshot(), types_).counters();
  if (!counters)
    return counters.error();
  counters_ = *counters;
  durable_ = counters_.sequence;
  return {};
}

// Nobody else is here yet: what it writes does not go through the committer.
result<void> metadata::convert() {
  auto old = has_first_format(store_);
  if (!old)
    return old.error();
  if (!*old)
    return {};
  auto write_now = [this](change_set next) -> result<void> {
    entry x;
    TROUPE_TRY(prepare(next, x));
    pending_.settle(x.number);
    return store_.commit(x.writes, durability::synced);
  };
  TROUPE_TRY(read_first_format(store_, [&](const change_set& next) -> result<void> {
    auto outcome = write_now(next);
    if (outcome || outcome.error().code != errc::invalid)
      return outcome;
    for (auto& part : parts_of(next)) // all but what cannot be kept any more
      if (auto kept = write_now(std::move(part)); !kept && kept.error().code != errc::invalid)
        return kept;
      else if (!kept)
        log::warning("a record of 0.1.0 is left out", {{"reason", kept.error().text}});
    return {};
  }));
  TROUPE_TRY(erase_first_format(store_));
  durable_ = counters_.sequence;
  return {};
}

metadata_view metadata::look(uint64_t as_of) const {
  auto shown = store_.snapshot(); // first: the types of all that it shows are known by then
  std::lock_guard lock(mutex_);
  return {std::move(shown), types_, as_of};
}

void metadata::write(change_set set, written then) {
  auto x = std::make_shared<entry>();
  {
    std::unique_lock lock(mutex_);
    auto good = prepare(set, *x);
    if (!good) {
      lock.unlock();
      return then(good.error());
    }
    if (x->writes.empty() && under_way_.empty()) {
      lock.unlock();
      return then(std::move(x->answer)); // all that it found is durable already
    }
    x->then = std::move(then);
    under_way_.emplace(x->number, x);
    ready_.push_back(std::move(x));
    if (submitting_)
      return; // whoever submits takes this one too
    submitting_ = true;
  }
  submit_all();
}

result<receipt> metadata::write(change_set set) {
  std::promise<result<receipt>> done;
  write(std::move(set), [&](result<receipt> x) { done.set_value(std::move(x)); });
  return done.get_future().get();
}

result<void> metadata::prepare(change_set& set, entry& to) {
  if (failed_.code != errc::ok)
    return stopped_by(failed_);
  transaction run(pending_.all(), *types_, counters_, static_cast<uint64_t>(clock_.wall_ns()));
  auto answer = run.run(set);
  if (!answer)
    return answer.error();
  to.number = ++last_number_;
  to.answer = std::move(*answer);
  to.changed = run.counters().sequence != counters_.sequence;
  to.changes = run.changes();
  to.counters_before = std::exchange(counters_, run.counters());
  to.types_before = types_;
  if (!run.types_put().empty()) {
    auto types = std::make_shared<type_catalog>(*types_);
    for (const auto& x : run.types_put())
      types->load(x);
    types_ = std::move(types);
  }
  to.values = run.take_writes();
  pending_.add(to.number, to.values);
  for (const auto& [key, value] : to.values) {
    if (value)
      to.writes.put(key, *value);
    else
      to.writes.erase(key);
  }
  to.writes.append(std::move(set.beside));
  return {};
}

// By one thread at a time: the order of the sets is that of their submits.
void metadata::submit_all() {
  std::unique_lock lock(mutex_);
  while (!ready_.empty()) {
    auto x = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    auto accepted = committer_.submit(
      std::move(x->writes), [this, x](const result<void>& committed) { finish(x, committed); });
    lock.lock();
    if (accepted)
      continue;
    // The sets behind it were checked against what it would have written.
    std::vector<std::shared_ptr<entry>> refused{std::move(x)};
    refused.insert(refused.end(), ready_.begin(), ready_.end());
    ready_.clear();
    counters_ = refused.front()->counters_before;
    types_ = refused.front()->types_before;
    for (const auto& each : refused)
      under_way_.erase(each->number);
    pending_.clear();
    for (const auto& [number, each] : under_way_)
      if (!each->settled)
        pending_.add(number, each->values);
    lock.unlock();
    for (const auto& each : refused)
      each->then(accepted.error());
    lock.lock();
  }
  submitting_ = false;
  idle_.notify_all();
}

void metadata::finish(const std::shared_ptr<entry>& x, const result<void>& committed) {
  {
    std::lock_guard lock(mutex_);
    x->settled = true;
    if (committed)
      pending_.settle(x->number);
    else if (failed_.code == errc::ok)
      failed_ = committed.error();
  }
  if (committed && x->changed) {
    durable_ = x->answer.sequence;
    if (observer_)
      observer_(x->answer.sequence, x->changes);
  }
  if (committed)
    x->then(std::move(x->answer));
  else
    x->then(committed.error());
  std::lock_guard lock(mutex_);
  under_way_.erase(x->number);
  idle_.notify_all(); // under the lock: the destructor may be waiting for it
}

} // namespace troupe::storage
