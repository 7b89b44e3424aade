#include "actors/jobs/tony_image.hpp"

namespace troupe {
namespace {

const std::string prefix = "tony.docker.";
constexpr auto off = "it counts only with tony.docker.enabled";

} // namespace

void read_tony_images(job_spec_msg& job, tony_values& values) {
  auto wanted = values.flag(prefix + "enabled", false);
  auto of_all = prefix + "containers.image", mounts = prefix + "containers.mount";
  auto* common = values.text(of_all);
  auto mounted = values.list(mounts, {});
  if (!wanted) {
    values.partly(of_all, off);
    values.partly(mounts, off);
  }
  for (auto& type : job.tasks) {
    auto of_type = prefix + type->name + ".image";
    auto* own = values.text(of_type);
    if (!wanted) {
      values.partly(of_type, off);
      continue;
    }
    auto* image = own ? own : common;
    if (!image || image->empty())
      return values.fail(prefix + "enabled", "tony.docker.enabled is true, and task type "
                                               + type->name + " has no image: set " + of_type
                                               + " or " + of_all);
    type->image = *image;
    type->mounts = mounted;
  }
}

} // namespace troupe
