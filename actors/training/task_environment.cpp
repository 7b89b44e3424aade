#include "actors/training/task_environment.hpp"

#include "runtime/base/file_text.hpp"
#include "runtime/base/ids.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>

namespace troupe::training {

namespace {

std::string text_of(const variables& from, const char* name) {
  const auto* value = from(name);
  return value ? value : "";
}

template <class Number>
result<Number> number_of(const variables& from, const char* name, Number otherwise) {
  auto text = text_of(from, name);
  if (text.empty())
    return otherwise;
  Number number{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size())
    return {errc::invalid, std::string(name) + " is \"" + text
                             + "\", which is no number in range: start this program by Troupe, or "
                               "without TROUPE_ variables."};
  return number;
}

result<std::optional<int>> descriptor_of(const variables& from, const char* name) {
  if (!from(name))
    return std::optional<int>{};
  auto number = number_of<int>(from, name, -1);
  if (!number)
    return number.error();
  if (*number < 0)
    return {errc::invalid, std::string(name) + " is no file descriptor: it must be 0 or more."};
  return std::optional<int>{*number};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t start = 0; start < text.size();) {
    auto end = std::min(text.find(',', start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::string host_of(const std::string& member) {
  return member.substr(0, member.rfind(':'));
}

} // namespace

bool task_environment::one_host() const {
  for (const auto& member : members) {
    if (host_of(member) != host_of(members.front()))
      return false;
  }
  return true;
}

result<task_environment> read_environment(const variables& from) {
  task_environment task;
  task.job = text_of(from, "TROUPE_JOB");
  task.task_type = from("TROUPE_TASK_TYPE") ? from("TROUPE_TASK_TYPE") : "worker";
  task.secret = text_of(from, "TROUPE_SECRET");
  task.output = text_of(from, "TROUPE_OUTPUT");
  task.checkpoints = text_of(from, "TROUPE_CHECKPOINTS");
  task.members = split(text_of(from, "TROUPE_MEMBERS"));
  auto attempt = number_of<uint64_t>(from, "TROUPE_ATTEMPT", 1);
  auto index = number_of<uint32_t>(from, "TROUPE_TASK_INDEX", 0);
  auto rank = number_of<uint32_t>(from, "TROUPE_RANK", 0);
  auto size = number_of<uint32_t>(from, "TROUPE_WORLD_SIZE", 1);
  auto generation = number_of<uint32_t>(from, "TROUPE_GENERATION", 0);
  auto deadline = number_of<uint32_t>(from, "TROUPE_COLLECTIVE_TIMEOUT_S", 30);
  auto listener = descriptor_of(from, "TROUPE_LISTEN_FD");
  auto metrics = descriptor_of(from, "TROUPE_METRICS_FD");
  TROUPE_TRY(attempt);
  TROUPE_TRY(index);
  TROUPE_TRY(rank);
  TROUPE_TRY(size);
  TROUPE_TRY(generation);
  TROUPE_TRY(deadline);
  TROUPE_TRY(listener);
  TROUPE_TRY(metrics);
  if (*deadline == 0)
    return {errc::invalid,
            "TROUPE_COLLECTIVE_TIMEOUT_S is 0: no operation would have the time; say "
            "how many seconds one may take."};
  if (*rank >= *size)
    return {errc::invalid, "TROUPE_RANK is " + std::to_string(*rank)
                             + ", which is not below TROUPE_WORLD_SIZE, " + std::to_string(*size)
                             + ": give each rank its own number."};
  if (*size > 1 && task.members.size() != *size)
    return {errc::invalid, "TROUPE_MEMBERS names " + std::to_string(task.members.size())
                             + " members and "
                               "TROUPE_WORLD_SIZE is "
                             + std::to_string(*size) + ": name each rank once."};
  task.attempt = *attempt;
  task.task_index = *index;
  task.rank = *rank;
  task.world_size = *size;
  task.listen_fd = *listener;
  task.metrics_fd = *metrics;
  task.generation = *generation;
  task.deadline = std::chrono::seconds(*deadline);
  task.generation_file = text_of(from, "TROUPE_GENERATION_FILE");
  return task;
}

result<std::optional<task_environment>> later_generation(const task_environment& task) {
  if (task.generation_file.empty())
    return std::optional<task_environment>{};
  std::map<std::string, std::string> set;
  auto text = text_of_file(task.generation_file);
  for (size_t start = 0; start < text.size();) {
    auto end = std::min(text.find('\n', start), text.size());
    auto line = text.substr(start, end - start);
    if (auto equals = line.find('='); equals != std::string::npos)
      set[line.substr(0, equals)] = line.substr(equals + 1);
    start = end + 1;
  }
  auto read = read_environment([&](const char* name) -> const char* {
    auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  });
  if (!read)
    return read.error();
  if (read->generation <= task.generation)
    return std::optional<task_environment>{};
  auto later = task;
  later.generation = read->generation;
  later.rank = read->rank;
  later.world_size = read->world_size;
  later.members = std::move(read->members);
  later.secret = std::move(read->secret);
  return std::optional{std::move(later)};
}

result<std::unique_ptr<collective::group>> join_gang(const task_environment& task) {
  if (task.world_size == 1)
    return std::unique_ptr<collective::group>{};
  collective::group_options options;
  options.rank = task.rank;
  options.size = task.world_size;
  options.generation = task.attempt << 32 | task.generation;
  options.secret = task.secret;
  options.deadline = task.deadline;
  if (!task.generation_file.empty())
    options.called_off = [&task] {
      auto later = later_generation(task);
      return later && *later;
    };
  // Two clusters of one host may both have a job 1: their members' ports differ.
  std::string members;
  for (const auto& member : task.members)
    members += member + ",";
  std::string name = "troupe_";
  name += std::to_string(node_named(members + task.job).value);
  name += "_";
  name += std::to_string(task.attempt) + "." + std::to_string(task.generation);
  if (task.one_host())
    return collective::join_shm(options, name);
  if (!task.listen_fd)
    return {errc::invalid,
            "TROUPE_LISTEN_FD is missing: ranks on several hosts need their listening socket."};
  auto listener = fcntl(*task.listen_fd, F_DUPFD_CLOEXEC, 0);
  if (listener < 0)
    return {errc::invalid, std::string("TROUPE_LISTEN_FD is no open socket (") + strerror(errno)
                             + "): leave it open."};
  return collective::join_hierarchical(options, name, listener, task.members);
}

} // namespace troupe::training
