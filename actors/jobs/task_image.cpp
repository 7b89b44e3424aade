#include "actors/jobs/task_image.hpp"

#include <algorithm>

namespace troupe {
namespace {

constexpr size_t name_max = 512;

bool is_path(const std::string& x) {
  return x.starts_with('/') && (x + "/").find("/../") == std::string::npos
         && x.find('\0') == std::string::npos;
}

bool is_plain(std::string_view part) {
  return std::ranges::all_of(part, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || std::string_view{"._-"}.find(c) != std::string_view::npos;
  });
}

// A registry's port, or the tag or digest behind the last part.
bool is_part_of_name(std::string_view part, bool first, bool last) {
  auto colon = std::min(part.find(':'), part.size());
  auto name = part.substr(0, colon), behind = part.substr(std::min(part.size(), colon + 1));
  if (auto at = name.find('@'); last && at != std::string_view::npos) // name@sha256:00ff
    return at != 0 && is_plain(name.substr(0, at)) && is_plain(name.substr(at + 1))
           && is_plain(behind);
  auto is_port
    = !behind.empty() && std::ranges::all_of(behind, [](char c) { return c >= '0' && c <= '9'; });
  auto right = colon == part.size() || (last && !behind.empty()) || (first && is_port);
  return right && !name.empty() && is_plain(name) && is_plain(behind);
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
  for (auto* path : {&out.from, &out.to})
    while (path->size() > 1 && path->ends_with('/'))
      path->pop_back();
  if (is_path(out.from) && is_path(out.to) && out.to != "/" && (mode == "ro" || mode == "rw"))
    return out;
  return {errc::invalid, std::string{"'"}.append(printable(text))
                           + "' is no mount: give an absolute PATH, PATH:THERE or PATH:THERE:ro"};
}

result<void> check_image(const std::string& name) {
  auto right = !name.empty() && name.front() != '-' && name.size() <= name_max;
  std::string_view rest = name;
  for (auto first = true, last = false; right && !last; first = false) {
    auto slash = std::min(rest.find('/'), rest.size());
    last = slash == rest.size();
    right = is_part_of_name(rest.substr(0, slash), first, last);
    rest.remove_prefix(std::min(rest.size(), slash + 1));
  }
  if (right)
    return {};
  return {errc::invalid,
          std::string{"'"}.append(printable(name))
            + "' is no name of an image: give one such as docker.io/library/python:3"};
}

} // namespace troupe
