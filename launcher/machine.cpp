#include "launcher/machine.hpp"

#include "launcher/times.hpp"
#include "runtime/bridge.hpp"

#include <arpa/inet.h>
#include <hwloc.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

namespace troupe::launcher {

node_capacity machine_capacity() {
  node_capacity found;
  found.cpus = 1;
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0)
    return found;
  if (hwloc_topology_load(topology) == 0) {
    auto cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    found.cpus = cores > 0 ? static_cast<uint32_t>(cores) : 1;
    if (auto* machine = hwloc_get_root_obj(topology))
      found.memory = machine->total_memory;
  }
  hwloc_topology_destroy(topology);
  return found;
}

bool can_enter_images() {
  auto has_podman = [](const char* folder) {
    return ::access((std::string{folder} + "/podman").c_str(), X_OK) == 0;
  };
  return ::geteuid() == 0 && (has_podman("/usr/bin") || has_podman("/usr/local/bin"));
}

std::vector<std::string> words_of(const node_capacity& told) {
  std::vector<std::string> words;
  auto add = [&](const char* option, uint64_t value) {
    if (value != 0)
      words.insert(words.end(), {option, std::to_string(value)});
  };
  add("--cpus", told.cpus);
  add("--memory", told.memory);
  if (told.accelerators)
    words.insert(words.end(), {"--accelerators", std::to_string(*told.accelerators)});
  if (told.package_cache)
    words.insert(words.end(), {"--package-cache", std::to_string(*told.package_cache)});
  if (!told.task_user.empty())
    words.insert(words.end(), {"--task-user", told.task_user});
  for (auto& label : told.labels)
    words.insert(words.end(), {"--label", label});
  return words;
}

void add_heartbeat(std::vector<std::string>& command, const std::string& told) {
  if (!told.empty())
    command.insert(command.end(), {"--heartbeat", told});
}

result<duration> heartbeat_of(const std::string& told) {
  using namespace std::chrono_literals;
  if (told.empty())
    return bridge_options{}.heartbeat;
  auto time = time_of("--heartbeat", told);
  if (!time)
    return time.error();
  if (*time < 250ms || *time > 30s)
    return {errc::invalid, "--heartbeat " + told + " is out of range: give 250 ms to 30 s"};
  return *time;
}

namespace {

std::optional<sockaddr_in> resolve(const std::string& host, const std::string& port) {
  addrinfo want{};
  want.ai_family = AF_INET;
  want.ai_socktype = SOCK_DGRAM; // connecting one sends nothing, and chooses the route
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &want, &found) != 0)
    return std::nullopt;
  sockaddr_in out{};
  std::memcpy(&out, found->ai_addr, sizeof out);
  ::freeaddrinfo(found);
  return out;
}

std::string text_of(const sockaddr_in& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return text.data();
}

} // namespace

result<std::string> address_of(const std::string& host) {
  auto found = resolve(host, "0");
  if (!found)
    return {errc::invalid,
            "'" + host + "' stands for no IPv4 address; give one of this machine with --address"};
  return text_of(*found);
}

result<std::string> address_towards(const std::string& endpoint) {
  auto colon = endpoint.rfind(':');
  auto found = colon == std::string::npos
                 ? std::nullopt
                 : resolve(endpoint.substr(0, colon), endpoint.substr(colon + 1));
  if (!found)
    return {errc::invalid, "'" + endpoint + "' is no address of a master; write HOST:PORT"};
  auto fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in mine{};
  socklen_t size = sizeof(mine);
  auto routed = ::connect(fd, reinterpret_cast<sockaddr*>(&*found), sizeof(*found)) == 0
                && ::getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &size) == 0;
  ::close(fd);
  if (!routed)
    return {errc::unavailable, "there is no way from this machine to " + endpoint
                                 + "; check the network, or give --address"};
  return text_of(mine);
}

} // namespace troupe::launcher
