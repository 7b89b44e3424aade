#include "actors/cluster/job_archive.hpp"

#include "actors/cluster/journal_records.hpp"
#include "actors/cluster/usage_count.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <map>

namespace troupe {
namespace {

using storage::big_endian;

constexpr size_t jobs_max = 1000; // of one list

std::string key_of(char kind, std::initializer_list<uint64_t> numbers) {
  std::string out(1, kind);
  for (auto each : numbers)
    out.append(big_endian(each));
  return out;
}

// 'h' be64(job) be64(sequence): an event
std::string slice_prefix(uint64_t job) {
  return key_of('h', {job});
}

// 'j' be64(~job): what a job was at last; the newest first
std::string summary_key(uint64_t job) {
  return key_of('j', {~job});
}

// 'k' be64(ended) be64(job): the oldest first
std::string ended_key(uint64_t ended_ns, uint64_t job) {
  return key_of('k', {ended_ns, job});
}

// 'o' be64(job) be64(attempt) be64(index) type: a task that has not ended
std::string held_prefix(uint64_t job) {
  return key_of('o', {job});
}

std::string held_key(uint64_t job, uint32_t attempt, uint32_t index, const std::string& type) {
  return key_of('o', {job, attempt, index}).append(type);
}

// The end of the keys that begin with the kind and the number.
std::string behind(char kind, uint64_t job) {
  return key_of(kind, {job + 1});
}

error unknown(uint64_t job) {
  return {errc::not_found,
          "there is no job " + std::to_string(job) + "; list them with: troupe jobs"};
}

std::string encode_status(const std::string& key, const job_status_msg& x) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(job_status::Pack(builder, &x));
  return storage::seal(
    key, {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()});
}

result<job_status_msg> read_status(std::string_view key, std::string_view value) {
  auto payload = storage::unseal(key, value);
  if (!payload)
    return payload.error();
  std::vector<uint64_t> aligned((payload->size() + 7) / 8);
  payload->copy(reinterpret_cast<char*>(aligned.data()), payload->size());
  auto* begin = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier{begin, payload->size()};
  if (payload->size() < 8 || !verifier.VerifyBuffer<job_status>(nullptr))
    return {errc::corrupt, "the summary of a job is damaged; restore the store from a copy"};
  job_status_msg out;
  flatbuffers::GetRoot<job_status>(begin)->UnPackTo(&out);
  return out;
}

attempt_run_msg& attempt_at(job_history_msg& to, const gang& job) {
  auto number = job.attempt();
  auto found
    = std::ranges::find_if(to.attempts, [&](auto& each) { return each->end->attempt == number; });
  if (found != to.attempts.end())
    return **found;
  auto& made = *to.attempts.emplace_back(std::make_unique<attempt_run_msg>());
  made.end = std::make_unique<attempt_end_msg>();
  made.end->attempt = number;
  made.end->started_ns = static_cast<uint64_t>(job.attempt_started_ns());
  return made;
}

struct task_times {
  uint64_t started_ns = 0;
  uint64_t ended_ns = 0; // 0: not yet
};

using times_of_tasks = std::map<std::pair<std::string, uint32_t>, task_times>;

// How the newest attempt stands now.
void show_attempt(job_history_msg& to, const gang& job, const times_of_tasks& times) {
  auto& run = attempt_at(to, job);
  auto status = job.status();
  run.state = status.state;
  for (auto& each : status.ends)
    if (each->attempt == job.attempt())
      *run.end = *each;
  if (job.final() && run.end->ended_ns == 0)
    run.end->ended_ns = status.ended_ns;
  run.tasks.clear();
  for (auto& task : job.tasks()) {
    auto& made = *run.tasks.emplace_back(std::make_unique<task_run_msg>());
    made.type = job.type_of(task).name;
    made.index = task.index;
    made.node = task.node;
    made.state = task.ended ? task.state : task.seen;
    made.exit_code = task.exit_code;
    made.reason = task.reason;
    made.cause = task.cause;
    made.log = job.log_path(task);
    auto known = times.find({made.type, made.index});
    made.started_ns = known != times.end() ? known->second.started_ns : run.end->started_ns;
    made.ended_ns = known != times.end() ? known->second.ended_ns : 0;
  }
}

// The lineage has those.
cluster_event_msg without_files(cluster_event_msg event) {
  if (auto* ended = event.change.Astask_ended())
    ended->files.clear();
  return event;
}

} // namespace

// The events of a job, folded.
struct job_archive::slice {
  void apply(const gang_options& options, const cluster_event_msg& event);

  std::unique_ptr<gang> job;
  job_history_msg history; // without the newest attempt
  times_of_tasks times;    // of the newest attempt
};

void job_archive::slice::apply(const gang_options& options, const cluster_event_msg& event) {
  auto now = static_cast<uint64_t>(event.time_ns);
  if (auto* submitted = event.change.Asjob_submitted())
    job = std::make_unique<gang>(options, *submitted, event.time_ns);
  if (!job || event.change.Asjob_submitted())
    return;
  if (auto* placed = event.change.Asattempt_placed()) {
    if (placed->attempt != job->attempt() && job->attempt() != 0) {
      show_attempt(history, *job, times);
      times.clear();
    }
    for (auto& task : placed->tasks)
      times[{task->type, task->index}].started_ns = now;
  } else if (auto* ended = event.change.Astask_ended()) {
    times[{ended->task->type, ended->task->index}].ended_ns = now;
  }
  job->apply(event.change, event.time_ns);
}

job_archive::job_archive(const storage::store& from, const gang_options& options)
  : store_(from), options_(options) {}

result<job_archive::slice> job_archive::slice_of(uint64_t id) const {
  slice out;
  result<void> all;
  TROUPE_TRY(store_.scan(slice_prefix(id), "", storage::no_limit, [&](auto key, auto value) {
    auto payload = storage::unseal(key, value);
    auto event = payload ? decode_record(*payload) : result<cluster_event_msg>{payload.error()};
    if (event)
      out.apply(options_, *event);
    else
      all = event.error();
    return static_cast<bool>(all);
  }));
  if (!all)
    return all.error();
  if (!out.job)
    return unknown(id);
  out.history.spec = std::make_unique<job_spec_msg>(out.job->spec());
  return out;
}

result<storage::batch> job_archive::changes_of(uint64_t sequence,
                                               const cluster_event_msg& event) const {
  storage::batch to;
  if (auto* purged = event.change.Asjob_purged()) {
    TROUPE_TRY(purge(purged->job, to));
    return to;
  }
  auto id = job_of(event.change);
  if (id == 0)
    return to;
  auto key = key_of('h', {id, sequence});
  to.put(key, storage::seal(key, encode_record(without_files(event))));
  if (auto* submitted = event.change.Asjob_submitted()) {
    usage_count count{store_};
    TROUPE_TRY(count.add_job(submitted->user, submitted->spec->queue, event.time_ns));
    count.put(to);
  } else if (auto* placed = event.change.Asattempt_placed()) {
    TROUPE_TRY(place(*placed, event.time_ns, to));
  } else if (auto* ended = event.change.Astask_ended()) {
    TROUPE_TRY(count_end(*ended, event.time_ns, to));
  } else if (auto* changed = event.change.Asjob_changed()) {
    if (has_ended(changed->state))
      TROUPE_TRY(close(event, *changed, to));
  }
  return to;
}

result<void> job_archive::place(const attempt_placed_msg& x, int64_t time_ns,
                                storage::batch& to) const {
  result<cluster_event_msg> first{errc::not_found, ""};
  TROUPE_TRY(store_.scan(slice_prefix(x.job), "", 1, [&](auto key, auto value) {
    if (auto payload = storage::unseal(key, value))
      first = decode_record(*payload);
    return false;
  }));
  auto* submitted = first ? first->change.Asjob_submitted() : nullptr;
  if (!submitted)
    return {}; // it was submitted before there was a history
  for (auto& task : x.tasks)
    for (auto& type : submitted->spec->tasks)
      if (type->name == task->type) {
        auto key = held_key(x.job, x.attempt, task->index, task->type);
        to.put(key,
               encode(key, held_resources{time_ns, type->cpus, type->memory, type->accelerators,
                                          submitted->user, submitted->spec->queue}));
      }
  return {};
}

result<void> job_archive::count_end(const task_ended_msg& x, int64_t time_ns,
                                    storage::batch& to) const {
  auto key = held_key(x.task->job, x.task->attempt, x.task->index, x.task->type);
  auto value = store_.get(key);
  if (!value)
    return value.error();
  if (!*value)
    return {};
  auto held = read_held(key, **value);
  if (!held)
    return held.error();
  usage_count count{store_};
  TROUPE_TRY(count.add_task(*held, time_ns));
  count.put(to);
  to.erase(key);
  return {};
}

result<void> job_archive::close(const cluster_event_msg& event, const job_changed_msg& x,
                                storage::batch& to) const {
  auto known = slice_of(x.job);
  if (!known)
    return known.error().code == errc::not_found ? result<void>{} : result<void>{known.error()};
  known->job->apply(event.change, event.time_ns);
  auto status = known->job->status();
  status.tasks.clear();
  status.ends.clear();
  auto key = summary_key(x.job);
  to.put(key, encode_status(key, status));
  auto ended = ended_key(status.ended_ns, x.job);
  to.put(ended, storage::seal(ended, ""));
  return {};
}

result<void> job_archive::purge(uint64_t id, storage::batch& to) const {
  auto key = summary_key(id);
  auto value = store_.get(key);
  if (!value)
    return value.error();
  if (*value)
    if (auto status = read_status(key, **value))
      to.erase(ended_key(status->ended_ns, id));
  to.erase(key);
  to.erase_range(slice_prefix(id), behind('h', id));
  to.erase_range(held_prefix(id), behind('o', id));
  return {};
}

result<job_status_msg> job_archive::job(uint64_t id) const {
  auto known = slice_of(id);
  if (!known)
    return known.error();
  return known->job->status();
}

result<job_events_msg> job_archive::events_after(uint64_t id, uint64_t sequence) const {
  auto known = slice_of(id);
  if (!known)
    return known.error();
  job_events_msg out;
  out.events = known->job->events_after(sequence);
  out.status = std::make_unique<job_status_msg>(known->job->status());
  return out;
}

result<job_history_msg> job_archive::attempts(uint64_t id) const {
  auto known = slice_of(id);
  if (!known)
    return known.error();
  if (known->job->attempt() != 0)
    show_attempt(known->history, *known->job, known->times);
  return std::move(known->history);
}

result<job_list_msg> job_archive::jobs(const list_jobs_msg& filter) const {
  job_list_msg out;
  result<void> all;
  auto limit = std::clamp<size_t>(filter.limit, 1, jobs_max);
  auto from = filter.before == 0 ? std::string{} : summary_key(filter.before - 1);
  TROUPE_TRY(store_.scan("j", from, storage::no_limit, [&](auto key, auto value) {
    auto status = read_status(key, value);
    if (!status) {
      all = status.error();
      return false;
    }
    if (!matches(filter, *status))
      return true;
    out.more = out.jobs.size() == limit;
    if (!out.more)
      out.jobs.push_back(std::make_unique<job_status_msg>(std::move(*status)));
    return !out.more;
  }));
  if (!all)
    return all.error();
  return out;
}

result<usage_msg> job_archive::usage(const get_usage_msg& request, int64_t now_ns) const {
  auto since = static_cast<int64_t>(request.since_ns) / hour_ns * hour_ns;
  std::map<std::string, usage_row_msg> rows;
  TROUPE_TRY(sum_usage(store_, request.by, since, rows));
  result<void> all;
  TROUPE_TRY(store_.scan("o", "", storage::no_limit, [&](auto key, auto value) {
    auto held = read_held(key, value);
    if (!held)
      all = held.error();
    else if (since < now_ns)
      add_held(*held, since, now_ns, rows[request.by == usage_by::user ? held->user : held->queue]);
    return static_cast<bool>(all);
  }));
  if (!all)
    return all.error();
  usage_msg out;
  out.since_ns = static_cast<uint64_t>(since);
  for (auto& [name, row] : rows) {
    row.name = name;
    out.rows.push_back(std::make_unique<usage_row_msg>(row));
  }
  return out;
}

result<std::vector<uint64_t>> job_archive::expired(const retention& keep, int64_t now_ns,
                                                   size_t limit) const {
  uint64_t count = 0;
  TROUPE_TRY(store_.scan("k", "", storage::no_limit, [&](auto, auto) {
    ++count;
    return true;
  }));
  auto oldest = now_ns - keep.keep_for.count();
  std::vector<uint64_t> out;
  TROUPE_TRY(store_.scan("k", "", limit, [&](auto key, auto) {
    auto ended = static_cast<int64_t>(storage::from_big_endian(key.substr(1, 8)));
    auto gone = ended < oldest || count - out.size() > keep.keep_jobs;
    if (gone)
      out.push_back(storage::from_big_endian(key.substr(9, 8)));
    return gone;
  }));
  return out;
}

bool matches(const list_jobs_msg& filter, const job_status_msg& x) {
  auto& states = filter.states;
  return (states.empty() || std::ranges::find(states, x.state) != states.end())
         && (filter.user.empty() || filter.user == x.user)
         && (filter.queue.empty() || filter.queue == x.queue)
         && (filter.tag.empty() || std::ranges::find(x.tags, filter.tag) != x.tags.end())
         && x.submitted_ns >= filter.since_ns && (filter.before == 0 || x.job < filter.before);
}

void add_current(job_history_msg& to, const gang& job) {
  to.spec = std::make_unique<job_spec_msg>(job.spec());
  if (job.attempt() == 0)
    return;
  times_of_tasks times;
  for (auto& task : attempt_at(to, job).tasks)
    times[{task->type, task->index}] = {task->started_ns, task->ended_ns};
  show_attempt(to, job, times);
}

} // namespace troupe
