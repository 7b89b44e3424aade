#include "actors/jobs/task_executor.hpp"

#include "actors/jobs/framework_environment.hpp"
#include "actors/jobs/framework_port.hpp"
#include "actors/jobs/generation_file.hpp"
#include "actors/jobs/mpi_launch.hpp"
#include "actors/jobs/task_files.hpp"
#include "actors/jobs/task_shell.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "runtime/local_transport.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>

namespace troupe {

namespace {

constexpr int exit_not_started = 127;
constexpr auto hash_limit_stopped = std::chrono::seconds(2);

// One directory for all attempts, beside that of each.
std::string checkpoints_beside(const std::string& output_directory) {
  return (std::filesystem::path{output_directory}.parent_path() / "checkpoints").string();
}

// One that was declared, and is not seen on the machine, is called by its number.
std::string name_of(const task_executor_options& options, uint32_t accelerator) {
  return accelerator < options.accelerators.size() ? options.accelerators[accelerator].name
                                                   : std::to_string(accelerator);
}

// What is the task's own is measured; what it may not see, it may not open.
void give_accelerators(const task_executor_options& options, const cluster_spec_msg& spec,
                       task_command& to) {
  for (auto each : options.own_accelerators)
    to.accelerators.push_back(name_of(options, each));
  for (uint32_t i = 0; i < options.accelerators.size(); ++i)
    if (auto& device = options.accelerators[i].device;
        !device.empty()
        && std::find(spec.accelerators.begin(), spec.accelerators.end(), i)
             == spec.accelerators.end())
      to.denied_devices.push_back(device);
}

// The environment of the command: what the cluster says, and defaults for what the user may set.
void complete_environment(const task_executor_options& options, const cluster_spec_msg& spec,
                          environment_variables& out) {
  out["TROUPE_JOB"] = std::to_string(options.job);
  out["TROUPE_ATTEMPT"] = std::to_string(options.attempt);
  out["TROUPE_TASK_TYPE"] = options.type;
  out["TROUPE_TASK_INDEX"] = std::to_string(options.index);
  out["TROUPE_RANK"] = std::to_string(spec.rank);
  out["TROUPE_WORLD_SIZE"] = std::to_string(spec.world_size);
  out["TROUPE_MEMBERS"] = members_of(spec);
  if (spec.regroups)
    out["TROUPE_GENERATION_FILE"] = generation_file(options.task.log_file);
  if (spec.generation != 0) {
    out["TROUPE_GENERATION"] = std::to_string(spec.generation);
    out["TROUPE_SECRET"] = hex(spec.secret);
  }
  out["TROUPE_OUTPUT"] = options.output_directory;
  out["TROUPE_LOG_LEVEL_FILE"] = log_level_file(options.task.log_file);
  out.emplace("TROUPE_CHECKPOINTS", checkpoints_beside(options.output_directory));
  out.emplace("OMP_WAIT_POLICY", "passive");
  out.emplace("OMP_NUM_THREADS", std::to_string(std::max(options.cpus_declared, 1u)));
  std::string accelerators;
  for (auto each : spec.accelerators)
    accelerators.append(accelerators.empty() ? "" : ",").append(name_of(options, each));
  out["TROUPE_ACCELERATORS"] = accelerators;
  if (spec.accelerators_assigned && !options.set_by_job.contains("CUDA_VISIBLE_DEVICES")) {
    out["CUDA_VISIBLE_DEVICES"] = accelerators;
    out.emplace("CUDA_DEVICE_ORDER", "PCI_BUS_ID"); // so do the numbers count
  }
  add_framework_environment(options.framework, spec, options.set_by_job, out);
}

// The command listens at the socket that it inherits, or binds the port that is held for it.
void hand_over(const task_port& port, framework kind, const cluster_spec_msg& spec,
               task_command& out) {
  if (kind != framework::troupe && !waits_for_mpi(kind, spec))
    return;
  out.environment["TROUPE_LISTEN_FD"] = std::to_string(port.socket.get());
  out.inherited.push_back(port.socket.get());
}

// The port of a task's UI: its own one where the framework has named it TB_PORT already, else one
// more that is held in the same way, for a command that may show a UI. None if it cannot be had.
task_port add_ui_port(const task_executor_options& options, const cluster_spec_msg& spec,
                      uint16_t own, environment_variables& out) {
  auto named = out.contains("TB_PORT") || options.set_by_job.contains("TB_PORT");
  auto by_framework = !named && wants_ui_port(options.framework, spec);
  task_port port;
  if (named && !options.set_by_job.contains("TB_PORT")) {
    port.number = own;
  } else if (spec.ui || by_framework) {
    auto held = open_task_port(framework::standalone, options.host);
    if (!held) {
      log::warning("no port for a UI", {{"reason", held.error().text}});
      return {};
    }
    port = std::move(*held);
  } else {
    return {};
  }
  auto number = std::to_string(port.number);
  if (by_framework)
    out["TB_PORT"] = number;
  out["TROUPE_UI_HOST"] = options.host;
  out["TROUPE_UI_PORT"] = number;
  return port;
}

// What the actor orders the thread in run() to do.
class orders {
public:
  void start(cluster_spec_msg spec) {
    std::lock_guard hold{mutex_};
    spec_ = std::move(spec);
    changed_.notify_all();
  }
  void finish(int code) {
    std::lock_guard hold{mutex_};
    code_ = code;
    changed_.notify_all();
  }

  // Empty when the task is over before it began.
  std::optional<cluster_spec_msg> wait_for_start() {
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return spec_ || code_; });
    return std::exchange(spec_, std::nullopt);
  }
  int wait_for_finish() {
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return code_.has_value(); });
    return *code_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<cluster_spec_msg> spec_;
  std::optional<int> code_;
};

task_exit exit_of(const result<task_exit>& ran) {
  if (ran)
    return *ran;
  auto code = ran.error().code;
  auto stopped = code == errc::aborted;
  auto of_job = code == errc::not_found || code == errc::invalid; // what it names is not there
  return {stopped ? exit_of_stopped : exit_not_started, stopped, ran.error().text, false,
          !stopped && !of_job};
}

bridge_options options_of(const task_executor_options& from, const clock& time) {
  bridge_options out;
  out.name = "executor/" + std::to_string(from.job) + "." + std::to_string(from.attempt) + "."
             + from.type + "." + std::to_string(from.index);
  out.life = incarnation{static_cast<uint64_t>(time.wall_ns())};
  return out;
}

} // namespace

struct task_executor::session {
  session(task_executor_options options_, const clock& time_, const task_guard& guard)
    : options(std::move(options_)), time(time_), process(time_, guard),
      system(with_threads(config, 1)), carrier(make_local_transport()),
      link(system, options_of(options, time_),
           {[this](const peer& who) { tell(who, true); },
            [this](const peer& who, const error&) { tell(who, false); }}) {}

  ~session() { link.stop(); } // it may tell until then

  void tell(const peer& who, bool up) {
    if (who.name == options.agent_node)
      caf::anon_send(actor(), link_changed{up});
  }

  caf::actor actor() const {
    std::lock_guard hold{mutex};
    return shell_handle;
  }

  surroundings around(uint16_t port) {
    return {options,
            [this](duration deadline) {
              return link.proxy<agent_executor_api>(node_named(options.agent_node),
                                                    "agent/executors", {deadline});
            },
            [this](cluster_spec_msg spec) { runner.start(std::move(spec)); },
            [this](const cluster_spec_msg& spec) { return tell_generation(spec); },
            [this](duration grace) { process.stop(grace); },
            [this](task_request what, log_level level) { request(what, level); },
            [this] { return process.metrics(); },
            [this] { return process.awaited(); },
            [this](int code) { runner.finish(code); },
            ::getpid(),
            port,
            [this] { return ui_port.load(); }};
  }

  // Whether the command can learn of it.
  bool tell_generation(const cluster_spec_msg& spec) const {
    log::info("the gang has a new generation", {{"generation", std::to_string(spec.generation)},
                                                {"tasks", std::to_string(spec.world_size)}});
    auto written
      = write_generation(generation_file(options.task.log_file), spec, options.task.user);
    if (!written)
      log::warning("no file for the generation", {{"reason", written.error().text}});
    return static_cast<bool>(written);
  }

  // The level is that of this process too.
  void request(task_request what, log_level level) {
    if (what == task_request::log_level)
      log::set_level(static_cast<log::level>(std::min(level, log_level::MAX)));
    log::info("the task is asked", {{"for", EnumNametask_request(what)}});
    process.request(what, level);
  }

  // Where the ranks meet, at this task's port, until this process ends.
  void serve_rendezvous(const cluster_spec_msg& spec, task_port& port) {
    auto scopes = rendezvous_of(options.framework, spec);
    if (!scopes)
      return;
    auto served = rendezvous_server::start(std::move(port.socket), std::move(*scopes));
    if (served)
      rendezvous = std::move(*served);
    else
      log::warning("no rendezvous", {{"reason", served.error().text}});
  }

  result<task_exit> run_command(const cluster_spec_msg& spec, task_port& port) {
    auto task = options.task;
    task.cpus_declared = options.cpus_declared;
    task.metrics_file = std::filesystem::path{task.log_file}.replace_extension(".metrics").string();
    auto program = std::filesystem::read_symlink("/proc/self/exe");
    if (!task.image.name.empty()) {
      task.enters_image = program;
      for (auto* of_node : {"PATH", "HOME"})
        if (!options.set_by_job.contains(of_node))
          task.environment.erase(of_node);
    }
    complete_environment(options, spec, task.environment);
    give_accelerators(options, spec, task);
    if (options.framework == framework::mpi)
      TROUPE_TRY(
        prepare_mpi(spec, options.output_directory, program.parent_path() / "troupe-rsh", task));
    hand_over(port, options.framework, spec, task);
    auto ui = add_ui_port(options, spec, port.number, task.environment);
    ui_port = ui.number;
    serve_rendezvous(spec, port);
    files = std::make_unique<task_files>(places_of(task, spec));
    return process.run(task, [&](pid_t id) { caf::anon_send(actor(), command_started{id}); });
  }

  task_places places_of(const task_command& task, const cluster_spec_msg& spec) const {
    task_places out{options.output_directory, task.directory, task.log_file,
                    task.metrics_file,        {options.type}, task.user};
    for (auto& each : spec.members)
      out.types.insert(each->type);
    return out;
  }

  // What the command used, when it has ended.
  std::shared_ptr<const task_file_uses> used_files() {
    auto ended = time.now();
    auto enough = [&] {
      auto now = time.now();
      auto kill = process.killed_at();
      return now - ended >= (kill ? hash_limit_stopped : options.hash_limit)
             || (kill && now + hash_limit_stopped >= *kill);
    };
    return std::make_shared<const task_file_uses>(files->look(process.take_paths(), enough));
  }

  task_executor_options options;
  const clock& time;
  std::unique_ptr<rendezvous_server> rendezvous;
  std::unique_ptr<task_files> files;
  std::atomic<uint16_t> ui_port = 0;
  task_process process;
  orders runner;
  caf::actor_system_config config;
  caf::actor_system system;
  std::unique_ptr<transport> carrier;
  bridge link;
  mutable std::mutex mutex; // guards what follows
  caf::actor shell_handle;
  bool stop_asked = false;
};

task_executor::task_executor(task_executor_options options, const clock& time,
                             const task_guard& guard)
  : session_(std::make_unique<session>(std::move(options), time, guard)) {}

task_executor::~task_executor() = default;

void task_executor::stop() {
  std::lock_guard hold{session_->mutex};
  session_->stop_asked = true;
  if (session_->shell_handle)
    caf::anon_send(session_->shell_handle, stop_wanted{});
}

result<int> task_executor::run() {
  auto& s = *session_;
  auto port = open_task_port(s.options.framework, s.options.host);
  if (!port)
    return port.error();
  std::error_code made;
  std::filesystem::create_directories(s.options.output_directory, made);
  if (made)
    return {errc::io, "the output directory '" + s.options.output_directory
                        + "' cannot be made: " + made.message() + "; check the node's directory"};
  auto around = std::make_shared<surroundings>(s.around(port->number));
  {
    std::lock_guard hold{s.mutex};
    s.shell_handle = spawn_task_shell(s.system, std::move(around));
    if (s.stop_asked)
      caf::anon_send(s.shell_handle, stop_wanted{});
  }
  TROUPE_TRY(s.link.attach(*s.carrier));
  s.link.keep_connected(*s.carrier, s.options.agent_endpoint);
  if (auto spec = s.runner.wait_for_start()) {
    auto ran = s.run_command(*spec, *port);
    port->socket.close();
    caf::anon_send(s.actor(), command_gone{});
    auto files = ran ? s.used_files() : nullptr;
    caf::anon_send(s.actor(), command_ended{exit_of(ran), std::move(files)});
  }
  return s.runner.wait_for_finish();
}

} // namespace troupe
