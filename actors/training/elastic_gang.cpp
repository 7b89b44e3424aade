#include "actors/training/elastic_gang.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace troupe::training {

namespace {

constexpr duration look_interval = std::chrono::milliseconds(200); // also where nothing is told

owned_fd watch_directory_of(const std::string& file) {
  if (file.empty())
    return {};
  owned_fd out(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  auto directory = std::filesystem::path(file).parent_path();
  if (out && inotify_add_watch(out.get(), directory.c_str(), IN_MOVED_TO) < 0)
    out.close();
  return out;
}

// Whether there was any.
bool drain(int fd) {
  alignas(inotify_event) std::array<char, 4096> events{};
  auto any = false;
  while (::read(fd, events.data(), events.size()) > 0)
    any = true;
  return any;
}

// A member that says nothing, and does not answer either, is taken for frozen when others have said
// so. Nobody listens where there is no cluster.
void say_awaits(const task_environment& task) {
  auto line = "awaits " + std::to_string(task.generation) + "\n";
  if (task.metrics_fd) [[maybe_unused]]
    auto written = ::write(*task.metrics_fd, line.data(), line.size());
}

} // namespace

elastic_gang::elastic_gang(task_environment task, const clock& time, elastic_options options)
  : task_(std::move(task)), time_(time), options_(std::move(options)),
    news_(watch_directory_of(task_.generation_file)) {}

result<bool> elastic_gang::take_later() {
  auto later = later_generation(task_);
  if (!later)
    return later.error();
  if (!*later)
    return false;
  task_ = std::move(**later);
  return true;
}

bool elastic_gang::is_behind() {
  if (!may_change() || (news_ && !drain(news_.get())))
    return false;
  auto later = later_generation(task_);
  return later && *later;
}

result<void> elastic_gang::meet() {
  auto joined = join_gang(task_);
  if (!joined)
    return joined.error();
  group_ = *std::move(joined);
  return {};
}

// Whether a later generation may be met where this one was not.
bool elastic_gang::passes_over(const error& failure) const {
  return may_change() && failure.code != errc::invalid;
}

result<void> elastic_gang::join() {
  TROUPE_TRY(take_later());
  auto met = meet();
  return met || !passes_over(met.error()) ? met : regroup();
}

void elastic_gang::wait(time_point until) {
  pollfd one{news_.get(), POLLIN, 0};
  auto left = std::min<duration>(until - time_.now(), look_interval);
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  ::poll(&one, news_ ? 1 : 0, static_cast<int>(std::max<int64_t>(ms, 1)));
  if (news_)
    drain(news_.get());
}

result<void> elastic_gang::regroup() {
  group_.reset();
  if (!may_change())
    return {errc::aborted, "The members of this gang do not change: it has to be started again."};
  auto until = time_.now() + options_.patience;
  std::optional<uint32_t> said;
  std::string why;
  for (;;) {
    auto later = take_later();
    TROUPE_TRY(later);
    if (*later) {
      auto met = meet();
      if (met || !passes_over(met.error()))
        return met;
      why = " The last one was not met: " + met.error().text; // it has lost a member, too
      until = time_.now() + options_.patience;
      continue;
    }
    if (options_.ended && options_.ended())
      return {errc::aborted, "The task was asked to end."};
    if (time_.now() >= until)
      return {errc::deadline,
              "No later generation of the gang was announced in time: the attempt ends, and the "
              "gang starts again from its checkpoint."
                + why};
    if (std::exchange(said, task_.generation) != task_.generation)
      say_awaits(task_);
    wait(until);
  }
}

} // namespace troupe::training
