#include "actors/jobs/task_image.hpp"

#include <algorithm>

namespace troupe {
namespace {

constexpr size_t name_max = 512;

bool is_path(const std::string& x) {
  return x.starts_with('/') && (x + "/").find("/../") == std::string::npos
         && x.find('\0') == std::string::npos;
}

// Letters, digits and what separates registry, repository, tag and digest.
bool is_part_of_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || std::string_view{"._-/:@"}.find(c) != std::string_view::npos;
}

} // namespace

result<image_mount> parse_mount(const std::string& text) {
  auto first = std::min(text.find(':'), text.size());
  auto second = first == text.size() ? first : std::min(text.find(':', first + 1), text.size());
  image_mount out;
  out.from = text.substr(0, first);
  out.to = first == text.size() ? out.from : text.substr(first + 1, second - first - 1);
  auto mode = second == text.size() ? "rw" : text.substr(second + 1);
  out.read_only = mode == "ro";
  if (is_path(out.from) && is_path(out.to) && (mode == "ro" || mode == "rw"))
    return out;
  return {errc::invalid, std::string{"'"}.append(printable(text))
                           + "' is no mount: give an absolute PATH, PATH:THERE or PATH:THERE:ro"};
}

result<void> check_image(const std::string& name) {
  auto starts_well = !name.empty() && name.front() != '-' && name.size() <= name_max;
  if (starts_well && std::ranges::all_of(name, is_part_of_name))
    return {};
  return {errc::invalid,
          std::string{"'"}.append(printable(name))
            + "' is no name of an image: give one such as docker.io/library/python:3"};
}

} // namespace troupe
