// A job as TonY's users write it: a Hadoop configuration file, `tony.xml`, into a job_spec_msg.
// docs/from-tony.md has every key; the table of keys is tony_keys.cpp.
//
// TonY's meaning holds, with its defaults, but for these: memory is a limit only where the file
// sets it (TonY's 2g would break jobs that work), and a task starts in the folder of the file.
// `${KEY}` becomes the value of that key, or the parameter of that name; other texts of that form
// stay for the shell. An override is `KEY=VALUE`, as TonY's -conf has it.
// Errors: errc::invalid with one sentence: file and line, the key, and the mend. Nothing is thrown.
// Limits: 1 MiB of text.
#pragma once

#include "actors/jobs/job_file.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

// What became of a key of the file. One that cannot be honoured and that matters is an error.
struct tony_key {
  std::string key;
  bool honoured = false;
  std::string why; // why it has no effect, or why only a part of it has one
};

struct tony_job {
  job_spec_msg spec;
  std::vector<tony_key> keys; // every key that the file or an override sets, in their order
};

// options.program_exists is not asked: TonY's commands are lines of a shell.
result<tony_job> parse_tony_file(std::string_view text, const job_file_options& options);

// For people: `tony.am.memory has no effect: ...`, one for each key that needs one.
std::vector<std::string> notes_of(const tony_job& job);

} // namespace troupe
