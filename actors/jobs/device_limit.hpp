// Keeps the processes of a control group of version 2 from device files: by a program that the
// kernel asks at each access, as version 2 has no file for it (version 1 has devices.deny).
#pragma once

#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe {

// `group` is its directory; `devices` are character devices. errc::unavailable: the kernel, or our
// rights, do not have it.
result<void> deny_devices(const std::string& group, const std::vector<dev_t>& devices);

} // namespace troupe
