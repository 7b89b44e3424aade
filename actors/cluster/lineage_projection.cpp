#include "actors/cluster/lineage_projection.hpp"

#include "actors/cluster/job_archive.hpp"
#include "actors/cluster/lineage_facts.hpp"
#include "actors/cluster/lineage_text.hpp"
#include "runtime/base/log.hpp"
#include "storage/event_log.hpp"
#include "storage/metadata/metadata.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

namespace troupe {

namespace fs = std::filesystem;

namespace {

// Whether the same would be written at another time: after the next start it is applied again.
bool may_come_later(errc code) {
  return code == errc::io || code == errc::unavailable || code == errc::queue_full
         || code == errc::refused;
}

constexpr auto settle_time = std::chrono::seconds(1); // for one event

} // namespace

struct lineage_projection::state {
  state(storage::metadata& into_, std::string jobs, const job_archive* history_, lineage_work where)
    : into(into_), jobs_directory(std::move(jobs)), history(history_) {
    if (auto mark = storage::projection_mark(into.look().source()))
      applied = *mark; // catch_up() tells of an error
    if (where == lineage_work::on_own_thread)
      worker = std::thread{[this] { work(); }};
  }

  ~state() {
    {
      std::lock_guard guard{mutex};
      stopping = true;
    }
    changed.notify_all();
    if (worker.joinable())
      worker.join();
  }

  void work();
  void add(std::vector<std::pair<uint64_t, cluster_event_msg>> events);
  void apply_first(std::unique_lock<std::mutex>& guard);
  void settle();
  void apply(uint64_t sequence, const cluster_event_msg& event);
  result<void> put_types();
  result<void> commit(uint64_t sequence, storage::change_set changes, storage::batch beside);

  storage::metadata& into;
  const std::string jobs_directory;
  const job_archive* history;
  std::atomic<uint64_t> applied = 0; // the last event whose changes are in the store
  bool missing = false;              // one was not written
  bool typed = false;                // the types of what it writes are there
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<uint64_t, cluster_event_msg>> waiting;
  uint64_t added = 0; // so many events, and how many of them are done with
  uint64_t done = 0;
  time_point turned; // when the one that is being applied had its turn
  system_clock time;
  bool stopping = false;
  std::thread worker;
};

void lineage_projection::state::work() {
  std::unique_lock guard{mutex};
  for (;;) {
    changed.wait(guard, [this] { return stopping || !waiting.empty(); });
    if (stopping)
      return; // what waits is applied from the log at the next start
    apply_first(guard);
  }
}

void lineage_projection::state::apply_first(std::unique_lock<std::mutex>& guard) {
  auto [sequence, event] = std::move(waiting.front());
  waiting.pop_front();
  turned = time.now();
  guard.unlock();
  apply(sequence, event);
  guard.lock();
  ++done;
  changed.notify_all();
}

void lineage_projection::state::settle() {
  std::unique_lock guard{mutex};
  auto wanted = added;
  auto is_slow = [this] { return time.now() - turned >= settle_time; };
  while (!stopping && done < wanted && !(done + waiting.size() < added && is_slow()))
    changed.wait_for(guard, settle_time / 10);
}

void lineage_projection::state::add(std::vector<std::pair<uint64_t, cluster_event_msg>> events) {
  std::unique_lock guard{mutex};
  added += events.size();
  for (auto& each : events)
    waiting.push_back(std::move(each));
  if (worker.joinable())
    return changed.notify_all();
  while (!waiting.empty())
    apply_first(guard);
}

void lineage_projection::state::apply(uint64_t sequence, const cluster_event_msg& event) {
  if (sequence <= applied)
    return;
  if (auto* purged = event.change.Asjob_purged()) {
    std::error_code failed; // what cannot be removed stays, and is in the log
    fs::remove_all(jobs_directory + "/" + std::to_string(purged->job), failed);
    if (failed)
      log::warning("a purged job's directory stays",
                   {{"job", purged->job}, {"reason", failed.message()}});
  }
  auto beside = history ? history->changes_of(sequence, event) : storage::batch{};
  if (!beside) {
    log::error("the history lacks an event",
               {{"sequence", sequence}, {"reason", beside.error().text}});
    beside = storage::batch{};
  }
  auto written = put_types();
  if (written)
    written = commit(sequence, facts_of(event, into.look(), jobs_directory), *beside);
  if (written)
    return;
  log::error("the lineage lacks an event",
             {{"sequence", sequence}, {"reason", written.error().text}});
  missing = true;
  if (!may_come_later(written.error().code)) // of the lineage: the history goes on without it
    static_cast<void>(commit(sequence, {}, std::move(*beside)));
}

result<void> lineage_projection::state::put_types() {
  if (typed)
    return {};
  if (auto put = into.write(lineage_types()); !put)
    return put.error();
  typed = true;
  return {};
}

// One event after the other: what a mark covers is whole.
result<void> lineage_projection::state::commit(uint64_t sequence, storage::change_set changes,
                                               storage::batch beside) {
  if (sequence != applied + 1 && missing)
    return {errc::refused, "an event before it was not written; it is applied at the next start"};
  changes.beside = std::move(beside);
  storage::put_projection_mark(changes.beside, sequence);
  auto written = into.write(std::move(changes));
  if (!written) {
    missing = true;
    return written.error();
  }
  missing = false;
  applied = sequence;
  return {};
}

lineage_projection::lineage_projection(storage::metadata& into, std::string jobs_directory,
                                       const job_archive* history, lineage_work where)
  : state_(std::make_unique<state>(into, std::move(jobs_directory), history, where)) {}

lineage_projection::~lineage_projection() = default;

result<void> lineage_projection::catch_up(const storage::event_log& log) {
  auto trimmed = log.trimmed();
  if (!trimmed)
    return trimmed.error();
  auto mark = storage::projection_mark(state_->into.look().source());
  if (!mark)
    return mark.error();
  auto first = std::max(*mark, *trimmed) + 1;
  if (first > log.last_sequence())
    return {};
  result<void> all;
  std::vector<std::pair<uint64_t, cluster_event_msg>> found;
  TROUPE_TRY(log.replay(first, [&](uint64_t sequence, std::string_view bytes) {
    auto event = decode_record(bytes);
    if (event)
      found.emplace_back(sequence, std::move(*event));
    else if (all)
      all = event.error();
  }));
  state_->add(std::move(found));
  return all;
}

void lineage_projection::record(uint64_t first, const std::vector<cluster_event_msg>& records) {
  std::vector<std::pair<uint64_t, cluster_event_msg>> events;
  events.reserve(records.size());
  for (auto& each : records)
    events.emplace_back(first++, each);
  state_->add(std::move(events));
}

void lineage_projection::settle() const {
  state_->settle();
}

result<lineage_msg> lineage_projection::show(uint64_t job) const {
  settle();
  return lineage_of_job(state_->into.look(), job);
}

} // namespace troupe
