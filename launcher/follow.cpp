// Jobs from now to their ends, as they go: submit --wait, job --follow.
#include "actors/jobs/gang.hpp"
#include "launcher/console.hpp"
#include "launcher/live_status.hpp"
#include "launcher/submission.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>

namespace troupe::launcher {

namespace {

// Of the terminal that is written to; 0: it is none.
size_t terminal_columns() {
  constexpr size_t usual = 80;
  if (::isatty(STDOUT_FILENO) == 0)
    return 0;
  winsize size{};
  auto known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  return known ? size.ws_col : usual;
}

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// The newest state of each job of an array.
class array_states {
public:
  array_states(uint64_t first, uint32_t size) : first_(first), jobs_(size) {}

  // Asks for those that have not ended; the answer: those of them that have by now.
  result<std::vector<const job_status_msg*>> look(client& cluster) {
    std::vector<const job_status_msg*> news;
    for (auto end = first_ + jobs_.size();;) {
      while (end > first_ && has_ended(end - 1))
        --end;
      if (end == first_)
        return news;
      list_jobs_msg filter;
      filter.limit = 1000;
      filter.before = end;
      auto listed = cluster.jobs(std::move(filter));
      if (!listed)
        return listed.error();
      auto from = first_;
      if (listed->more && !listed->jobs.empty())
        from = std::max(first_, listed->jobs.front()->job);
      std::map<uint64_t, std::unique_ptr<job_status_msg>> found;
      for (auto& each : listed->jobs)
        found[each->job] = std::move(each);
      for (auto id = from; id < end; ++id)
        if (!has_ended(id))
          TROUPE_TRY(learn(cluster, id, std::move(found[id]), news));
      end = from;
    }
  }

  std::map<job_state, uint32_t> count() const {
    std::map<job_state, uint32_t> out;
    for (auto& each : jobs_)
      ++out[each ? each->state : job_state::queued];
    return out;
  }

  // How many did not succeed, and the first of them.
  std::pair<size_t, uint64_t> failures() const {
    std::pair<size_t, uint64_t> out{0, 0};
    for (size_t i = jobs_.size(); i-- > 0;)
      if (jobs_[i] && jobs_[i]->state != job_state::succeeded)
        out = {out.first + 1, first_ + i};
    return out;
  }

private:
  bool has_ended(uint64_t job) const {
    auto& known = jobs_[job - first_];
    return known && troupe::has_ended(known->state);
  }

  // One that no list has may have been removed: then the master says so.
  result<void> learn(client& cluster, uint64_t job, std::unique_ptr<job_status_msg> now,
                     std::vector<const job_status_msg*>& news) {
    if (!now) {
      auto asked = cluster.status(job);
      if (!asked)
        return asked.error();
      now = std::make_unique<job_status_msg>(std::move(*asked));
    }
    auto& known = jobs_[job - first_];
    known = std::move(now);
    if (troupe::has_ended(known->state))
      news.push_back(known.get());
    return {};
  }

  const uint64_t first_;
  std::vector<std::unique_ptr<job_status_msg>> jobs_;
};

std::string line_of(const followed& what, const array_states& states) {
  auto line = jobs_text(what.first, what.array) + ":";
  for (auto& [state, number] : states.count())
    line.append(1, ' ').append(std::to_string(number)).append(1, ' ').append(name_of(state));
  return line;
}

std::string end_of(const job_status_msg& x) {
  auto line = "job " + std::to_string(x.job) + " (" + std::to_string(x.array_index) + ") "
              + name_of(x.state);
  return x.state == job_state::succeeded ? line : line + ": " + x.reason;
}

result<job_list_msg> all_of(client& cluster, const followed& what) {
  job_list_msg out;
  for (uint32_t i = 0; i < what.array; ++i) {
    auto status = cluster.status(what.first + i);
    if (!status)
      return status.error();
    out.jobs.push_back(std::make_unique<job_status_msg>(std::move(*status)));
  }
  return out;
}

// The last lines of a file, each ended.
std::string end_of_file(const std::string& path) {
  constexpr std::streamoff bytes_max = 4096;
  constexpr ptrdiff_t lines_max = 20;
  std::ifstream in{path, std::ios::binary | std::ios::ate};
  if (!in)
    return {};
  auto size = static_cast<std::streamoff>(in.tellg());
  in.seekg(std::max<std::streamoff>(0, size - bytes_max));
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (size > bytes_max)
    text.erase(0, text.find('\n') + 1); // of all of it, where it has no other
  if (!text.empty() && text.back() != '\n')
    text += '\n';
  auto more = std::ranges::count(text, '\n') - lines_max;
  for (; more > 0; --more)
    text.erase(0, text.find('\n') + 1);
  return text;
}

// What the first task that failed printed last: where no cluster is left to ask for it.
void show_failed_log(const job_status_msg& x) {
  auto failed = std::ranges::find(x.tasks, task_state::failed, &task_status_msg::state);
  if (failed == x.tasks.end())
    return;
  auto text = end_of_file((*failed)->log);
  if (!text.empty())
    std::fprintf(stderr, "troupe: %s:%u printed last:\n%s", (*failed)->type.c_str(),
                 (*failed)->index, text.c_str());
}

// The exit code of a job that has ended; why it did not succeed, for people.
int exit_code_of(const job_status_msg& x, const followed& what, const std::string& others) {
  if (x.state == job_state::succeeded)
    return 0;
  auto text = others + "job " + std::to_string(x.job) + " " + name_of(x.state) + ": " + x.reason;
  if (!what.embedded)
    text += "; see its output with: troupe logs " + std::to_string(x.job);
  std::fprintf(stderr, "troupe: %s\n", text.c_str());
  if (what.embedded)
    show_failed_log(x);
  return 1;
}

int follow_array(client& cluster, const shared_options& shared, const followed& what) {
  constexpr int pause_ms = 200;
  system_clock time;
  live_status status{terminal_columns(), write};
  array_states states{what.first, what.array};
  for (uint32_t ended = 0;;) {
    auto news = states.look(cluster);
    if (!news)
      return complain(news.error());
    ended += static_cast<uint32_t>(news->size());
    if (!shared.json) {
      for (auto* each : *news)
        status.say(end_of(*each));
      status.show({line_of(what, states)}, ended == what.array ? "ended" : "", time.now());
    }
    if (ended == what.array)
      break;
    ::poll(nullptr, 0, pause_ms);
  }
  status.finish();
  if (shared.json) {
    auto all = all_of(cluster, what);
    if (!all)
      return complain(all.error());
    std::puts(json_of(*all).c_str());
  }
  auto [failures, first] = states.failures();
  if (failures == 0)
    return 0;
  auto failed = cluster.status(first);
  if (!failed)
    return complain(failed.error());
  auto others = std::to_string(failures) + " of " + std::to_string(what.array)
                + " jobs did not succeed; the first: ";
  return exit_code_of(*failed, what, what.array > 1 ? others : "");
}

int follow_job(client& cluster, const shared_options& shared, const followed& what) {
  system_clock time;
  live_status status{terminal_columns(), write};
  uint64_t after = 0;
  for (;;) {
    auto news = cluster.watch(what.first, after);
    if (!news)
      return complain(news.error());
    for (auto& event : news->events) {
      after = std::max(after, event->sequence);
      if (!shared.json)
        status.say(event->text);
    }
    if (!shared.json)
      status.show(*news->status, time.now());
    if (!has_ended(news->status->state))
      continue;
    status.finish();
    if (shared.json)
      std::puts(json_of(*news->status).c_str());
    else
      print(*news->status);
    return exit_code_of(*news->status, what, "");
  }
}

} // namespace

int follow(client& cluster, const shared_options& shared, const followed& what) {
  return what.array == 0 ? follow_job(cluster, shared, what) : follow_array(cluster, shared, what);
}

} // namespace troupe::launcher
