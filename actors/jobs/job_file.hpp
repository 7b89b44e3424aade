// A job as people write it: YAML in, job_spec_msg out.
//
//   name: fashion-mnist
//   attempts: 3                     # how often the gang may be started; default 3
//   retries: { user_error: 0 }      # restarts for one cause: user_error, out_of_memory, preempted,
//                                   # lost_node, infrastructure; default: as attempts allows
//   timeout: 2 h                    # from the first start to the end; default: none
//   placement_timeout: 10 min       # to wait for room; default: for ever
//   register_timeout: 60 s          # from the placement to a complete gang; default 60 s
//   mode: gang                      # or fcfs: each task starts as soon as it is there
//   framework: pytorch              # whose variables the commands expect: troupe (default),
//                                   # tensorflow, pytorch, mxnet, standalone
//   end_rules:                      # tasks that have to end soon after others have
//     - { type: evaluator, after: [chief], within: 10 min, ignore: true }
//   directory: .                    # where the commands run; default: the folder of the file
//   inputs: [data/train.gz]         # recorded in the lineage
//   outputs: [model.bin]            # below the job's own output directory
//   tasks:
//     worker:
//       instances: 2                # default 1
//       cpus: 1                     # per task; default 1
//       memory: 1 GiB               # per task; default: no limit
//       accelerators: 0
//       env: { EPOCHS: 3 }
//       command: [python3, train.py]  # or a text, which /bin/sh runs
//       role: tracked               # untracked: stopped when the tracked ones have ended; its
//       failure
//                                   # stops the gang. sidecar: its end means nothing
//       on_failure: stop            # go_on: the others go on, unless it is the chief
//       after: [prepare]            # placed when the tasks of these types have succeeded
//       timeout: 30 min             # of each task; default: none
//
// `${NAME}` becomes the parameter of that name; other texts of that form stay for the shell.
// Errors: errc::invalid with one sentence: file and line, the key, and the mend. Nothing is thrown.
// Limits: 1 MiB of text.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct job_file_options {
  std::string path; // absolute path of the file: for error texts and relative paths
  std::map<std::string, std::string> parameters; // for ${NAME}
  std::vector<std::string> overrides;            // `tasks.worker.instances=4`
  // Whether a program can be started from a directory; empty: not checked.
  std::function<bool(const std::string& program, const std::string& directory)> program_exists;
};

result<job_spec_msg> parse_job_file(std::string_view text, const job_file_options& options);

} // namespace troupe
