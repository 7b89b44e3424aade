#include "launcher/slurm.hpp"

#include "launcher/machine.hpp"
#include "launcher/run_command.hpp"
#include "runtime/keys.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr auto end_limit = std::chrono::seconds(90); // Slurm gives the nodes KillWait, 30 s
constexpr int blind_exit = 71;                       // a machine does not see DIR

// Runs on each machine of the allocation, with $dir, $program, $host (of the master) and the
// capacity that was told, if any. A file system that is shared may lag behind by seconds.
constexpr auto node_script = R"sh(
name=slurm-$SLURM_PROCID
fail() { echo "troupe: $(hostname): $1" >&2; exit 71; }
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ -r "$dir/keys/$name.secret" ] && [ -r "$dir/endpoint" ] && break
  sleep 1
done
[ -r "$dir/keys/$name.secret" ] && [ -r "$dir/endpoint" ] ||
  fail "$dir cannot be read here; give a --dir that all machines of the allocation see"
[ -x "$program" ] || fail "$program cannot be run here; install troupe where all machines see it"
join=$(sed 's,^tcp://,,' "$dir/endpoint")
case $join in
  127.*) [ "$(hostname)" = "$host" ] ||
    fail "the master listens at $join, which only $host reaches; give --address" ;;
esac
mb=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * SLURM_CPUS_ON_NODE))}
: "${cpus:=$SLURM_CPUS_ON_NODE}"
: "${accelerators:=${SLURM_GPUS_ON_NODE:-0}}"
[ -n "$memory" ] || [ "$mb" = 0 ] || memory=${mb}MiB
own=$(mktemp -d "${TMPDIR:-/tmp}/troupe-XXXXXX") ||
  fail "no directory can be made in ${TMPDIR:-/tmp}; set TMPDIR to one that can be written"
trap : TERM INT
trap 'rm -rf "$own"' EXIT
ln -s "$dir/keys" "$dir/logs" "$own/"
eval "set -- $more"
"$program" --dir "$own" node --name "$name" --join "$join" --cpus "$cpus" \
  ${memory:+--memory "$memory"} --accelerators "$accelerators" "$@"
)sh";

// Runs on the first machine. Slurm could not open an output below a DIR that is not there, and
// nobody would learn why.
constexpr auto batch_script = R"sh(
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ -d "$dir/logs" ] && break
  sleep 1
done
[ -d "$dir/logs" ] || exit 71
exec >>"$dir/logs/slurm.out" 2>&1 </dev/null
export dir program host cpus memory accelerators more
exec srun --mpi=none --no-kill --kill-on-bad-exit=0 --wait=0 sh -c "$node"
)sh";

std::string this_host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string script_of(const shared_options& shared, const up_options& options) {
  auto& told = options.capacity;
  std::string text{"#!/bin/sh\n"};
  auto set = [&](const char* name, const std::string& value) {
    text.append(name).append("=").append(shell_quote(value)).append("\n");
  };
  auto number = [](uint64_t value) { return value == 0 ? "" : std::to_string(value); };
  set("dir", shared.directory);
  set("program", shared.program);
  set("host", this_host());
  set("cpus", number(told.cpus));
  set("memory", number(told.memory));
  set("accelerators", number(told.accelerators.value_or(0)));
  auto others = told;
  others.cpus = 0;
  others.memory = 0;
  others.accelerators.reset();
  auto more = words_of(others);
  add_heartbeat(more, options.heartbeat);
  set("more", shell_quote(more));
  set("node", node_script);
  return text + batch_script;
}

// What is told to the nodes is asked of Slurm too.
std::vector<std::string> sbatch_command(const up_options& options) {
  auto count = std::to_string(options.nodes);
  // The signal comes up to a minute sooner, says Slurm: the nodes have one or two to leave in
  // order.
  std::vector<std::string> words{"sbatch",           "--parsable",         "--job-name=troupe",
                                 "--nodes=" + count, "--ntasks=" + count,  "--ntasks-per-node=1",
                                 "--requeue",        "--no-kill",          "--signal=TERM@60",
                                 "--chdir=/",        "--output=/dev/null", "--open-mode=append"};
  auto add = [&](const char* option, const std::string& value) {
    words.push_back(std::string{option}.append("=").append(value));
  };
  constexpr uint64_t mib = 1 << 20;
  auto& told = options.capacity;
  if (told.cpus != 0)
    add("--cpus-per-task", std::to_string(told.cpus));
  if (told.memory != 0)
    add("--mem", std::to_string((told.memory + mib - 1) / mib) + "M");
  if (told.accelerators.value_or(0) != 0)
    add("--gpus-per-node", std::to_string(*told.accelerators));
  if (!options.slurm.time.empty())
    add("--time", options.slurm.time);
  if (!options.slurm.partition.empty())
    add("--partition", options.slurm.partition);
  words.insert(words.end(), options.slurm.more.begin(), options.slurm.more.end());
  return words;
}

// Runs a command of Slurm; what it complains of is the error.
result<std::string> ask_slurm(const std::vector<std::string>& words,
                              const std::string& input = {}) {
  auto done = run_command(words, input);
  if (!done && done.error().code == errc::not_found)
    return {errc::unavailable, done.error().text
                                 + ": this machine belongs to no Slurm cluster; go to one that "
                                   "does, or leave --slurm out"};
  if (!done)
    return done.error();
  if (done->code != 0)
    return {errc::unavailable, "Slurm refused: " + one_line(done->err)};
  return done->out;
}

// "Key=value" of `scontrol show job --oneliner`; values with blanks are of no interest here.
std::string field(const std::string& text, const std::string& key) {
  std::istringstream words{text};
  for (std::string word; words >> word;)
    if (word.starts_with(key + "="))
      return word.substr(key.size() + 1);
  return {};
}

bool is_end(const std::string& state) {
  static const std::array ends{"COMPLETED", "CANCELLED", "FAILED",   "TIMEOUT",       "NODE_FAIL",
                               "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", ""};
  return std::find(ends.begin(), ends.end(), state) != ends.end();
}

std::string job_file(const std::string& directory) {
  return directory + "/slurm.job";
}

// The last complaint of a machine of the allocation; empty if there is none.
std::string last_complaint(const std::string& directory) {
  std::ifstream in{directory + "/logs/slurm.out"};
  std::string last;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("troupe: "))
      last = line.substr(line.find(' ') + 1);
  return last;
}

} // namespace

result<std::string> address_in_slurm() {
  auto shown = ask_slurm({"scontrol", "show", "config"});
  if (!shown)
    return shown.error();
  // "SlurmctldHost[0] = name(address)", the address where it differs from the name
  auto value = [&](const std::string& key) {
    auto at = shown->find("\n" + key);
    auto from = at == std::string::npos ? at : shown->find("= ", at);
    return from == std::string::npos ? std::string{}
                                     : shown->substr(from + 2, shown->find('\n', from) - from - 2);
  };
  auto host = value("SlurmctldHost[0]");
  if (auto address = host.find('('); address != std::string::npos)
    host = host.substr(address + 1, host.find(')') - address - 1);
  auto port = value("SlurmctldPort");
  return address_towards(host + ":" + port.substr(0, port.find('-')));
}

result<void> submit_allocation(const shared_options& shared, const up_options& options) {
  for (uint32_t i = 0; i < options.nodes; ++i) {
    auto made = make_keys(shared.directory, slurm_node_prefix + std::to_string(i));
    if (!made && made.error().code != errc::already_exists)
      return made.error();
  }
  std::error_code ignored;
  fs::remove(shared.directory + "/logs/slurm.out", ignored); // of an earlier allocation
  auto job = ask_slurm(sbatch_command(options), script_of(shared, options));
  if (!job)
    return job.error();
  std::ofstream out{job_file(shared.directory)};
  out << job->substr(0, job->find_first_of(";\n")) << '\n'; // "number;cluster"
  return out.flush() ? result<void>{}
                     : result<void>{errc::io, "cannot write " + job_file(shared.directory)};
}

result<allocation> find_allocation(const std::string& directory) {
  allocation found;
  std::getline(std::ifstream{job_file(directory)}, found.job);
  if (found.job.empty())
    return found;
  auto shown = ask_slurm({"scontrol", "show", "job", "--oneliner", found.job});
  if (!shown && shown.error().text.find("Invalid job id") != std::string::npos) {
    found.state = "forgotten by Slurm"; // a while after its end
    return found;
  }
  if (!shown)
    return shown.error();
  auto state = field(*shown, "JobState");
  auto code = field(*shown, "ExitCode");
  auto reason = field(*shown, "Reason");
  found.ended = is_end(state);
  found.state = state;
  if (found.ended && code != "0:0")
    found.state += " (exit code " + code + ")";
  else if (!found.ended && reason != "None")
    found.state += " (" + reason + ")";
  return found;
}

error end_of_allocation(const std::string& directory, const allocation& ended) {
  std::string text{"allocation "};
  text.append(ended.job).append(" has ended: ").append(ended.state);
  auto complaint = last_complaint(directory);
  if (complaint.empty()
      && ended.state.find("code " + std::to_string(blind_exit)) != std::string::npos)
    complaint = directory
                + " cannot be read on its first machine; give a --dir that all machines of the "
                  "allocation see";
  if (!complaint.empty())
    text.append(": ").append(complaint);
  return {errc::unavailable, text};
}

result<bool> cancel_allocation(const std::string& directory) {
  auto found = find_allocation(directory);
  if (!found)
    return found.error();
  if (found->job.empty())
    return false;
  if (!found->ended)
    if (auto cancelled = ask_slurm({"scancel", found->job}); !cancelled)
      return cancelled.error();
  auto started = std::chrono::steady_clock::now();
  while (!found->ended) {
    if (std::chrono::steady_clock::now() - started > end_limit)
      return {errc::deadline, "allocation " + found->job + " does not end, it is " + found->state
                                + "; see: squeue --job " + found->job};
    ::poll(nullptr, 0, 100);
    found = find_allocation(directory);
    if (!found)
      return found.error();
  }
  std::error_code ignored;
  fs::remove(job_file(directory), ignored);
  return true;
}

} // namespace troupe::launcher
