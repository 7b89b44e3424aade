// The tasks that an agent has started and whose executors may still run: what the next life of the
// agent adopts. One file that only grows, and is written anew when most of it is of the past: a
// file for each task would cost more than the rest of a start.
//
//   u32 size of the order | i32 process | the start order (start_task)      the task runs there
//   u32 size of the order | i32 -1      | the start order                   it waits for packages
//   u32 size of the order | i32 0       | an order that has its task only   it is forgotten
//
// It outlives a death of the agent, not one of the machine, which no executor outlives either. A
// record that is cut short or damaged ends what is read. Threads: one.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::launcher {

class task_journal {
public:
  // Reads what is there.
  explicit task_journal(std::string path);

  // The process of a task that waits for its packages.
  static constexpr int none_yet = -1;

  // Started and not forgotten: the orders and their processes.
  std::vector<std::pair<start_task_msg, int>> tasks() const;

  // errc::io: a later life of the agent could not find the executor.
  result<void> started(const start_task_msg& order, int process);

  void forgotten(const task_id_msg& task);

private:
  void keep(const task_id_msg& task, int process, std::string_view record);
  result<void> write(const std::string& record);
  result<void> write_anew();

  const std::string path_;
  std::map<std::string, std::string> live_; // their records, by task
  owned_fd file_;                           // not open: it is written anew first
  size_t past_ = 0;                         // bytes since it was
};

} // namespace troupe::launcher
