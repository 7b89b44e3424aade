#include "actors/cluster/inventory.hpp"

#include "actors/cluster/admission.hpp"

#include <algorithm>
#include <tuple>

namespace troupe {

std::string task_key(const task_id_msg& x) {
  return std::to_string(x.job) + "/" + std::to_string(x.attempt) + "/" + x.type + ":"
         + std::to_string(x.index);
}

resources known_node::free() const {
  auto out = capacity();
  out -= held;
  for (auto& [key, amount] : lingering)
    out -= amount;
  return out;
}

void inventory::apply(const node_changed_msg& x) {
  auto [at, is_new] = nodes_.try_emplace(x.name);
  auto& node = at->second;
  if (is_new) {
    auto name_of = [](const known_node* each) -> auto& {
      return each->durable.name;
    };
    row_.insert(std::ranges::upper_bound(row_, x.name, {}, name_of), &node);
  }
  node.durable = x;
  if (!x.alive) {
    node.present = false;
    node.expires.reset();
    node.lingering.clear();
  }
}

known_node* inventory::find(const std::string& name) {
  auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

const known_node* inventory::find(const std::string& name) const {
  auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::string inventory::misfit(const task_type_msg& type) const {
  resources each{type.cpus, type.memory, type.accelerators};
  auto labels = labels_of(type);
  const known_node* largest = nullptr;
  auto any = false;
  for (auto& [name, node] : nodes_) {
    any = any || node.durable.alive;
    if (!node.durable.alive || !has_all(node.durable.labels, labels))
      continue;
    if (node.capacity().holds(each))
      return {};
    auto rank = [](const known_node& x) {
      return std::tuple{x.durable.accelerators, x.durable.cpus, x.durable.memory};
    };
    if (!largest || rank(node) > rank(*largest))
      largest = &node;
  }
  if (!any)
    return {};
  if (!largest && type.labels.empty())
    return "task type \"" + type.name
           + "\" has an image, and no node has podman and runs as root: start one that does";
  if (!largest)
    return "task type \"" + type.name + "\" asks for nodes labelled " + text_of(labels)
           + ", and no node is: correct the labels, or start a node with them";
  return "task type \"" + type.name + "\" asks for " + text_of(each)
         + " per task, more than any node has: the largest, " + largest->durable.name + ", has "
         + text_of(largest->capacity()) + "; ask for less or add a larger node";
}

} // namespace troupe
