// Reads one job file: the readers of single values, which the tables of keys name. Private to
// job_file.hpp; the first error stays.
#pragma once

#include "actors/jobs/job_file.hpp"
#include "actors/jobs/yaml_reader.hpp"
#include "actors/packages/resource_rules.hpp"

namespace troupe {

class job_reader : public yaml_reader {
public:
  explicit job_reader(const job_file_options& options);

  result<job_spec_msg> read(std::string_view text);

private:
  friend struct job_keys;

  struct program_use {
    std::string path;
    YAML::Node at;
    std::string program;
    std::string type;
  };

  std::string absolute(const std::string& path, const std::string& base) const;
  void read_job(const YAML::Node& root);
  void read_type(const std::string& name, const YAML::Node& node, const std::string& path);
  void read_retries(const YAML::Node& value, const std::string& path);
  void read_end_rules(const YAML::Node& value, const std::string& path);
  void read_needs(const YAML::Node& value, const std::string& path);
  void read_array(const YAML::Node& value, const std::string& path);
  void read_outputs(const YAML::Node& value, const std::string& path);
  void read_resources(const YAML::Node& value, const std::string& path, resource_list& into);
  void read_resource(const YAML::Node& value, const std::string& path, resource_msg& into);
  void share_resources();
  bool may_be_shipped(const program_use& x) const;
  void read_env(const YAML::Node& value, const std::string& path, task_type_msg& type);
  void read_command(const YAML::Node& value, const std::string& path, task_type_msg& type);
  uint64_t time(const YAML::Node& value, const std::string& path);
  uint64_t size(const YAML::Node& value, const std::string& path);
  uint64_t size_above_0(const YAML::Node& value, const std::string& path);
  void check_programs();

  const job_file_options& options_;
  std::string folder_; // of the file
  std::vector<program_use> programs_;
  std::optional<YAML::Node> directory_; // if it is given
  resource_list common_;                // of every type
  job_spec_msg job_;
};

// Every key that a job file may have, with what it means and what reads it.
struct job_keys {
  using read_of_job = void (*)(job_reader& r, const YAML::Node& value, const std::string& path);
  using read_of_type = void (*)(job_reader& r, const YAML::Node& value, const std::string& path,
                                task_type_msg& type);
  template <class Read>
  struct key {
    std::string_view name;
    std::string_view value; // what it looks like
    std::string_view meaning;
    Read read;
  };

  static const std::vector<key<read_of_job>>& of_job();
  static const std::vector<key<read_of_type>>& of_type();
  // Those inside the value of `name`, which that one reads; none where it has none.
  static std::vector<job_file_key> inside(std::string_view name);
};

} // namespace troupe
