#include "actors/cluster/archive_reader.hpp"

#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

namespace troupe {
namespace {

archive_reader::behavior_type behavior_of(const job_archive& history,
                                          const lineage_projection& lineage, const clock& time) {
  return {[&](const get_job_msg& x) { return reply_of(history.job(x.job)); },
          [&](const watch_job_msg& x) { return reply_of(history.events_after(x.job, x.after)); },
          [&](const list_jobs_msg& x) { return reply_of(history.jobs(x)); },
          [&](const get_history_msg& x) { return reply_of(history.attempts(x.job)); },
          [&](const get_usage_msg& x) { return reply_of(history.usage(x, time.wall_ns())); },
          [&](const get_lineage_msg& x) { return reply_of(lineage.show(x.job)); },
          [&](const find_expired& x) -> caf::result<expired_jobs> {
            auto found = history.expired(x.keep, time.wall_ns(), x.limit);
            if (!found)
              return fail(found.error());
            return expired_jobs{std::move(*found)};
          }};
}

} // namespace

archive_reader spawn_archive_reader(caf::actor_system& system, const job_archive& history,
                                    const lineage_projection& lineage, const clock& time,
                                    reader_work where) {
  auto body = [&](archive_reader::pointer) { return behavior_of(history, lineage, time); };
  return where == reader_work::on_own_thread ? system.spawn<caf::detached>(body)
                                             : system.spawn(body);
}

} // namespace troupe
