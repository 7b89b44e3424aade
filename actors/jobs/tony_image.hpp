// The images that a TonY configuration gives the tasks of its job.
#pragma once

#include "actors/jobs/tony_values.hpp"

namespace troupe {

// tony.docker.*. A task without an image, where images are wanted, is a complaint of `values`.
void read_tony_images(job_spec_msg& job, tony_values& values);

} // namespace troupe
