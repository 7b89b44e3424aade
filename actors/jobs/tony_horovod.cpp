#include "actors/jobs/tony_horovod.hpp"

namespace troupe {

bool adds_horovod_driver(tony_values& values, bool has_one) {
  const std::string mode = "tony.horovod.driver.mode.debug";
  auto debug = values.flag(mode, false);
  auto* framework = values.text("tony.application.framework");
  if (!framework || lower_case(*framework) != "horovod") {
    if (debug)
      values.partly(mode, "the framework is not horovod");
    return false;
  }
  auto* command = values.text("tony.driver.command");
  if (debug && (!command || command->empty()))
    values.fail(mode, mode + " needs the driver that it is about: set tony.driver.command");
  if (!debug && (command || has_one))
    values.fail("tony.driver.command",
                "a driver of the job's own is started in debug mode only: set " + mode
                  + " to true, or remove the tony.driver. keys");
  return debug && !has_one;
}

bool is_horovod_driver(const job_spec_msg& job, const task_type_msg& type) {
  return job.framework == framework::horovod && type.name == "driver";
}

} // namespace troupe
