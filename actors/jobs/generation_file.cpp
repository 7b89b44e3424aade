#include "actors/jobs/generation_file.hpp"

#include "actors/jobs/task_user.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/ids.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace troupe {

std::string generation_file(const std::string& log_file) {
  return std::filesystem::path{log_file}.replace_extension(".generation").string();
}

std::string members_of(const cluster_spec_msg& spec) {
  std::string out;
  for (auto& each : spec.members)
    out += (out.empty() ? "" : ",") + each->host + ":" + std::to_string(each->port);
  return out;
}

result<void> write_generation(const std::string& path, const cluster_spec_msg& spec,
                              const std::string& user) {
  auto text = "TROUPE_GENERATION=" + std::to_string(spec.generation) + "\nTROUPE_RANK="
              + std::to_string(spec.rank) + "\nTROUPE_WORLD_SIZE=" + std::to_string(spec.world_size)
              + "\nTROUPE_MEMBERS=" + members_of(spec) + "\nTROUPE_SECRET=" + hex(spec.secret)
              + "\n";
  auto aside = path + ".new";
  auto failed = [&] {
    auto why = std::string{std::strerror(errno)};
    ::unlink(aside.c_str());
    return error{errc::io, "the file " + path + " cannot be written, " + why
                             + ": the task does not learn of its gang's new members; make room "
                               "on the disk of this node"};
  };
  if (!write_regular_file(aside, text, 0600))
    return failed();
  if (!user.empty()) {
    auto owner = find_task_user(user);
    if (!owner)
      return owner.error();
    if (::chown(aside.c_str(), owner->id, owner->group) != 0)
      return failed();
  }
  return std::rename(aside.c_str(), path.c_str()) == 0 ? result<void>{} : failed();
}

} // namespace troupe
