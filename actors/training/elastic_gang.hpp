// The gang of this task through its generations: when a member is lost, or another one comes, the
// members of the next generation meet anew.
//
//   elastic_gang gang(task, time);
//   join() -> use group() -> an operation fails, or is_behind() -> regroup() -> use group() ...
//
// What a member holds of the work after regroup() may be a step behind or ahead of others, or
// nothing at all where it is new: the caller brings them together (trainer::synchronise).
// Threads: one at a time.
#pragma once

#include "actors/training/task_environment.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/owned_fd.hpp"

#include <functional>

namespace troupe::training {

struct elastic_options {
  duration patience = std::chrono::seconds(60); // for the next generation, in regroup()
  std::function<bool()> ended;                  // asked now and then: whether to stop waiting
};

class elastic_gang {
public:
  // `time` outlives the gang.
  elastic_gang(task_environment task, const clock& time, elastic_options options = {});

  // Meets the members of the newest generation. Errors: those of joining a group; where generations
  // change, those of regroup().
  result<void> join();

  // Leaves the group, says that it waits, until a later generation is announced, and meets that; a
  // generation that loses a member meanwhile is passed over. The caller should end at an error.
  // Errors: aborted, where generations never change or it has ended; invalid, where what is
  // announced or the task's environment is wrong, which no later generation mends; deadline, when
  // patience is over: the gang will be started again.
  result<void> regroup();

  // Whether a later generation is announced. Cheap enough for each step.
  bool is_behind();

  bool may_change() const { return !task_.generation_file.empty(); }
  const task_environment& task() const { return task_; }
  collective::group* group() const { return group_.get(); } // null: a rank of its own

private:
  result<bool> take_later();
  result<void> meet();
  bool passes_over(const error& failure) const;
  void wait(time_point until);

  task_environment task_;
  const clock& time_;
  elastic_options options_;
  owned_fd news_; // of the directory of the generation file
  std::unique_ptr<collective::group> group_;
};

} // namespace troupe::training
