#include "actors/jobs/mpi_launch.hpp"

#include "actors/jobs/framework_environment.hpp"
#include "runtime/base/file_text.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

namespace troupe {
namespace {

// The chief first: whoever waits looks at it.
std::vector<const cluster_member_msg*> hosts_of(const cluster_spec_msg& spec) {
  std::vector<const cluster_member_msg*> out;
  for (auto& x : spec.members)
    if (x->role == task_role::tracked)
      out.push_back(x.get());
  std::stable_partition(out.begin(), out.end(),
                        [&](auto* x) { return is_chief(spec, x->type, x->index); });
  return out;
}

std::string name_of(const cluster_member_msg& x) {
  return x.type + "-" + std::to_string(x.index);
}

} // namespace

std::map<std::string, std::string> mpi_environment(const cluster_spec_msg& spec) {
  std::map<std::string, std::string> out;
  std::string peers;
  std::set<std::string> machines;
  auto hosts = hosts_of(spec);
  for (auto* x : hosts) {
    peers.append(peers.empty() ? "" : ",").append(name_of(*x)).append("=");
    peers.append(x->host).append(":").append(std::to_string(x->port));
    machines.insert(x->host);
  }
  out["TROUPE_MPI_PEERS"] = peers;
  out["OMPI_MCA_orte_leave_session_attached"] = std::string{"1"}; // no daemon leaves its task
  if (machines.size() == hosts.size())
    return out;
  // Daemons of one machine take each other's cores, segments and stores for their own.
  out["OMPI_MCA_btl"] = std::string{"^vader"};
  out["OMPI_MCA_hwloc_base_binding_policy"] = std::string{"none"};
  out["PMIX_MCA_gds"] = std::string{"hash"};
  return out;
}

bool waits_for_mpi(framework kind, const cluster_spec_msg& spec) {
  if (kind != framework::mpi)
    return false;
  auto hosts = hosts_of(spec);
  return std::any_of(hosts.begin(), hosts.end(), [&](auto* x) {
    return x != hosts.front() && x->type == spec.task->type && x->index == spec.task->index;
  });
}

std::string mpi_hostfile(const cluster_spec_msg& spec, uint32_t cpus) {
  std::string out;
  auto hosts = hosts_of(spec);
  for (auto* x : hosts) {
    auto slots = x->type == hosts.front()->type ? std::max(cpus, 1u) : 1u;
    out.append(name_of(*x)).append(" slots=").append(std::to_string(slots)).append("\n");
  }
  return out;
}

result<void> prepare_mpi(const cluster_spec_msg& spec, const std::string& directory,
                         const std::string& remote_shell, task_command& out) {
  if (waits_for_mpi(framework::mpi, spec)) {
    out.command = {remote_shell, "--wait"};
    return {};
  }
  auto path = directory + "/hostfile-" + spec.task->type + "-" + std::to_string(spec.task->index);
  if (!write_regular_file(path, mpi_hostfile(spec, out.cpus_declared), 0644))
    return {errc::io, "the hostfile " + path + " cannot be written; check the node's directory"};
  auto& in = out.environment;
  in.emplace("TROUPE_HOSTFILE", path);
  in.emplace("OMPI_MCA_orte_default_hostfile", path);
  in.emplace("OMPI_MCA_plm_rsh_agent", remote_shell);
  if (out.user.empty() && ::geteuid() == 0) { // as the node decided
    in.emplace("OMPI_ALLOW_RUN_AS_ROOT", "1");
    in.emplace("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
  }
  return {};
}

} // namespace troupe
