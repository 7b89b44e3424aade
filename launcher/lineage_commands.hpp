// Options of the commands of the record: lineage, artifacts, watch; and backup.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::launcher {

struct shared_options;

// What a lineage begins at: `3` (a job), `artifact:12`, `execution:7`, a SHA-256, or the uri or
// name of an artifact, of which it is the newest.
struct lineage_options {
  std::vector<std::string> from; // one; of a difference two
  std::string way = "both";      // upstream, downstream
  uint32_t depth = 100;          // events
  uint32_t limit = 1000;         // nodes
  std::string until;             // a filter: the walk ends at artifacts that match
  uint64_t as_of = 0;            // a sequence number; 0: now
  bool dot = false;
  bool svg = false;

  // Whether a job is shown with its attempts and tasks, as nothing says otherwise.
  bool is_plain() const {
    return way == "both" && depth == 100 && limit == 1000 && until.empty() && as_of == 0 && !dot
           && !svg;
  }
};

struct list_options {
  std::string kind = "artifact"; // or execution, context
  std::string type;              // of this type; empty: of any
  std::string where;             // a filter (storage/formats.md, "Filters"); empty: all
  uint32_t limit = 100;
  uint64_t as_of = 0;
  // Of watch:
  std::string subscription; // goes on where it was acknowledged; empty: one for this time
  uint64_t count = 0;       // ends after so many; 0: never
  bool remove = false;      // the subscription, and watch nothing
};

// Of a run that somebody tells of.
struct run_options {
  std::string type;                         // of the execution
  std::vector<std::string> inputs, outputs; // paths of files on this machine
  std::string input_type = "file";
  std::string output_type = "output";
  std::vector<std::string> properties, output_properties; // NAME=VALUE
  uint64_t job = 0;                                       // that it belongs to; 0: none
};

int lineage(const shared_options& shared, const lineage_options& options);
int lineage_difference(const shared_options& shared, const lineage_options& options);
int add_run(const shared_options& shared, const run_options& options);
int artifacts(const shared_options& shared, const list_options& options);
int watch_record(const shared_options& shared, const list_options& options);
int backup(const shared_options& shared, const std::string& directory);

} // namespace troupe::launcher
