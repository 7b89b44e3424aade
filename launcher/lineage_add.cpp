// lineage add: a run that a person or a script tells of, with the files that it read and made.
#include "actors/cluster/lineage_nodes.hpp"
#include "launcher/lineage_commands.hpp"
#include "launcher/record_access.hpp"
#include "runtime/base/random.hpp"
#include "storage/hash.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>
#include <filesystem>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

using storage::node_kind;
using storage::node_ref;

// NAME=VALUE: a number, or else a text.
result<storage::property_map> properties_of(const std::vector<std::string>& all) {
  storage::property_map out;
  for (const auto& each : all) {
    auto equals = each.find('=');
    if (equals == 0 || equals == std::string::npos)
      return {errc::invalid, "'" + each + "' is no property; write NAME=VALUE"};
    auto text = each.substr(equals + 1);
    double number = 0;
    auto end = text.data() + text.size();
    auto [at, failed] = std::from_chars(text.data(), end, number);
    auto is_number = failed == std::errc() && at == end;
    out.insert_or_assign(each.substr(0, equals), is_number ? storage::property_value(number)
                                                           : storage::property_value(text));
  }
  return out;
}

storage::node_type type_of(node_kind kind, const std::string& name,
                           const storage::property_map& properties) {
  storage::node_type out;
  out.kind = kind;
  out.name = name;
  for (const auto& [key, value] : properties)
    out.properties.emplace(key, storage::kind_of(value));
  return out;
}

result<storage::node_put> file_of(const std::string& given, const std::string& type) {
  auto path = fs::absolute(given).lexically_normal().string();
  std::error_code none;
  if (!fs::is_regular_file(path, none))
    return {errc::invalid, path
                             + " is no file that is here; name its files one by one, or keep a "
                               "directory with: troupe bundle add"};
  auto hash = storage::sha256_file(path);
  if (!hash)
    return hash.error();
  auto out = put_of(node_kind::artifact, type, {});
  out.what.uri = uri_of_file(path);
  out.what.hash = *hash;
  out.what.state = storage::node_state::live;
  return out;
}

// One change set; it can be written again.
class told_run {
public:
  told_run(artifact_client& records, const run_options& options)
    : records_(records), options_(options), id_(std::to_string(unforeseen_number())) {
    set_.evolution = {true, true};
    set_.keep_events = true;
  }

  result<storage::receipt> write() {
    TROUPE_TRY(add_run());
    for (const auto& each : options_.inputs)
      TROUPE_TRY(add_input(each));
    for (const auto& each : options_.outputs)
      TROUPE_TRY(add_output(each));
    if (options_.job != 0)
      TROUPE_TRY(add_to_job());
    auto written = records_.write(set_);
    return written || written.error().code != errc::node_lost ? written : records_.write(set_);
  }

private:
  result<void> add_run() {
    auto properties = properties_of(options_.properties);
    if (!properties)
      return properties.error();
    set_.types.push_back(type_of(node_kind::execution, options_.type, *properties));
    auto run = put_of(node_kind::execution, options_.type, id_of("run", id_));
    run.what.state = storage::node_state::complete;
    run.what.properties = std::move(*properties);
    set_.nodes.push_back(std::move(run));
    auto made = properties_of(options_.output_properties);
    if (!made)
      return made.error();
    set_.types.push_back(type_of(node_kind::artifact, options_.input_type, {}));
    set_.types.push_back(type_of(node_kind::artifact, options_.output_type, *made));
    made_ = std::move(*made);
    return {};
  }

  // The newest artifact of that file with these bytes, whoever made it.
  result<void> add_input(const std::string& path) {
    auto file = file_of(path, options_.input_type);
    if (!file)
      return file.error();
    auto same = newest_of(records_, node_kind::artifact,
                          "uri = " + storage::filter_text(file->what.uri)
                            + " AND hash = " + storage::filter_text(file->what.hash),
                          storage::latest);
    if (!same)
      return same.error();
    if (*same != 0)
      return add_event(node_ref::stored(*same), storage::event_type::input, path);
    file->what.external_id = id_of_input(file->what);
    return add_event(put(std::move(*file)), storage::event_type::input, path);
  }

  result<void> add_output(const std::string& path) {
    auto file = file_of(path, options_.output_type);
    if (!file)
      return file.error();
    file->what.external_id = id_of("output", id_ + "/" + file->what.uri);
    file->what.properties = made_;
    return add_event(put(std::move(*file)), storage::event_type::output, path);
  }

  result<void> add_to_job() {
    auto job = context_of_job(records_, options_.job, storage::latest);
    if (!job)
      return job.error();
    set_.links.push_back(
      {storage::link_kind::association, node_ref::stored(*job), node_ref::put(0)});
    return {};
  }

  node_ref put(storage::node_put x) {
    set_.nodes.push_back(std::move(x));
    return node_ref::put(set_.nodes.size() - 1);
  }

  result<void> add_event(node_ref artifact, storage::event_type type, const std::string& path) {
    set_.events.push_back({node_ref::put(0), artifact, type, {name_of_file(path)}});
    return {};
  }

  artifact_client& records_;
  const run_options& options_;
  const std::string id_;
  storage::property_map made_;
  storage::change_set set_;
};

} // namespace

int add_run(const shared_options& shared, const run_options& options) {
  auto work = [&](client&, artifact_client& records) -> result<int> {
    auto written = told_run(records, options).write();
    if (!written)
      return written.error();
    nlohmann::json out{{"execution", written->ids[0]}, {"sequence", written->sequence}};
    if (shared.json)
      std::puts(out.dump().c_str());
    else
      std::printf("execution %lu\n", written->ids[0]);
    return 0;
  };
  return with_record(shared, answer_time, work);
}

} // namespace troupe::launcher
