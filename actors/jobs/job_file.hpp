// A job as people write it: YAML in, job_spec_msg out.
//
//   name: fashion-mnist
//   inputs: [data/train.gz]
//   tasks:
//     worker:
//       instances: 2
//       memory: 1 GiB
//       command: [python3, train.py]
//
// The keys stand in job_keys.cpp, with what they mean; docs/jobs.md is the guide. `${NAME}` becomes
// the parameter of that name; other texts of that form stay for the shell.
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

// The schema, for people and programs: `tasks.TYPE.cpus`, what its value looks like, and what it
// means.
struct job_file_key {
  std::string name;
  std::string value;
  std::string meaning;
};

std::vector<job_file_key> job_file_keys();

} // namespace troupe
