#include "actors/cluster/lineage_text.hpp"

#include "actors/cluster/lineage_facts.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <map>
#include <set>

namespace troupe {

namespace {

using storage::node_kind;

constexpr size_t answer_bytes_max = 700 << 10; // of files; a frame takes a megabyte

// What of a job has the number of an attempt.
struct attempt_facts {
  std::optional<storage::node> attempt;
  std::vector<std::string> tasks;
  std::vector<std::pair<std::string, uint64_t>> executions; // of tasks, by name
};

// The tasks in the order in which they were placed.
result<std::map<uint32_t, attempt_facts>> attempts_of(const storage::metadata_view& in,
                                                      const storage::node& job) {
  auto links = in.links(storage::link_kind::association, true, job.id);
  if (!links)
    return links.error();
  std::map<uint32_t, attempt_facts> all;
  for (auto& each : *links) {
    auto x = in.get(node_kind::execution, each.other);
    if (!x)
      return x.error();
    auto number = text_property(*x, "attempt");
    uint32_t attempt = 0;
    auto end = number.data() + number.size();
    if (number.empty() || std::from_chars(number.data(), end, attempt).ptr != end)
      continue; // somebody else's
    auto& facts = all[attempt];
    if (in.types().name_of(x->type) == "task") {
      auto name = text_property(*x, "type") + ":" + text_property(*x, "index");
      facts.tasks.push_back(name + " on " + text_property(*x, "node"));
      facts.executions.emplace_back(std::move(name), x->id);
      continue;
    }
    for (auto& line : lines_of(text_property(*x, "tasks"))) // as 0.1.0 kept them
      facts.tasks.push_back(line);
    facts.attempt = std::move(*x);
  }
  return all;
}

class report {
public:
  explicit report(const storage::metadata_view& in) : in_(in) {}

  result<void> add(uint32_t number, const attempt_facts& x) {
    nlohmann::json attempt{{"attempt", number},
                           {"inputs", nlohmann::json::array()},
                           {"outputs", nlohmann::json::array()},
                           {"tasks", x.tasks}};
    inputs_.clear();
    outputs_.clear();
    shown_.clear();
    TROUPE_TRY(add_files(x.attempt->id, "", attempt));
    for (auto& [name, execution] : x.executions)
      TROUPE_TRY(add_files(execution, name, attempt));
    text += inputs_ + "    -> attempt " + std::to_string(number) + " "
            + text_property(*x.attempt, "state") + "\n";
    for (auto& task : x.tasks)
      text += "       -> task " + task + "\n";
    text += outputs_;
    attempts.push_back(std::move(attempt));
    return {};
  }

  std::string text;
  nlohmann::json attempts = nlohmann::json::array();
  uint64_t left_out = 0; // files: an answer has a frame's room

private:
  bool has_room(const storage::node& file) {
    constexpr size_t around = 400; // what the text and the JSON say beside the uri
    bytes_ += 2 * file.uri.size() + around;
    return bytes_ <= answer_bytes_max;
  }

  // Each file once: as the attempt's own, where it was declared.
  result<void> add_files(uint64_t execution, const std::string& task, nlohmann::json& attempt) {
    auto around = in_.events(node_kind::execution, execution);
    if (!around)
      return around.error();
    for (auto& each : *around) {
      auto input = storage::is_input(each.type);
      if (!shown_.emplace(input, each.artifact).second)
        continue;
      auto file = in_.get(node_kind::artifact, each.artifact);
      if (!file)
        return file.error();
      if (!has_room(*file)) {
        ++left_out;
        continue;
      }
      auto type = in_.types().name_of(file->type);
      attempt[input ? "inputs" : "outputs"].push_back({{"type", type},
                                                       {"name", text_property(*file, "name")},
                                                       {"uri", file->uri},
                                                       {"sha256", file->hash},
                                                       {"id", file->external_id}});
      if (!task.empty())
        attempt[input ? "inputs" : "outputs"].back()["task"] = task;
      (input ? inputs_ : outputs_)
        .append("    ")
        .append(input ? "" : "-> ")
        .append(type + " " + file->uri + " sha256:")
        .append(file->hash.empty() ? "unreadable" : file->hash.substr(0, 16))
        .append("\n");
    }
    return {};
  }

  const storage::metadata_view& in_;
  std::string inputs_;  // of the attempt at hand
  std::string outputs_; // likewise
  std::set<std::pair<bool, uint64_t>> shown_;
  size_t bytes_ = 0; // of all attempts
};

} // namespace

result<lineage_msg> lineage_of_job(const storage::metadata_view& in, uint64_t job) {
  auto known = in.by_external_id(node_kind::context, job_in_lineage(job));
  if (!known)
    return known.error();
  if (!*known)
    return {errc::not_found,
            "no lineage of job " + std::to_string(job) + "; list the jobs with: troupe jobs"};
  auto attempts = attempts_of(in, **known);
  if (!attempts)
    return attempts.error();
  auto name = text_property(**known, "name");
  auto state = text_property(**known, "state");
  report all(in);
  all.text = "job " + std::to_string(job) + " (" + name + ") " + state + "\n";
  for (auto& [number, facts] : *attempts)
    if (facts.attempt)
      TROUPE_TRY(all.add(number, facts));
  nlohmann::json tree{
    {"job", job}, {"name", name}, {"state", state}, {"attempts", std::move(all.attempts)}};
  if (all.left_out > 0) {
    tree["files_left_out"] = all.left_out;
    all.text += "and " + std::to_string(all.left_out)
                + " files more; see them with: troupe artifacts --where \"contexts_j.name = 'job/"
                + std::to_string(job) + "'\"\n";
  }
  lineage_msg answer;
  answer.text = std::move(all.text);
  // A name may be no UTF-8; it is in the text as it is.
  answer.json = tree.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  return answer;
}

} // namespace troupe
