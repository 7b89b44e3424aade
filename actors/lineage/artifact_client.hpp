// The record of a running cluster, for programs:
//
//   auto cluster = client::connect(directory);
//   artifact_client records(cluster->link());
//   auto written = records.write(set);
//   auto page = records.list({.filter = "type = 'Model'"});
//
// Threads and errors: as client_link, and those of storage/metadata. write() alone is not repeated
// when the master dies meanwhile: errc::node_lost says that whether it was written is open. A set
// whose nodes have external ids and keep what is there can be written again.
#pragma once

#include "actors/cluster/client_link.hpp"
#include "actors/lineage/record_messages.hpp"
#include "storage/metadata/query.hpp"
#include "storage/metadata/reuse.hpp"

namespace troupe {

// Nodes, and the types that they name.
struct received_nodes {
  std::vector<storage::node> nodes;
  storage::type_catalog types;
  std::string next; // the token of the next page; empty where there is none
};

struct received_changes {
  struct change {
    storage::change_place at;
    storage::change_kind what = storage::change_kind::created;
    storage::node now;
  };

  std::vector<change> changes;
  storage::type_catalog types;
  storage::change_place next; // acknowledges these
};

class artifact_client {
public:
  // The link outlives it.
  explicit artifact_client(client_link& link) : link_(link) {}

  result<storage::receipt> write(const storage::change_set& set);

  // `as_of`: a sequence number; storage::latest: now.
  result<received_nodes> list(const storage::list_request& wanted,
                              uint64_t as_of = storage::latest);
  result<received_graph> graph(const storage::lineage_request& wanted,
                               uint64_t as_of = storage::latest);
  result<std::vector<storage::node_type>> types(storage::node_kind kind,
                                                const std::string& name = {});
  result<std::optional<storage::reusable>> find_reusable(const std::string& fingerprint);

  // What the subscription is told next, behind what it acknowledges with `done` ({}: nothing). With
  // `wait` as soon as there is something, and at the latest after a second.
  result<received_changes> next(const std::string& subscription, storage::change_place done,
                                uint32_t limit, bool wait);

  result<records_checked_msg> check();
  // A copy in a directory of the master's machine, which is made by this.
  result<void> backup(const std::string& directory);

private:
  template <class Answer, class Request>
  result<Answer> ask(const Request& request);

  client_link& link_;
};

} // namespace troupe
