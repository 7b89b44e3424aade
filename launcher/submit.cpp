// submit: on a running cluster, or, where there is none, on one inside this command.
#include "actors/cluster/admission.hpp"
#include "actors/cluster/client.hpp"
#include "actors/jobs/job_file.hpp"
#include "actors/jobs/tony_file.hpp"
#include "actors/packages/resource_rules.hpp"
#include "launcher/console.hpp"
#include "launcher/submission.hpp"
#include "runtime/base/random.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

bool program_exists(const std::string& program, const std::string& directory) {
  if (program.find('/') != std::string::npos)
    return ::access((fs::path{directory} / program).c_str(), X_OK) == 0;
  auto* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    auto end = std::min(rest.find(':'), rest.size());
    if (::access((fs::path{rest.substr(0, end)} / program).c_str(), X_OK) == 0)
      return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

// TonY's files are XML; no job in YAML begins with '<'.
bool is_xml(const std::string& file, const std::string& text) {
  auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf"); // the last three: a byte order mark
  return file.ends_with(".xml") || (first != std::string::npos && text[first] == '<');
}

result<submission> read_tony_job(const std::string& text, job_file_options with) {
  for (auto [name, variable] : {std::pair{"user.name", "USER"}, std::pair{"user.home", "HOME"}})
    if (auto* value = std::getenv(variable)) // as Hadoop's files say it
      with.parameters[name] = value;
  auto job = parse_tony_file(text, with);
  if (!job)
    return job.error();
  return submission{std::move(job->spec), notes_of(*job)};
}

result<submission> read_job_file(const shared_options& shared, const submit_options& options) {
  std::ifstream in{options.file, std::ios::binary};
  if (!in || fs::is_directory(options.file))
    return {errc::invalid, "the job file '" + options.file + "' cannot be read; check its path"};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  job_file_options with;
  with.path = fs::absolute(options.file).string();
  with.parameters["TROUPE_BIN"] = fs::path{shared.program}.parent_path().string();
  with.overrides = options.set;
  with.program_exists = program_exists;
  if (is_xml(options.file, text))
    return read_tony_job(text, std::move(with));
  auto spec = parse_job_file(text, with);
  if (!spec)
    return spec.error();
  return submission{std::move(*spec), {}};
}

void tell_notes(const shared_options& shared, const submission& of) {
  if (!shared.json)
    for (auto& note : of.notes)
      std::fprintf(stderr, "troupe: note: %s\n", note.c_str());
}

// What each resource is on this disk.
result<void> look_at_resources(job_spec_msg& spec) {
  for (auto& type : spec.tasks) {
    if (auto known = check_resources(type->resources); !known)
      return {errc::invalid, "task type " + type->name + ": " + known.error().text};
    for (auto& each : type->resources) {
      std::error_code failed;
      auto directory = fs::is_directory(each->path, failed);
      auto where = "resource \"" + each->path + "\" of task type " + type->name;
      if (failed || !fs::exists(each->path, failed))
        return {errc::invalid, where + " cannot be read; check its path"};
      if (directory && each->kind == resource_kind::archive)
        return {errc::invalid, where + " is a directory; leave out what unpacks it"};
      if (directory)
        each->kind = resource_kind::directory;
    }
  }
  return {};
}

bool has_resources(const job_spec_msg& spec) {
  return std::any_of(spec.tasks.begin(), spec.tasks.end(),
                     [](auto& type) { return !type->resources.empty(); });
}

// They may be there by the time that the job starts, on its nodes: so it is no error.
void note_missing_inputs(submission& to) {
  for (auto& path : to.spec.inputs)
    if (std::error_code failed; !fs::exists(path, failed))
      to.notes.push_back("the input '" + path
                         + "' is not there now; the lineage has a hash of what is there when an "
                           "attempt starts");
}

int explain(const shared_options& shared) {
  auto keys = job_file_keys();
  if (shared.json)
    std::puts(json_of(keys).c_str());
  else
    print(keys);
  return 0;
}

} // namespace

int submit_to(client& cluster, const shared_options& shared, const submit_options& options,
              submission what) {
  tell_notes(shared, what);
  auto array = what.spec.array;
  auto job = cluster.submit(std::move(what.spec), unforeseen_number() | 1);
  if (!job)
    return complain(job.error());
  if (options.wait)
    return follow(cluster, shared, {*job, array, what.embedded});
  if (array == 0)
    std::printf(shared.json ? "{\"job\": %lu}\n" : "job %lu\n", *job);
  else if (shared.json)
    std::printf("{\"job\": %lu, \"jobs\": %u}\n", *job, array);
  else
    std::puts(jobs_text(*job, array).c_str());
  return 0;
}

int submit(const shared_options& shared, const submit_options& options) {
  if (options.explain)
    return explain(shared);
  if (options.file.empty())
    return complain({errc::invalid, "no job file is given; see: troupe submit --help"});
  auto job = read_job_file(shared, options);
  if (!job)
    return complain(job.error());
  job->spec.trace_files = job->spec.trace_files || options.trace_files;
  if (auto right = check_job(job->spec); !right)
    return complain(
      {right.error().code, fs::path{options.file}.filename().string() + ": " + right.error().text});
  if (auto seen = look_at_resources(job->spec); !seen)
    return complain(seen.error());
  note_missing_inputs(*job);
  if (options.dry_run) {
    tell_notes(shared, *job);
    std::puts((shared.json ? json_of_config(job->spec) : text_of(job->spec)).c_str());
    return 0;
  }
  if (!client::was_started(shared.directory))
    return submit_embedded(shared, options, std::move(*job));
  if (has_resources(job->spec))
    return submit_with_resources(shared, options, std::move(*job));
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  return submit_to(**cluster, shared, options, std::move(*job));
}

} // namespace troupe::launcher
