#include "actors/jobs/framework_environment.hpp"

#include "actors/jobs/mpi_launch.hpp"

#include <algorithm>
#include <string_view>

namespace troupe {

bool is_chief(const cluster_spec_msg& spec, const std::string& type, uint32_t index) {
  auto named = std::any_of(spec.members.begin(), spec.members.end(),
                           [](auto& x) { return x->type == "chief"; });
  return index == 0 && type == (named ? "chief" : "worker");
}

namespace {

constexpr std::string_view ui_type = "tensorboard";
constexpr std::string_view horovod_driver = "driver";

using members = std::vector<const cluster_member_msg*>;

std::string address_of(const cluster_member_msg& x) {
  return x.host + ":" + std::to_string(x.port);
}

std::string in_quotes(const std::string& x) { // names and addresses: nothing to escape
  return std::string{'"'}.append(x).append(1, '"');
}

bool is_own(const cluster_spec_msg& spec, const cluster_member_msg& x) {
  return x.type == spec.task->type && x.index == spec.task->index;
}

bool is_chief(const cluster_spec_msg& spec) {
  return is_chief(spec, spec.task->type, spec.task->index);
}

// The first member of a type, if there is one.
const cluster_member_msg* first_of(const cluster_spec_msg& spec, std::string_view type) {
  auto found = std::find_if(spec.members.begin(), spec.members.end(),
                            [&](auto& x) { return x->type == type; });
  return found == spec.members.end() ? nullptr : found->get();
}

template <class Predicate>
std::string count(const members& of, Predicate matches) {
  return std::to_string(std::count_if(of.begin(), of.end(), [&](auto* x) { return matches(*x); }));
}

// {"type":["host:port",...],...} in the order of the job, without the types that are `hidden`.
std::string cluster_json(const cluster_spec_msg& spec, const std::set<std::string_view>& hidden) {
  std::string out{'{'};
  std::string_view open; // the type whose list is open
  for (auto& x : spec.members) {
    if (hidden.contains(x->type))
      continue;
    if (x->type == open)
      out.append(",");
    else
      out.append(open.empty() ? "" : "],").append(in_quotes(x->type)).append(":[");
    open = x->type;
    out.append(in_quotes(address_of(*x)));
  }
  return out.append(open.empty() ? "}" : "]}");
}

void add_generic(const cluster_spec_msg& spec, environment_variables& out) {
  auto& task = *spec.task;
  auto restarts = std::to_string(std::max(task.attempt, 1u) - 1);
  out["JOB_NAME"] = task.type;
  out["TASK_INDEX"] = std::to_string(task.index);
  out["TASK_NUM"] = std::to_string(spec.tasks_tracked);
  out["JOB_ID"] = out["APPID"] = std::to_string(task.job);
  out["ATTEMPT_NUMBER"] = out["SESSION_ID"] = restarts;
  out["DISTRIBUTED_MODE"] = std::string{spec.each_when_ready ? "FCFS" : "GANG"};
  if (is_chief(spec))
    out["IS_CHIEF"] = std::string{"true"};
  if (task.type == ui_type)
    for (auto& x : spec.members)
      if (is_own(spec, *x))
        out["TB_PORT"] = std::to_string(x->port);
}

void add_tensorflow(const cluster_spec_msg& spec, environment_variables& out) {
  if (spec.each_when_ready)
    return;
  auto& task = *spec.task;
  std::set<std::string_view> hidden{ui_type};
  if (task.type != "evaluator")
    hidden.insert("evaluator");
  out["CLUSTER_SPEC"] = cluster_json(spec, {});
  std::string config{R"({"cluster":)"};
  config.append(cluster_json(spec, hidden)).append(R"(,"task":{"type":)");
  config.append(in_quotes(task.type)).append(R"(,"index":)").append(std::to_string(task.index));
  out["TF_CONFIG"] = config.append("}}");
}

// The members that train; their places are the ranks.
members ranks_of(const cluster_spec_msg& spec) {
  members out;
  for (auto& x : spec.members)
    if (x->role == task_role::tracked)
      out.push_back(x.get());
  std::stable_partition(out.begin(), out.end(), [](auto* x) { return x->type == "worker"; });
  return out;
}

// What every task of the gang is told alike.
void add_rendezvous(const cluster_spec_msg& spec, const members& ranks,
                    environment_variables& out) {
  auto size = std::to_string(ranks.size());
  auto attempts = std::max(spec.attempts_max, 1u);
  out["INIT_METHOD"] = std::string{"tcp://"}.append(address_of(*ranks[0]));
  out["MASTER_ADDR"] = ranks[0]->host;
  out["MASTER_PORT"] = std::to_string(ranks[0]->port);
  out["WORLD"] = out["WORLD_SIZE"] = size;
  out["TORCHELASTIC_RUN_ID"] = std::to_string(spec.task->job);
  out["TORCHELASTIC_RESTART_COUNT"] = std::to_string(std::max(spec.task->attempt, 1u) - 1);
  out["TORCHELASTIC_MAX_RESTARTS"] = std::to_string(attempts - 1);
  out["TORCHELASTIC_USE_AGENT_STORE"] = std::string{"False"}; // rank 0 has the store
  out["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = std::string{"1"};
  out["PYTHONUNBUFFERED"] = std::string{"1"}; // torchrun: python -u
}

void add_pytorch(const cluster_spec_msg& spec, environment_variables& out) {
  auto ranks = ranks_of(spec);
  if (ranks.empty())
    return;
  add_rendezvous(spec, ranks, out);
  auto found = std::find_if(ranks.begin(), ranks.end(), [&](auto* x) { return is_own(spec, *x); });
  if (found == ranks.end())
    return;
  auto& own = **found;
  members before{ranks.begin(), found};
  std::vector<std::string_view> hosts; // in the order of their first rank
  for (auto* x : ranks)
    if (std::find(hosts.begin(), hosts.end(), x->host) == hosts.end())
      hosts.push_back(x->host);
  auto here = [&](auto& x) { return x.host == own.host; };
  auto alike = [&](auto& x) { return x.type == own.type; };
  out["RANK"] = std::to_string(before.size());
  out["LOCAL_RANK"] = count(before, here);
  out["LOCAL_WORLD_SIZE"] = count(ranks, here);
  out["GROUP_RANK"]
    = std::to_string(std::find(hosts.begin(), hosts.end(), own.host) - hosts.begin());
  out["GROUP_WORLD_SIZE"] = std::to_string(hosts.size());
  out["ROLE_NAME"] = own.type;
  out["ROLE_RANK"] = count(before, alike);
  out["ROLE_WORLD_SIZE"] = count(ranks, alike);
}

// The ranks host by host, as Horovod plans its slots.
members slots_of(const cluster_spec_msg& spec) {
  members out;
  auto ranks = ranks_of(spec);
  for (auto* first : ranks)
    for (auto* x : ranks)
      if (x->host == first->host && std::find(out.begin(), out.end(), x) == out.end())
        out.push_back(x);
  return out;
}

// Where a rank stands on its host, and its host among those that have such a rank.
struct slot {
  size_t rank = 0, local_rank = 0, local_size = 0, cross_rank = 0, cross_size = 0;
};

slot slot_of(const members& slots, size_t rank) {
  slot out;
  out.rank = rank;
  std::map<std::string_view, size_t> sizes;
  std::vector<std::string_view> hosts; // in the order of their ranks
  for (size_t i = 0; i < slots.size(); ++i) {
    if (sizes[slots[i]->host]++ == 0)
      hosts.push_back(slots[i]->host);
    if (i == rank)
      out.local_rank = sizes[slots[i]->host] - 1;
  }
  out.local_size = sizes[slots[rank]->host];
  for (auto host : hosts) {
    if (sizes[host] <= out.local_rank)
      continue;
    if (host == slots[rank]->host)
      out.cross_rank = out.cross_size;
    ++out.cross_size;
  }
  return out;
}

// "host:slots,host:slots" in the order of the ranks.
std::string worker_list(const members& slots) {
  std::string out;
  for (size_t i = 0; i < slots.size();) {
    auto size = slot_of(slots, i).local_size;
    out.append(out.empty() ? "" : ",")
      .append(slots[i]->host)
      .append(":")
      .append(std::to_string(size));
    i += size;
  }
  return out;
}

void add_horovod(const cluster_spec_msg& spec, environment_variables& out) {
  auto slots = slots_of(spec);
  if (slots.empty())
    return;
  auto* driver = first_of(spec, horovod_driver);
  auto& meeting = driver ? *driver : *slots[0];
  out["HOROVOD_GLOO_RENDEZVOUS_ADDR"] = meeting.host;
  out["HOROVOD_GLOO_RENDEZVOUS_PORT"] = std::to_string(meeting.port);
  if (driver && is_own(spec, *driver))
    out["CLUSTER_WORKER_LIST"] = worker_list(slots);
  auto found = std::find_if(slots.begin(), slots.end(), [&](auto* x) { return is_own(spec, *x); });
  if (found == slots.end())
    return;
  auto own = slot_of(slots, static_cast<size_t>(found - slots.begin()));
  out["HOROVOD_CONTROLLER"] = out["HOROVOD_CPU_OPERATIONS"] = std::string{"gloo"};
  out["HOROVOD_GLOO_TIMEOUT_SECONDS"] = std::string{"2000"};
  out["HOROVOD_HOSTNAME"] = (*found)->host;
  out["HOROVOD_RANK"] = std::to_string(own.rank);
  out["HOROVOD_SIZE"] = std::to_string(slots.size());
  out["HOROVOD_LOCAL_RANK"] = std::to_string(own.local_rank);
  out["HOROVOD_LOCAL_SIZE"] = std::to_string(own.local_size);
  out["HOROVOD_CROSS_RANK"] = std::to_string(own.cross_rank);
  out["HOROVOD_CROSS_SIZE"] = std::to_string(own.cross_size);
}

void add_mxnet(const cluster_spec_msg& spec, environment_variables& out) {
  static const std::set<std::string_view> roles{"scheduler", "server", "worker"};
  auto* scheduler = first_of(spec, "scheduler");
  if (!scheduler || !roles.contains(spec.task->type))
    return;
  members all;
  for (auto& x : spec.members)
    all.push_back(x.get());
  out["DMLC_ROLE"] = spec.task->type;
  out["DMLC_PS_ROOT_URI"] = scheduler->host;
  out["DMLC_PS_ROOT_PORT"] = std::to_string(scheduler->port);
  out["DMLC_LOCAL"] = std::string{"0"};
  out["DMLC_NUM_SERVER"] = count(all, [](auto& x) { return x.type == "server"; });
  out["DMLC_NUM_WORKER"] = count(all, [](auto& x) { return x.type == "worker"; });
}

} // namespace

environment_variables framework_environment(framework kind, const cluster_spec_msg& spec) {
  environment_variables out;
  if (kind == framework::troupe)
    return out;
  add_generic(spec, out);
  if (kind == framework::tensorflow)
    add_tensorflow(spec, out);
  if (kind == framework::pytorch)
    add_pytorch(spec, out);
  if (kind == framework::mxnet)
    add_mxnet(spec, out);
  if (kind == framework::horovod)
    add_horovod(spec, out);
  if (kind == framework::mpi)
    out.merge(mpi_environment(spec));
  return out;
}

std::optional<rendezvous_scopes> rendezvous_of(framework kind, const cluster_spec_msg& spec) {
  if (kind != framework::horovod || first_of(spec, horovod_driver))
    return {};
  auto slots = slots_of(spec);
  if (slots.empty() || !is_own(spec, *slots[0]))
    return {};
  rendezvous_scopes out{{"global", slots.size()}};
  for (size_t i = 0; i < slots.size(); ++i) {
    auto slot = slot_of(slots, i);
    out["local_" + slots[i]->host] = slot.local_size;
    out["cross_" + std::to_string(slot.local_rank)] = slot.cross_size;
  }
  return out;
}

bool wants_ui_port(framework kind, const cluster_spec_msg& spec) {
  return kind != framework::troupe && is_chief(spec) && !first_of(spec, ui_type);
}

bool tells_tasks_apart(const std::string& variable) {
  static const std::set<std::string_view> names{"ATTEMPT_NUMBER",
                                                "DMLC_NUM_SERVER",
                                                "DMLC_NUM_WORKER",
                                                "DMLC_ROLE",
                                                "GROUP_RANK",
                                                "GROUP_WORLD_SIZE",
                                                "HOROVOD_CROSS_RANK",
                                                "HOROVOD_CROSS_SIZE",
                                                "HOROVOD_HOSTNAME",
                                                "HOROVOD_LOCAL_RANK",
                                                "HOROVOD_LOCAL_SIZE",
                                                "HOROVOD_RANK",
                                                "HOROVOD_SIZE",
                                                "IS_CHIEF",
                                                "JOB_NAME",
                                                "LOCAL_RANK",
                                                "LOCAL_WORLD_SIZE",
                                                "RANK",
                                                "ROLE_NAME",
                                                "ROLE_RANK",
                                                "ROLE_WORLD_SIZE",
                                                "SESSION_ID",
                                                "TASK_INDEX",
                                                "TASK_NUM",
                                                "TORCHELASTIC_RESTART_COUNT",
                                                "WORLD",
                                                "WORLD_SIZE"};
  return names.contains(variable);
}

void add_framework_environment(framework kind, const cluster_spec_msg& spec,
                               const std::set<std::string>& set_by_job,
                               environment_variables& out) {
  for (auto& [name, value] : framework_environment(kind, spec))
    if (tells_tasks_apart(name) || !set_by_job.contains(name))
      out[name] = value;
}

} // namespace troupe
