// What the tasks of a job file bring along.
#include "actors/jobs/job_reader.hpp"

#include <filesystem>

namespace troupe {
namespace {

// That of the file; an archive is a directory without its suffix.
std::string default_name(const resource_msg& x) {
  auto name = std::filesystem::path{x.path}.filename().string();
  if (x.kind != resource_kind::archive)
    return name;
  for (std::string_view suffix :
       {".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz", ".tar", ".zip"})
    if (name.ends_with(suffix) && name.size() > suffix.size())
      return name.substr(0, name.size() - suffix.size());
  return name;
}

} // namespace

void job_reader::read_resources(const YAML::Node& value, const std::string& path,
                                resource_list& into) {
  if (!value.IsSequence())
    return fail(path, value, path + " is not a list: write one path behind each `-`");
  for (auto item : value) {
    auto made = std::make_unique<resource_msg>();
    if (item.IsScalar())
      made->path = text(item, path);
    else
      read_resource(item, path, *made);
    if (made->path.empty())
      fail(path, item, path + " has an entry without a path: write `path: FILE`");
    if (failed())
      return;
    made->path = absolute(made->path, folder_);
    if (made->path.size() > 1 && made->path.ends_with('/'))
      made->path.pop_back();
    if (made->name.empty())
      made->name = default_name(*made);
    into.push_back(std::move(made));
  }
}

void job_reader::read_resource(const YAML::Node& value, const std::string& path,
                               resource_msg& into) {
  each_key(value, path, {"path", "name", "unpack", "programs"},
           [&](auto& key, auto& x, auto& below) {
             if (key == "path")
               into.path = text(x, below);
             else if (key == "name")
               into.name = text(x, below);
             else if (key == "programs")
               into.programs = text(x, below);
             else if (choice(x, below, {"false", "true"}) == 1)
               into.kind = resource_kind::archive;
           });
}

// Those of the job are those of every type.
void job_reader::share_resources() {
  for (auto& type : job_.tasks) {
    resource_list all;
    for (auto& each : common_)
      all.push_back(std::make_unique<resource_msg>(*each));
    std::move(type->resources.begin(), type->resources.end(), std::back_inserter(all));
    type->resources = std::move(all);
    if (directory_ && !type->resources.empty())
      fail("directory", *directory_,
           "task type " + type->name + " has resources and runs in a directory of its own: leave "
             + "out `directory`, or ship it with `resources: [{path: "
             + directory_->Scalar().substr(0, text_shown) + ", name: .}]`");
  }
}

// Whether a program may come with the resources of its type.
bool job_reader::may_be_shipped(const program_use& x) const {
  for (auto& type : job_.tasks)
    if (type->name == x.type)
      return std::any_of(type->resources.begin(), type->resources.end(), [&](auto& each) {
        return !each->programs.empty() || x.program.find('/') != std::string::npos;
      });
  return false;
}

} // namespace troupe
