// `troupe-executor --in-image NAME OPTIONS -- COMMAND...`: becomes the command of a task whose
// files are those of a container's image (task_image.hpp).
//
// The image is fetched outside the task's limits and without its environment, since this runs as
// root; then the process enters a mount namespace of its own, takes the limits and the user, gives
// up what a set-user-ID program of the image could give it, and is replaced by the command.
// The executor starts it (task_launch.cpp), not people.
#pragma once

namespace troupe::launcher {

// Does not return when the command runs. 125: the image, or a mount, is not to be had; 126: the
// command may not be executed; 127: there is none.
int run_in_image(int argc, char** argv);

} // namespace troupe::launcher
