#include "actors/packages/resource_rules.hpp"

#include "runtime/base/limits.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

namespace troupe {

namespace {

constexpr size_t resources_max = 64; // of a task
constexpr size_t name_max = 255;     // bytes
constexpr size_t path_max = 1024;    // bytes

bool is_plain(const std::string& x, size_t longest) {
  return x.size() <= longest && std::none_of(x.begin(), x.end(), [](char c) {
           auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7f;
         });
}

error bad(const resource_msg& which, const std::string& why) {
  return {errc::invalid, "resource \"" + printable(which.name) + "\" " + why};
}

bool is_below(const std::string& x) {
  auto normal = std::filesystem::path{x}.lexically_normal();
  return normal.is_relative() && *normal.begin() != "..";
}

result<void> check(const resource_msg& x) {
  if (x.name.empty() || x.name == ".." || x.name.find('/') != std::string::npos
      || !is_plain(x.name, name_max))
    return bad(x, "has no usable name: give that of a file, without '/', or \".\"");
  if (x.kind > resource_kind::MAX)
    return bad(x, "is of an unknown kind: update this cluster");
  if (!is_plain(x.path, path_max))
    return bad(x, "has a path of more than 1024 bytes, or with control characters: rename it");
  if (!x.programs.empty() && (!is_plain(x.programs, path_max) || !is_below(x.programs)))
    return bad(x, "has programs that are not below it: give a relative path without \"..\"");
  return {};
}

} // namespace

bool is_hash(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

result<void> check_resources(const resource_list& all) {
  if (all.size() > resources_max)
    return {errc::invalid, "a task has " + std::to_string(all.size())
                             + " resources: give at most 64, or a directory with them"};
  std::set<std::string> names;
  for (auto& each : all) {
    if (!each)
      return {errc::invalid, "a task has an empty resource: leave it out"};
    TROUPE_TRY(check(*each));
    if (!names.insert(each->name).second)
      return bad(*each, "comes twice: give one of them another name");
  }
  return {};
}

result<void> check_shipped(const resource_list& all) {
  TROUPE_TRY(check_resources(all));
  for (auto& each : all) {
    if (!is_hash(each->hash))
      return bad(*each, "was not shipped: submit the job with troupe submit");
    if (each->kind == resource_kind::file && each->name == ".")
      return bad(*each, "is a file, which cannot be the working directory: name it");
    if (each->kind == resource_kind::file && !each->programs.empty())
      return bad(*each, "is a file, which has no programs below it: leave them out");
    if (each->size > limits::bulk_size_max)
      return bad(*each, "has " + std::to_string(each->size) + " bytes: at most "
                          + std::to_string(limits::bulk_size_max) + " can be shipped");
  }
  return {};
}

} // namespace troupe
