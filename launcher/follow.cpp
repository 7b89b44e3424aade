// A job from now to its end, as it goes: submit --wait, job --follow.
#include "actors/jobs/gang.hpp"
#include "launcher/console.hpp"
#include "launcher/live_status.hpp"
#include "launcher/submission.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

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

} // namespace

int follow(client& cluster, const shared_options& shared, uint64_t job) {
  system_clock time;
  live_status status{terminal_columns(), write};
  uint64_t after = 0;
  for (;;) {
    auto news = cluster.watch(job, after);
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
    if (news->status->state == job_state::succeeded)
      return 0;
    std::fprintf(stderr, "troupe: job %lu %s: %s; see its output with: troupe logs %lu\n", job,
                 name_of(news->status->state).c_str(), news->status->reason.c_str(), job);
    return 1;
  }
}

} // namespace troupe::launcher
