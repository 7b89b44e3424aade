#include "actors/jobs/tony_resource.hpp"

#include "actors/jobs/tony_values.hpp"

#include <algorithm>
#include <filesystem>

namespace troupe {

result<resource_msg> read_tony_resource(const std::string& text, const std::string& folder) {
  constexpr std::string_view archive = "#archive", divider = "::";
  resource_msg out;
  auto rest = text;
  if (lower_case(rest).ends_with(archive)) {
    out.kind = resource_kind::archive;
    rest.resize(rest.size() - archive.size());
  }
  auto end = std::min(rest.find(divider), rest.size());
  std::filesystem::path path{rest.substr(0, end)};
  out.name = end < rest.size() ? rest.substr(end + divider.size()) : path.filename().string();
  if (path.empty() || out.name.find(divider) != std::string::npos)
    return {errc::invalid, "which names no file: write PATH or PATH::NAME"};
  if (path.string().find("://") != std::string::npos)
    return {errc::invalid, "which is on another file system: give a file of this machine"};
  out.path = (std::filesystem::path{folder} / path).lexically_normal().string();
  return out;
}

} // namespace troupe
