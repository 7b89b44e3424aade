// Where gangs run: the seam for scheduling policies. A policy is a pure function of what it is
// shown; the same code places jobs live, in tests and in simulation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

// What a task needs, or a node has. Memory in bytes.
struct resources {
  uint64_t cpus = 0;
  uint64_t memory = 0;
  uint64_t accelerators = 0;

  bool holds(const resources& x) const noexcept {
    return x.cpus <= cpus && x.memory <= memory && x.accelerators <= accelerators;
  }

  resources& operator+=(const resources& x) noexcept {
    cpus += x.cpus;
    memory += x.memory;
    accelerators += x.accelerators;
    return *this;
  }

  // Stops at zero.
  resources& operator-=(const resources& x) noexcept {
    cpus -= x.cpus < cpus ? x.cpus : cpus;
    memory -= x.memory < memory ? x.memory : memory;
    accelerators -= x.accelerators < accelerators ? x.accelerators : accelerators;
    return *this;
  }

  friend bool operator==(const resources&, const resources&) = default;
};

// As people read it: `4 cpus, 1024 MiB, 1 accelerators`; what is zero is left out.
std::string text_of(const resources& x);

using node_labels = std::vector<std::string>;

// Whether each of `wanted` is among the labels that a node has.
bool has_all(const node_labels& has, const node_labels& wanted);

// `gpu, rack-2`
std::string text_of(const node_labels& x);

// A node that may be given tasks, and what it has left. Cheap to copy: what it names outlives it.
struct node_room {
  std::string_view name;
  resources free;
  resources capacity;
  const node_labels* labels = nullptr;

  bool holds(const resources& x, const node_labels& wanted) const {
    return free.holds(x) && has_all(*labels, wanted);
  }
};

struct gang_type {
  std::string type;
  uint32_t instances = 1;
  resources each;
  node_labels labels;         // of the nodes that it may run on
  uint32_t instances_min = 0; // it may have so few tasks; 0: not fewer than `instances`
};

// A job that waits, with all tasks that must start together.
struct waiting_gang {
  uint64_t job = 0;
  std::vector<gang_type> types;
};

struct placed {
  std::string type;
  uint32_t index = 0;
  std::string node;
};

struct assignment {
  uint64_t job = 0;
  std::vector<placed> tasks; // every task of the gang
};

// First in, first out: the first gang that does not fit blocks those behind it, unless the nodes
// would not hold it if they were empty: that one waits for new nodes, and blocks nobody. A gang
// whose types may have fewer tasks gets as many as fit, each type giving up as many. A gang is
// spread over the nodes with the fewest of its tasks, then the most free cpus, then by the order
// given; if that does not fit, the largest tasks go first, each to the first node that holds it.
// Never overcommits; the same input gives the same output.
class fifo_placement {
public:
  explicit fifo_placement(std::vector<node_room> nodes) : nodes_(std::move(nodes)) {}

  // The next gang of the queue; nothing where it does not fit.
  std::optional<assignment> next(const waiting_gang& gang);

  // Whether the gangs behind the last one have to wait.
  bool blocked() const noexcept { return blocked_; }

private:
  std::vector<node_room> nodes_;
  bool blocked_ = false;
};

} // namespace troupe
