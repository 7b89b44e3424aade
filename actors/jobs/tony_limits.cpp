#include "actors/jobs/tony_limits.hpp"

#include "actors/jobs/quantities.hpp"

#include <algorithm>

namespace troupe {
namespace {

const std::string prefix = "tony.task.max-total-";

constexpr uint64_t default_memory = 2u << 30; // of a task for which the file sets none, as in TonY
constexpr int64_t counted_max = 1'000'000'000;
constexpr int64_t seconds_max = std::chrono::seconds{longest_time}.count();

// What one task of a type counts. Null: Troupe does not count this resource.
using amount = uint64_t (*)(const task_type_msg&);

amount amount_of(const std::string& resource) {
  if (resource == "instances")
    return [](auto&) -> uint64_t { return 1; };
  if (resource == "gpus")
    return [](auto& x) -> uint64_t { return x.accelerators; };
  if (resource == "vcores")
    return [](auto& x) -> uint64_t { return x.cpus; };
  if (resource == "memory")
    return [](auto& x) -> uint64_t { return x.memory > 0 ? x.memory : default_memory; };
  return nullptr;
}

bool is_above(const job_spec_msg& job, amount each, uint64_t most) {
  uint64_t sum = 0;
  for (auto& x : job.tasks)
    if (sum <= most) // so that it does not overflow
      sum += x->instances * each(*x);
  return sum > most;
}

} // namespace

void check_tony_limits(const job_spec_msg& job, tony_values& values) {
  for (auto& x : values.entries()) {
    if (!x.key.starts_with(prefix))
      continue;
    auto resource = x.key.substr(prefix.size());
    auto* value = values.text(x.key);
    if (!value || *value == "-1")
      continue;
    auto* each = amount_of(resource);
    if (!each)
      return values.fail(x.key, x.key.substr(0, 128)
                                  + " is about a resource that Troupe does not count: limit "
                                    "instances, memory, vcores or gpus");
    auto most = resource == "memory"
                  ? values.size(x.key)
                  : std::optional<uint64_t>{values.number(x.key, 0, counted_max)};
    if (most && is_above(job, each, *most))
      values.fail(x.key, "the job asks for more " + resource + " in all than the " + *value + " of "
                           + x.key + ": ask for fewer, or raise the limit");
  }
}

void read_registration_limit(job_spec_msg& job, tony_values& values) {
  auto gang = values.milliseconds("tony.container.registration.timeout");
  auto own = values.number("tony.task.executor.registry-timeout-sec", 0, seconds_max);
  if (!gang && !own)
    return;
  auto limit = static_cast<uint64_t>(duration{longest_time}.count());
  if (gang && *gang > 0)
    limit = std::min(limit, *gang);
  if (own && *own > 0)
    limit = std::min(limit, static_cast<uint64_t>(*own) * 1'000'000'000);
  job.register_timeout_ns = limit;
}

} // namespace troupe
