#include "storage/metadata.hpp"

#include "storage/event_log.hpp"
#include "storage/record.hpp"

#include <atomic>
#include <unordered_map>

namespace troupe::storage {

result<std::unique_ptr<metadata>> metadata::open(store& target, committer& writer) {
  auto applied = projection_mark(target);
  if (!applied)
    return applied.error();
  std::unique_ptr<metadata> opened(new metadata(target, writer));
  opened->applied_ = *applied;
  return opened;
}

metadata::~metadata() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return !busy_; });
}

uint64_t metadata::applied() const {
  std::lock_guard lock(mutex_);
  return applied_;
}

void metadata::apply(uint64_t sequence, metadata_changes changes, committer::done then) {
  if (sequence == 0)
    return then({errc::invalid, "events are numbered from 1; give the number of the event"});
  if (auto good = check(changes); !good)
    return then(std::move(good));
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({sequence, std::move(changes), std::move(then)});
    if (busy_)
      return;
    busy_ = true;
  }
  work();
}

bool metadata::next(entry& to) {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    busy_ = false;
    idle_.notify_all(); // under the lock: the destructor may be waiting for it
    return false;
  }
  to = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

void metadata::work() {
  entry x;
  while (next(x))
    if (!start(std::move(x)))
      return;
}

// Whether the set is answered already; else its answer goes on with the work.
bool metadata::start(entry x) {
  auto last = applied();
  if (x.sequence <= last) {
    x.then({});
    return true;
  }
  auto changes = prepare(x);
  if (!changes) {
    x.then(changes.error());
    return true;
  }
  // The answer may come before submit returns or on another thread: the second of the two goes on.
  auto one_passed = std::make_shared<std::atomic<bool>>(false);
  auto then = std::make_shared<committer::done>(std::move(x.then));
  auto sequence = x.sequence;
  auto accepted = committer_.submit(std::move(*changes),
                                    [this, one_passed, then, sequence](result<void> committed) {
                                      finish(sequence, committed);
                                      (*then)(std::move(committed));
                                      if (one_passed->exchange(true))
                                        work();
                                    });
  if (accepted)
    return one_passed->exchange(true);
  finish(sequence, accepted);
  (*then)(std::move(accepted));
  return true;
}

void metadata::finish(uint64_t sequence, const result<void>& committed) {
  std::lock_guard lock(mutex_);
  if (committed) {
    applied_ = sequence;
    missing_ = 0;
  } else if (missing_ == 0 || sequence < missing_) {
    missing_ = sequence;
  }
}

result<batch> metadata::prepare(const entry& x) const {
  {
    std::lock_guard lock(mutex_);
    if (missing_ != 0 && x.sequence > missing_)
      return {errc::refused, "the changes of event " + std::to_string(missing_)
                               + " were not written; apply them before those of event "
                               + std::to_string(x.sequence)};
  }
  batch out;
  std::unordered_map<std::string_view, const artifact*> artifacts; // the last of each id holds
  std::unordered_map<std::string_view, const execution*> executions;
  for (const auto& a : x.changes.artifacts)
    artifacts[a.id] = &a;
  for (const auto& e : x.changes.executions)
    executions[e.id] = &e;
  for (const auto& a : x.changes.artifacts)
    if (artifacts[a.id] == &a)
      TROUPE_TRY(put(out, a));
  for (const auto& e : x.changes.executions)
    if (executions[e.id] == &e)
      out.put(execution_key(e.id), encode(e));
  for (const auto& e : x.changes.events) {
    if (!executions.contains(e.execution))
      TROUPE_TRY(check_end(execution_key(e.execution), "execution"));
    if (!artifacts.contains(e.artifact))
      TROUPE_TRY(check_end(artifact_key(e.artifact), "artifact"));
    for (auto& key : {edge_key(e), back_edge_key(e)})
      out.put(key, seal(key, ""));
  }
  out.append(x.changes.beside);
  put_projection_mark(out, x.sequence);
  return out;
}

result<void> metadata::check_end(const std::string& key, std::string_view what) const {
  auto found = store_.get(key);
  if (!found)
    return found.error();
  if (!*found)
    return {errc::invalid, "an event names the " + std::string(what) + " " + key.substr(1)
                             + ", which does not exist; put it first or in the same changes"};
  return {};
}

result<void> metadata::put(batch& into, const artifact& x) const {
  auto key = artifact_key(x.id);
  auto old = store_.get(key);
  if (!old)
    return old.error();
  if (*old) {
    auto before = read_artifact(key, **old);
    if (!before)
      return before.error();
    for (auto& index : index_keys(*before))
      into.erase(std::move(index));
  }
  for (auto& index : index_keys(x)) {
    auto value = seal(index, "");
    into.put(std::move(index), std::move(value));
  }
  into.put(std::move(key), encode(x));
  return {};
}

} // namespace troupe::storage
