#include "actors/jobs/job_file.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

namespace troupe {
namespace {

constexpr size_t text_max = 1 << 20;
constexpr size_t text_shown = 64; // of what was read, in an error text

using keys = std::vector<std::string_view>;

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      auto change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string mend_for(const std::string& key, const keys& allowed) {
  auto nearest = std::min_element(allowed.begin(), allowed.end(), [&](auto a, auto b) {
    return edit_distance(key.substr(0, text_shown), a)
           < edit_distance(key.substr(0, text_shown), b);
  });
  if (edit_distance(key.substr(0, text_shown), *nearest) <= 3)
    return "did you mean \"" + std::string{*nearest} + "\"?";
  std::string out = "the keys here are";
  for (auto x : allowed)
    out += (x == allowed.front() ? " " : ", ") + std::string{x};
  return out;
}

// One parse of one file. The first error stays; what is read after it does not matter.
class reader {
public:
  explicit reader(const job_file_options& options)
    : options_(options), file_(std::filesystem::path{options.path}.filename().string()) {}

  result<job_spec_msg> read(std::string_view text) {
    if (text.size() > text_max)
      return {errc::invalid, file_ + ": the file is larger than 1 MiB: make it smaller"};
    auto root = YAML::Load(std::string{text});
    for (auto& change : options_.overrides)
      override_with(root, change);
    if (!failed_)
      read_job(root);
    if (failed_)
      return *failed_;
    return std::move(job_);
  }

private:
  void fail(const std::string& path, const YAML::Node& at, const std::string& text) {
    if (failed_)
      return;
    auto forced = std::any_of(forced_.begin(), forced_.end(), [&](const std::string& x) {
      return path == x || path.starts_with(x + ".");
    });
    auto where
      = forced ? "--set " + path : file_ + ":" + std::to_string(std::max(at.Mark().line, 0) + 1);
    failed_ = error{errc::invalid, where + ": " + text};
  }

  void override_with(YAML::Node& root, const std::string& change) {
    auto equals = change.find('=');
    auto path = change.substr(0, equals);
    if (equals == std::string::npos || path.empty()) {
      if (!failed_)
        failed_ = error{errc::invalid, "--set " + change
                                         + ": this is not KEY=VALUE: give, say, "
                                           "tasks.worker.instances=4"};
      return;
    }
    YAML::Node at{root};
    for (size_t begin = 0; begin <= path.size();) {
      auto end = std::min(path.find('.', begin), path.size());
      if (at.IsDefined() && !at.IsMap() && !at.IsNull()) {
        failed_ = error{errc::invalid, "--set " + change + ": " + path.substr(0, begin)
                                         + " holds no keys: give the path of a value"};
        return;
      }
      at.reset(at[path.substr(begin, end - begin)]);
      begin = end + 1;
    }
    at = YAML::Load(change.substr(equals + 1));
    forced_.insert(path);
  }

  // Calls f(key, value, path) for each entry of a map whose keys are known and come once.
  template <class F>
  void each_key(const YAML::Node& map, const std::string& path, const keys& allowed, F f) {
    auto name = path.empty() ? std::string{"the file"} : path;
    if (!map.IsMap())
      return fail(path, map, name + " is not a map: write `key: value` lines");
    std::set<std::string> seen;
    for (auto entry : map) {
      if (!entry.first.IsScalar())
        return fail(path, entry.first, "a key of " + name + " is not a text: write one");
      auto key = entry.first.Scalar();
      auto shown = key.substr(0, text_shown);
      auto below = path.empty() ? shown : path + "." + shown;
      if (!seen.insert(key).second)
        return fail(below, entry.first, "key \"" + below + "\" comes twice: remove one");
      if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), key) == allowed.end())
        return fail(below, entry.first, "unknown key \"" + below + "\": " + mend_for(key, allowed));
      f(key, entry.second, below);
      if (failed_)
        return;
    }
  }

  std::string text(const YAML::Node& x, const std::string& path) {
    if (!x.IsScalar()) {
      fail(path, x, path + " is not a text: write one value");
      return {};
    }
    return substitute(x.Scalar());
  }

  uint32_t number(const YAML::Node& x, const std::string& path, uint32_t least) {
    uint32_t out = 0;
    auto value = text(x, path);
    auto* end = value.data() + value.size();
    auto [stop, code] = std::from_chars(value.data(), end, out);
    auto range = "give a whole number of at least " + std::to_string(least);
    if (value.starts_with('-'))
      fail(path, x, path + " is negative (" + value.substr(0, 40) + "): " + range);
    else if (code != std::errc{} || stop != end || value.empty())
      fail(path, x, path + " is \"" + value.substr(0, 40) + "\", not a whole number: " + range);
    else if (out < least)
      fail(path, x, path + " is " + value + ": " + range);
    return out;
  }

  std::vector<std::string> texts(const YAML::Node& x, const std::string& path) {
    std::vector<std::string> out;
    if (!x.IsSequence()) {
      fail(path, x, path + " is not a list: write [first, second]");
      return out;
    }
    for (auto item : x)
      out.push_back(text(item, path));
    return out;
  }

  std::string substitute(const std::string& x) const {
    std::string out;
    for (size_t at = 0; at < x.size();) {
      // A name has no '$', so that each byte is looked at only twice.
      auto end = x.compare(at, 2, "${") == 0 ? x.find_first_of("$}", at + 2) : std::string::npos;
      if (end != std::string::npos && x[end] == '}') {
        auto found = options_.parameters.find(x.substr(at + 2, end - at - 2));
        if (found != options_.parameters.end()) {
          out += found->second;
          at = end + 1;
          continue;
        }
      }
      out += x[at++];
    }
    return out;
  }

  std::string absolute(const std::string& path, const std::string& base) const {
    return (std::filesystem::path{base} / path).lexically_normal().string();
  }

  void read_job(const YAML::Node& root) {
    static const keys allowed{"name", "attempts", "directory", "inputs", "outputs", "tasks"};
    auto folder = std::filesystem::path{options_.path}.parent_path().string();
    job_.directory = folder;
    YAML::Node tasks;
    each_key(root, "", allowed, [&](auto& key, auto& value, auto& path) {
      if (key == "name")
        job_.name = text(value, path);
      else if (key == "attempts")
        job_.attempts_max = number(value, path, 1);
      else if (key == "directory")
        job_.directory = absolute(text(value, path), folder);
      else if (key == "inputs")
        job_.inputs = texts(value, path);
      else if (key == "outputs")
        read_outputs(value, path);
      else
        tasks.reset(value);
    });
    if (job_.directory.size() > 1 && job_.directory.ends_with('/'))
      job_.directory.pop_back();
    for (auto& x : job_.inputs)
      x = absolute(x, job_.directory);
    if (job_.name.empty())
      return fail("name", root, "the key \"name\" is missing or empty: add `name: my-job`");
    if (!tasks.IsDefined() || tasks.IsNull() || (tasks.IsMap() && tasks.size() == 0))
      return fail("tasks", root,
                  "the key \"tasks\" is missing or empty: add at least one task type");
    each_key(tasks, "tasks", {},
             [&](auto& key, auto& value, auto& path) { read_type(key, value, path); });
  }

  void read_outputs(const YAML::Node& value, const std::string& path) {
    job_.outputs = texts(value, path);
    for (auto& x : job_.outputs) {
      auto normal = std::filesystem::path{x}.lexically_normal();
      if (x.empty() || normal.is_absolute() || *normal.begin() == "..")
        fail(path, value,
             "output \"" + x.substr(0, text_shown)
               + "\" is not below the job's output directory: give a "
                 "relative path without \"..\"");
    }
  }

  void read_type(const std::string& name, const YAML::Node& node, const std::string& path) {
    static const keys allowed{"instances", "cpus", "memory", "accelerators", "env", "command"};
    auto type = std::make_unique<task_type_msg>();
    type->name = name;
    each_key(node, path, allowed, [&](auto& key, auto& value, auto& below) {
      if (key == "instances")
        type->instances = number(value, below, 1);
      else if (key == "cpus")
        type->cpus = number(value, below, 1);
      else if (key == "accelerators")
        type->accelerators = number(value, below, 0);
      else if (key == "memory")
        type->memory = memory(value, below);
      else if (key == "env")
        read_env(value, below, *type);
      else
        read_command(value, below, *type);
    });
    if (!failed_ && type->command.empty())
      fail(path, node, path + " has no command: add `command: [program, argument]`");
    job_.tasks.push_back(std::move(type));
  }

  uint64_t memory(const YAML::Node& value, const std::string& path) {
    auto size = parse_size(text(value, path));
    if (size)
      return *size;
    fail(path, value, path + " " + size.error().text);
    return 0;
  }

  void read_env(const YAML::Node& value, const std::string& path, task_type_msg& type) {
    each_key(value, path, {}, [&](auto& key, auto& content, auto& below) {
      auto variable = std::make_unique<variable_msg>();
      variable->name = key;
      variable->value = text(content, below);
      if (key.empty() || key.find('=') != std::string::npos)
        fail(below, content, "\"" + below + "\" cannot be a variable: leave out the '='");
      type.env.push_back(std::move(variable));
    });
  }

  void read_command(const YAML::Node& value, const std::string& path, task_type_msg& type) {
    if (value.IsScalar() && !value.Scalar().empty()) {
      type.command = {"/bin/sh", "-c", text(value, path)};
      return;
    }
    if (!value.IsSequence() || value.size() == 0)
      return fail(path, value,
                  path
                    + " is empty or neither a list nor a text: write [program, "
                      "argument]");
    type.command = texts(value, path);
    if (failed_)
      return;
    auto& program = type.command[0];
    if (program.empty())
      return fail(path, value, path + " names no program: write [program, argument]");
    programs_.push_back({path, value, program});
  }

public:
  // After the whole file is read: `directory` may stand behind the tasks.
  void check_programs(job_spec_msg& job) {
    if (options_.program_exists)
      for (auto& x : programs_)
        if (!options_.program_exists(x.program, job.directory))
          fail(x.path, x.at,
               "program not found: \"" + x.program.substr(0, text_shown) + "\" of " + x.path
                 + ": give a path that exists, seen from " + job.directory
                 + ", or a program on the PATH");
  }

  const std::optional<error>& failed() const { return failed_; }

private:
  struct program_use {
    std::string path;
    YAML::Node at;
    std::string program;
  };

  const job_file_options& options_;
  std::string file_;
  std::set<std::string> forced_;
  std::optional<error> failed_;
  std::vector<program_use> programs_;
  job_spec_msg job_;
};

} // namespace

result<uint64_t> parse_size(std::string_view text) {
  auto bad = [&](const std::string& why) {
    return error{errc::invalid, "is \"" + std::string{text.substr(0, 40)} + "\", " + why
                                  + ": give a size such as 512 MiB or 1.5 GiB"};
  };
  double value = 0;
  auto* end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (code != std::errc{})
    return bad("not a size");
  auto unit = std::string_view{stop, static_cast<size_t>(end - stop)};
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  static const std::map<std::string_view, double> units{
    {"", 1},     {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
    {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
  auto found = units.find(unit);
  if (found == units.end())
    return bad("whose unit is unknown");
  if (value < 0)
    return bad("which is negative");
  value = std::floor(value * found->second);
  if (!(value < 0x1p63))
    return bad("which is too large");
  return static_cast<uint64_t>(value);
}

result<job_spec_msg> parse_job_file(std::string_view text, const job_file_options& options) {
  auto file = std::filesystem::path{options.path}.filename().string();
  try {
    reader input{options};
    auto out = input.read(text);
    if (!out)
      return out;
    input.check_programs(*out);
    if (input.failed())
      return *input.failed();
    return out;
  } catch (const YAML::Exception& x) {
    auto line = x.mark.is_null() ? 1 : x.mark.line + 1;
    return {errc::invalid, file + ":" + std::to_string(line) + ": this is not YAML (" + x.msg
                             + "): correct this line"};
  } catch (const std::exception& x) {
    return {errc::invalid, file + ": the file cannot be read (" + x.what() + "): correct it"};
  }
}

} // namespace troupe
