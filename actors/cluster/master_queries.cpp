// What the master answers without changing anything.
#include "actors/cluster/admission.hpp"
#include "actors/cluster/master_core.hpp"

#include <algorithm>

namespace troupe {

error no_job(uint64_t id) {
  return {errc::not_found,
          "there is no job " + std::to_string(id) + "; list them with: troupe jobs"};
}

const gang* master_core::find(uint64_t job) const {
  auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : found->second.get();
}

namespace {

// A gang that waits, as a whole.
struct gang_demand {
  std::vector<const task_type_msg*> types;
  resources in_all;
};

gang_demand demand_of_ready(const gang& job) {
  gang_demand out;
  for (auto kind : job.ready_types()) {
    auto& type = *out.types.emplace_back(job.spec().tasks[kind].get());
    for (uint32_t i = 0; i < type.instances; ++i)
      out.in_all += demand_of(type);
  }
  return out;
}

// Whether these nodes, empty, have as much as it needs, and for each of its tasks one that holds
// it.
bool suffice(const std::vector<const known_node*>& nodes, const gang_demand& gang) {
  resources all;
  for (auto* node : nodes)
    all += node->capacity();
  return all.holds(gang.in_all) && std::ranges::all_of(gang.types, [&](auto* type) {
           return std::ranges::any_of(nodes, [&](auto* node) {
             return node->capacity().holds(demand_of(*type))
                    && has_all(node->durable.labels, labels_of(*type));
           });
         });
}

// `a (a disk is replaced), b and 2 more`
std::string names_of(const std::vector<const known_node*>& nodes) {
  constexpr size_t shown_max = 3;
  std::string out;
  for (size_t i = 0; i < std::min(nodes.size(), shown_max); ++i) {
    auto& x = nodes[i]->durable;
    out.append(i == 0 ? "" : ", ").append(x.name);
    if (!x.reason.empty())
      out.append(" (").append(x.reason).append(")");
  }
  if (nodes.size() > shown_max)
    out.append(" and ").append(std::to_string(nodes.size() - shown_max)).append(" more");
  return out;
}

} // namespace

// The job whose turn comes first keeps its place in front of this one; 0: none does.
uint64_t master_core::job_before(const gang& job) const {
  auto* front = find(front_);
  if (!front || !front->waits() || !front->kept_back().empty())
    return 0;
  return key_of(*front) < key_of(job) ? front_ : 0;
}

// What a gang that waits needs, beside what there is.
std::string master_core::waits_for(const gang& job) const {
  if (auto back = job.kept_back(); !back.empty())
    return back;
  auto wanted = demand_of_ready(job);
  resources all;
  resources free;
  std::vector<const known_node*> usable;
  std::vector<const known_node*> drained;
  for (auto& [name, node] : nodes_.nodes()) {
    if (node.durable.alive && node.present && node.drains && !node.leaving)
      drained.push_back(&node);
    if (!node.usable())
      continue;
    usable.push_back(&node);
    all += node.capacity();
    free += node.free();
  }
  auto needs = "its gang needs " + text_of(wanted.in_all) + " at once; ";
  auto enough = suffice(usable, wanted);
  if (!enough && !drained.empty()) {
    usable.insert(usable.end(), drained.begin(), drained.end());
    if (suffice(usable, wanted))
      return needs + "the cluster has " + text_of(all) + " without the nodes that drain: "
             + names_of(drained) + "; wait, or take them back with: troupe resume NODE";
  }
  if (!all.holds(wanted.in_all))
    return needs + "the cluster has " + text_of(all) + " in all: add nodes or ask for less";
  if (!enough)
    return needs + "no node that is there can hold each of its tasks: add one or ask for less";
  needs += text_of(free) + " are free";
  if (auto before = job_before(job))
    return needs + ", but job " + std::to_string(before)
           + " comes first and waits for room too: jobs are placed in order";
  return needs + ", and no other job is in front of it";
}

job_status_msg master_core::status_of(const gang& job) const {
  auto status = job.status();
  if (job.waits() && (status.reason.empty() || !job.kept_back().empty()))
    status.reason = waits_for(job);
  return status;
}

result<job_status_msg> master_core::job(uint64_t id) const {
  if (auto* found = find(id))
    return status_of(*found);
  return no_job(id);
}

job_list_msg master_core::jobs() const {
  job_list_msg out;
  for (auto& [id, job] : jobs_)
    out.jobs.push_back(std::make_unique<job_status_msg>(status_of(*job)));
  return out;
}

result<job_events_msg> master_core::events_after(uint64_t id, uint64_t sequence) const {
  if (auto* found = find(id)) {
    job_events_msg news;
    news.events = found->events_after(sequence);
    news.status = std::make_unique<job_status_msg>(status_of(*found));
    return news;
  }
  return no_job(id);
}

std::set<std::string> master_core::packages() const {
  std::set<std::string> out;
  for (auto& [id, job] : jobs_)
    for (auto& type : job->spec().tasks)
      for (auto& each : type->resources)
        out.insert(each->hash);
  return out;
}

void add_held_by(const gang& job, std::map<std::string, resources>& to) {
  for (auto& x : job.tasks())
    if (!x.ended)
      to[x.node] += demand_of(job.type_of(x));
}

std::string master_core::unsound() const {
  std::map<std::string, resources> held;
  std::map<std::pair<std::string, uint64_t>, uint32_t> tasks;
  size_t waiting = 0;
  for (auto id : active_) {
    auto& job = *find(id);
    add_held_by(job, held);
    for (auto& x : job.tasks())
      if (!x.ended)
        ++tasks[{x.node, id}];
    auto in_line = waiting_.contains({true, priority_class::low, id})
                   || waiting_.contains({false, job.spec().priority, id});
    waiting += in_line ? 1 : 0;
    if (in_line != job.waits())
      return "job " + std::to_string(id) + (in_line ? " waits in no state to" : " is in no queue");
    if (!job.quiet() && !watched_.contains(id))
      return "job " + std::to_string(id) + " is not watched";
  }
  if (waiting != waiting_.size())
    return "a job is in the queue that has ended";
  for (auto& [name, node] : nodes_.nodes()) {
    if (node.held != held[name])
      return "node " + name + " is said to hold " + text_of(node.held) + ", not "
             + text_of(held[name]);
    for (auto& [id, count] : node.tasks)
      if (count != tasks[{name, id}])
        return "node " + name + " counts tasks of job " + std::to_string(id) + " wrongly";
    if ((node.expires || node.drains || node.durable.draining) && !timed_.contains(name))
      return "node " + name + " is not watched";
  }
  for (auto& [where, count] : tasks)
    if (auto* node = nodes_.find(where.first); node && !node->tasks.contains(where.second))
      return "node " + where.first + " forgot job " + std::to_string(where.second);
  return {};
}

cluster_status_msg master_core::status(const get_cluster_msg& x) const {
  cluster_status_msg out;
  out.name = options_.name;
  out.epoch = epoch_;
  out.jobs_active = static_cast<uint32_t>(active_.size());
  auto& nodes = nodes_.nodes();
  for (auto each = nodes.upper_bound(x.after); each != nodes.end(); ++each) {
    if (x.limit != 0 && out.nodes.size() == x.limit) {
      out.more = true;
      break;
    }
    auto& [name, node] = *each;
    auto free = node.free();
    auto status = std::make_unique<node_status_msg>();
    status->name = name;
    status->cpus = node.durable.cpus;
    status->cpus_free = static_cast<uint32_t>(free.cpus);
    status->memory = node.durable.memory;
    status->memory_free = free.memory;
    status->accelerators = node.durable.accelerators;
    status->accelerators_free = static_cast<uint32_t>(free.accelerators);
    status->alive = node.durable.alive && node.present;
    status->draining = node.drains;
    status->reason = node.durable.reason;
    status->labels = node.durable.labels;
    status->drain_from_ns = static_cast<uint64_t>(node.durable.from_ns);
    status->drain_until_ns = static_cast<uint64_t>(node.durable.until_ns);
    for (auto& [job, count] : node.tasks)
      status->tasks += count;
    out.nodes.push_back(std::move(status));
  }
  return out;
}

node_registered_msg master_core::registered(const std::string& node,
                                            const register_node_msg& report) const {
  node_registered_msg out;
  out.epoch = epoch_;
  auto* known = nodes_.find(node);
  for (auto& x : report.tasks)
    if (known && x && x->task && known->lingering.contains(task_key(*x->task)))
      out.stop.push_back(std::make_unique<task_id_msg>(*x->task));
  return out;
}

} // namespace troupe
