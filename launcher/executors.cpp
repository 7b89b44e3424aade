#include "launcher/executors.hpp"

#include "actors/jobs/task_user.hpp"
#include "launcher/fork_server.hpp"
#include "launcher/task_journal.hpp"
#include "runtime/base/file_text.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

class executors final : public executor_launcher {
public:
  executors(executors_options options, work_directories& work)
    : options_(std::move(options)), server_(options_.program), journal_(options_.journal),
      work_(work) {}

  result<int> start(const start_task_msg& order) override {
    std::error_code failed;
    fs::create_directories(order.output_directory, failed);
    if (failed)
      return {errc::io, "cannot make the output directory of the task: " + failed.message()};
    auto checkpoints = checkpoints_of(order);
    if (auto made = make_checkpoints(order, checkpoints); !made)
      return made.error();
    auto directory = directory_of(order);
    if (!directory)
      return directory.error();
    if (!order.image.empty())
      for (auto& each : {*directory, order.output_directory, checkpoints, work_.packages()})
        if (each.find(':') != std::string::npos)
          return {errc::invalid, std::string{"'"}.append(each)
                                   + "' has a ':', which no mount of an image can have; name the "
                                     "directory otherwise"};
    std::vector<std::string> environment{"TROUPE_CHECKPOINTS=" + checkpoints};
    for (auto& each : order.env)
      environment.push_back(each->name + "=" + each->value);
    std::vector<std::string> written{order.output_directory};
    if (order.checkpoints.empty())
      written.push_back(checkpoints);
    if (!order.resources.empty())
      written.push_back(*directory);
    if (auto given = give_to_user(written); !given)
      return given.error();
    if (auto programs = work_.programs(order); !programs.empty())
      environment.push_back("PATH=" + programs + path_of(order));
    auto process = server_.start(command_of(order, *directory), environment);
    if (!process)
      return process;
    children_.insert(*process);
    if (auto kept = journal_.started(order, *process); !kept) {
      ::kill(*process, SIGKILL); // a later life of this agent could not find it
      return kept.error();
    }
    return process;
  }

  void end(int process, bool by_force) override {
    if (process > 0 && is_ours(process))
      ::kill(process, by_force ? SIGKILL : SIGTERM);
  }

  std::vector<ended_executor> collect() override {
    std::vector<ended_executor> ended;
    for (auto& [process, status] : server_.ended())
      if (children_.erase(process) > 0)
        ended.push_back(
          {process, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)});
    if (server_.lost())
      adopted_.merge(children_);
    for (auto i = adopted_.begin(); i != adopted_.end();) {
      if (is_ours(*i)) {
        ++i;
        continue;
      }
      ended.push_back({*i, 1}); // its own report said more, if it could
      i = adopted_.erase(i);
    }
    return ended;
  }

  std::vector<std::pair<start_task_msg, int>> left_running() override {
    std::vector<std::pair<start_task_msg, int>> found;
    std::vector<task_id_msg> tasks;
    for (auto&& [order, process] : journal_.tasks()) {
      if (process == task_journal::none_yet)
        continue;
      if (!is_ours(process)) {
        journal_.forgotten(*order.task);
        continue;
      }
      adopted_.insert(process);
      tasks.push_back(*order.task);
      found.emplace_back(std::move(order), process);
    }
    work_.keep_only(tasks);
    return found;
  }

  void remember(const start_task_msg& order) override {
    // If it cannot be written: a later life knows nothing of the task, and the master places it
    // anew.
    [[maybe_unused]] auto kept = journal_.started(order, task_journal::none_yet);
  }

  std::vector<start_task_msg> left_waiting() override {
    std::vector<start_task_msg> found;
    for (auto&& [order, process] : journal_.tasks())
      if (process == task_journal::none_yet)
        found.push_back(std::move(order));
    return found;
  }

  void forget(const task_id_msg& task) override {
    journal_.forgotten(task);
    work_.remove(task);
  }

private:
  // Beside the attempts of the job, so that the next one finds them, or where the job says.
  static std::string checkpoints_of(const start_task_msg& order) {
    if (!order.checkpoints.empty())
      return order.checkpoints;
    return (fs::path{order.output_directory}.parent_path() / "checkpoints").string();
  }

  // One that the job names is not made for another user: that user might not be allowed to.
  result<void> make_checkpoints(const start_task_msg& order, const std::string& path) const {
    std::error_code failed;
    if (order.checkpoints.empty() || options_.task_user.empty())
      fs::create_directories(path, failed);
    if (failed)
      return {errc::io, "cannot make the directory of checkpoints '" + path + "' on node "
                          + options_.node + ": " + failed.message()
                          + "; name one that the node may write to"};
    return {};
  }

  // The tasks of another user write there.
  result<void> give_to_user(const std::vector<std::string>& directories) const {
    if (options_.task_user.empty())
      return {};
    auto user = find_task_user(options_.task_user);
    if (!user)
      return user.error();
    for (auto& each : directories)
      if (::chown(each.c_str(), user->id, user->group) != 0)
        return {errc::io, "cannot give " + each + " to user '" + options_.task_user
                            + "': " + std::strerror(errno) + "; run the node as root"};
    return {};
  }

  // Where the command runs.
  result<std::string> directory_of(const start_task_msg& order) {
    if (!order.resources.empty())
      return work_.make(order);
    return order.directory.empty() ? order.output_directory : order.directory;
  }

  // The PATH that the task would have without resources.
  static std::string path_of(const start_task_msg& order) {
    for (auto& each : order.env)
      if (each->name == "PATH")
        return each->value;
    auto* ours = std::getenv("PATH");
    return ours ? ours : "/usr/local/bin:/usr/bin:/bin";
  }

  // What the task has of its own is at the same paths there.
  void add_image(const start_task_msg& order, const std::string& directory,
                 std::vector<std::string>& to) const {
    auto named_by_job = order.resources.empty() && !order.directory.empty();
    to.insert(to.end(),
              {"--image", order.image, named_by_job ? "--mount" : "--own-mount", directory,
               "--own-mount", fs::path{order.output_directory}.parent_path().string()});
    if (!order.checkpoints.empty())
      to.insert(to.end(), {"--mount", order.checkpoints});
    if (!order.resources.empty())
      to.insert(to.end(), {"--own-mount", work_.packages() + ":" + work_.packages() + ":ro"});
    for (auto& each : order.mounts)
      to.insert(to.end(), {"--mount", each});
  }

  std::vector<std::string> command_of(const start_task_msg& order,
                                      const std::string& directory) const {
    auto& task = *order.task;
    std::vector<std::string> words{options_.program,
                                   "--agent",
                                   options_.agent_endpoint,
                                   "--agent-name",
                                   options_.node,
                                   "--job",
                                   std::to_string(task.job),
                                   "--attempt",
                                   std::to_string(task.attempt),
                                   "--type",
                                   task.type,
                                   "--index",
                                   std::to_string(task.index),
                                   "--directory",
                                   directory,
                                   "--output",
                                   order.output_directory,
                                   "--log",
                                   order.output_directory + "/" + task.type + "-"
                                     + std::to_string(task.index) + ".log",
                                   "--host",
                                   options_.address,
                                   "--cpus",
                                   std::to_string(order.cpus)};
    auto add_time = [&](const char* option, uint64_t ns) {
      if (ns != 0)
        words.insert(words.end(), {option, std::to_string((ns + 999'999) / 1'000'000)});
    };
    add_time("--timeout-ms", order.timeout_ns);
    add_time("--grace-ms", order.grace_ns);
    if (order.framework != framework::troupe)
      words.insert(words.end(), {"--framework", EnumNameframework(order.framework)});
    if (order.memory != 0)
      words.insert(words.end(), {"--memory", std::to_string(order.memory)});
    if (order.log_bytes != 0)
      words.insert(words.end(), {"--log-bytes", std::to_string(order.log_bytes)});
    if (order.trace_files)
      words.insert(words.end(), {"--trace-files", "1"});
    for (auto& each : options_.accelerators)
      words.insert(words.end(), {"--accelerator", each.name + "=" + each.device});
    for (auto each : order.accelerator_ids)
      words.insert(words.end(), {"--own-accelerator", std::to_string(each)});
    if (!options_.task_user.empty())
      words.insert(words.end(), {"--user", options_.task_user});
    if (!order.image.empty())
      add_image(order, directory, words);
    words.push_back("--");
    words.insert(words.end(), order.command.begin(), order.command.end());
    return words;
  }

  // A number may belong to another program by now: ours names our endpoint.
  bool is_ours(int process) const {
    return process > 0
           && command_line_of(process).find(options_.agent_endpoint) != std::string::npos;
  }

  const executors_options options_;
  fork_client server_;
  task_journal journal_;
  work_directories& work_;
  std::set<int> children_;
  std::set<int> adopted_; // of an earlier life, or of a fork server that was lost
};

} // namespace

std::unique_ptr<executor_launcher> make_executors(executors_options options,
                                                  work_directories& work) {
  return std::make_unique<executors>(std::move(options), work);
}

} // namespace troupe::launcher
