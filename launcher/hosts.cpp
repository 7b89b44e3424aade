#include "launcher/hosts.hpp"

#include "launcher/bundle.hpp"
#include "launcher/machine.hpp"
#include "launcher/run_command.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/keys.hpp"
#include "storage/hash.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr size_t at_one_time = 16; // ssh processes

// Each script begins with $own, the node's directory, and $base, which holds all of them.
constexpr auto stop_script = R"sh(
if read -r pid 2>/dev/null <"$own/pid" &&
   tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$own"; then
  kill "$pid"
  tries=0
  while [ -d "/proc/$pid" ] && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
  kill -9 "$pid" 2>/dev/null
fi
)sh";

constexpr auto remove_script = R"sh(
bundle=$(readlink "$own/bundle")
rm -rf "$own"
used=
for each in "$base"/*/bundle; do [ "$(readlink "$each")" != "$bundle" ] || used=1; done
[ -n "$used" ] || [ -z "$bundle" ] || rm -rf "$base/${bundle#../}"
rmdir "$base" 2>/dev/null
exit 0
)sh";

// Reads the archive. Two at once make two copies, of which one stays.
constexpr auto ship_script = R"sh(
mkdir -p "$base" && new=$(mktemp -d "$base/new-XXXXXX") || exit 1
tar -xzf - -C "$new" && chmod 755 "$new" || exit 1
mv -T "$new" "$base/$bundle" 2>/dev/null || rm -rf "$new"
[ -d "$base/$bundle" ]
)sh";

constexpr auto start_script = R"sh(
umask 077
mkdir -p "$own/keys/authorized" "$own/logs" || exit 1
printf %s "$secret" >"$own/keys/$name.secret" || exit 1
printf %s "$master" >"$own/keys/authorized/master.public" || exit 1
ln -sfn "../$bundle" "$own/bundle" || exit 1
program=$(readlink -f "$own/bundle")/bin/troupe-server
"$program" --help >/dev/null || exit 1
eval "set -- $options"
setsid "$program" --dir "$own" node --name "$name" --join "$join" "$@" \
  </dev/null >"$own/logs/out" 2>&1 &
echo $! >"$own/pid"
)sh";

// Of one cluster on one machine: two of the same DIR on two machines do not meet on a third.
std::string cluster_id(const std::string& directory) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return storage::sha256(std::string{host.data()} + ":" + directory).substr(0, 8);
}

std::string assign(const std::string& name, const std::string& value) {
  return name + "=" + shell_quote(value) + "\n";
}

std::string name_of(const bundle& what) {
  return "bundle-" + what.hash;
}

std::string places(const std::string& directory, const host_entry& host) {
  return "base=${XDG_CACHE_HOME:-$HOME/.cache}/troupe\nown=$base/" + cluster_id(directory) + "-"
         + host.name + "\n";
}

// Runs a script on the host; `input` is what it reads.
result<std::string> on_host(const host_entry& host, const std::string& script,
                            const std::string& input = {}) {
  std::vector<std::string> words{"ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"};
  words.push_back(host.target);
  words.push_back("sh -c " + shell_quote(script));
  auto done = run_command(words, input, std::chrono::minutes(10));
  if (!done && done.error().code == errc::not_found)
    return {errc::unavailable, "ssh is not in the PATH; install openssh-client"};
  if (!done)
    return done.error();
  constexpr int ssh_failed = 255;
  if (done->code == ssh_failed)
    return {errc::unavailable,
            "host " + host.target + " cannot be reached by ssh: " + one_line(done->err)};
  if (done->code != 0)
    return {errc::unavailable,
            "host " + host.target + " cannot run a node: " + one_line(done->err)};
  return done->out;
}

result<void> ship(const shared_options& shared, const host_entry& host, const bundle& what) {
  auto begin = places(shared.directory, host) + assign("bundle", name_of(what));
  auto there = on_host(host, begin + "[ ! -d \"$base/$bundle\" ] || echo yes");
  if (!there)
    return there.error();
  if (!there->empty())
    return {};
  auto shipped = on_host(host, begin + ship_script, what.archive);
  return shipped ? result<void>{} : shipped.error();
}

using host_action = std::function<result<void>(const host_entry&)>;

// Does it on all hosts, some at a time; what failed where.
failed_hosts on_each(const std::vector<host_entry>& hosts, const host_action& action) {
  failed_hosts failed;
  for (size_t from = 0; from < hosts.size(); from += at_one_time) {
    std::vector<std::future<result<void>>> running;
    auto to = std::min(from + at_one_time, hosts.size());
    for (auto i = from; i < to; ++i)
      running.push_back(std::async(std::launch::async, [&, i] { return action(hosts[i]); }));
    for (auto i = from; i < to; ++i)
      if (auto done = running[i - from].get(); !done)
        failed.emplace_back(hosts[i], done.error());
  }
  return failed;
}

std::string list_file(const std::string& directory) {
  return directory + "/hosts";
}

result<void> write_list(const std::string& directory, const std::vector<host_entry>& hosts) {
  std::ofstream out{list_file(directory)};
  for (auto& each : hosts)
    out << each.target << " name=" << each.name << '\n';
  return out.flush() ? result<void>{}
                     : result<void>{errc::io, "cannot write " + list_file(directory)};
}

// Those that were started before stay listed.
result<void> add_to_list(const std::string& directory, std::vector<host_entry> hosts) {
  if (has_hosts(directory)) {
    auto before = read_hosts(list_file(directory));
    if (!before)
      return before.error();
    for (auto& each : *before)
      if (std::none_of(hosts.begin(), hosts.end(), [&](auto& x) { return x.name == each.name; }))
        hosts.push_back(each);
  }
  return write_list(directory, hosts);
}

std::vector<std::string> options_of(const host_entry& host, const std::string& heartbeat) {
  auto words = words_of(host.capacity);
  add_heartbeat(words, heartbeat);
  if (!host.address.empty())
    words.insert(words.end(), {"--address", host.address});
  return words;
}

// All of it is the input of a shell: the secret is no word of a command.
result<void> start_node_on(const shared_options& shared, const host_entry& host,
                           const std::string& bundle_name, const std::string& join,
                           const std::string& heartbeat) {
  auto keys = shared.directory + "/keys/";
  auto script = places(shared.directory, host) + assign("name", host.name)
                + assign("secret", text_of_file(keys + host.name + ".secret"))
                + assign("master", text_of_file(keys + "authorized/master.public"))
                + assign("bundle", bundle_name) + assign("join", join)
                + assign("options", shell_quote(options_of(host, heartbeat))) + stop_script
                + start_script;
  auto done = on_host(host, "exec sh -s", script);
  return done ? result<void>{} : done.error();
}

} // namespace

result<std::vector<host_entry>> read_hosts(const std::string& file) {
  std::ifstream in{file};
  if (!in || fs::is_directory(file))
    return {errc::invalid, "the hosts file '" + file + "' cannot be read; check its path"};
  auto hosts = parse_hosts(std::string{std::istreambuf_iterator<char>{in}, {}});
  if (!hosts)
    return {hosts.error().code, file + ", " + hosts.error().text};
  return hosts;
}

// The name that ssh knows may be its own, of its configuration: it says what stands behind it.
result<std::string> address_for(const std::vector<host_entry>& hosts) {
  auto& target = hosts.front().target;
  auto shown = run_command({"ssh", "-G", target});
  if (!shown)
    return shown.error();
  std::istringstream lines{shown->out};
  std::string host = target.substr(target.rfind('@') + 1);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("hostname "))
      host = line.substr(line.find(' ') + 1);
  return address_towards(host + ":22");
}

result<void> all_or_first(const failed_hosts& failed) {
  return failed.empty() ? result<void>{} : failed.front().second;
}

failed_hosts unfit_hosts(const std::vector<host_entry>& hosts) {
  utsname here{};
  ::uname(&here);
  return on_each(hosts, [&](const host_entry& host) -> result<void> {
    auto machine = on_host(host, "for each in tar gzip setsid; do command -v $each >/dev/null || "
                                 "{ echo $each is missing >&2; exit 1; }; done; uname -m");
    if (!machine)
      return machine.error();
    if (one_line(*machine) != here.machine)
      return {errc::unavailable, "host " + host.target + " is of another kind, "
                                   + one_line(*machine) + ", and cannot run this build for "
                                   + here.machine};
    return {};
  });
}

result<void> start_hosts(const shared_options& shared, const std::vector<host_entry>& hosts,
                         const std::string& heartbeat) {
  auto made = make_bundle(shared.program);
  if (!made)
    return made.error();
  for (auto& each : hosts)
    if (auto key = make_keys(shared.directory, each.name);
        !key && key.error().code != errc::already_exists)
      return key.error();
  TROUPE_TRY(add_to_list(shared.directory, hosts));
  auto join = endpoint_of(shared.directory);
  return all_or_first(on_each(hosts, [&](const host_entry& host) -> result<void> {
    TROUPE_TRY(ship(shared, host, *made));
    return start_node_on(shared, host, name_of(*made), join, heartbeat);
  }));
}

std::string endpoint_of(const std::string& directory) {
  auto endpoint = one_line(text_of_file(directory + "/endpoint"));
  auto scheme = endpoint.find("//");
  return scheme == std::string::npos ? endpoint : endpoint.substr(scheme + 2);
}

bool has_hosts(const std::string& directory) {
  return fs::exists(list_file(directory));
}

std::string last_words(const std::string& directory, const host_entry& host) {
  auto words = on_host(host, places(directory, host)
                               + "tail -q -n 1 \"$own/logs/out\" \"$own/logs/\"*.log 2>/dev/null");
  return words ? one_line(*words) : words.error().text;
}

result<bool> end_hosts(const std::string& directory) {
  if (!has_hosts(directory))
    return false;
  auto hosts = read_hosts(list_file(directory));
  if (!hosts)
    return hosts.error();
  auto failed = on_each(*hosts, [&](const host_entry& host) -> result<void> {
    auto done = on_host(host, places(directory, host) + stop_script + remove_script);
    return done ? result<void>{} : done.error();
  });
  if (failed.empty()) {
    std::error_code ignored;
    fs::remove(list_file(directory), ignored);
    return true;
  }
  std::vector<host_entry> left;
  for (auto& each : failed)
    left.push_back(each.first);
  TROUPE_TRY(write_list(directory, left));
  auto first = failed.front().second;
  return error{first.code,
               first.text + "; when it is back, end its node with: troupe down --dir " + directory};
}

} // namespace troupe::launcher
