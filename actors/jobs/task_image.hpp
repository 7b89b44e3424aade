// The image of a container as the file system of a task's command.
//
// The command stays a child of its executor, in its process group, with its limits, descriptors,
// network and devices: only the files that it sees are those of the image, and what is mounted
// into them. So all that holds for a task holds for one with an image. What it writes elsewhere
// than into a mount is gone with it. podman fetches and unpacks the image, once for each node.
// Why not a container of the engine's: docs/adr/0012-images-without-containers.md.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace troupe {

// The label of nodes that can do this: they run as root and have podman.
inline constexpr auto images_label = "images";

// How a command ends whose image, or a mount of it, is not to be had.
inline constexpr int exit_no_image = 125;

// What troupe-executor is told to enter one (launcher/in_image.hpp).
inline constexpr auto in_image_option = "--in-image";

// Mounts are texts as parse_mount reads them.
struct task_image {
  std::string name;                // as podman knows it; empty: the task sees its node's files
  std::vector<std::string> own;    // the task's directories, which the node made
  std::vector<std::string> mounts; // what the job names, and its user has to be able to reach
};

struct image_mount {
  std::string from;
  std::string to;
  bool read_only = false;
};

// PATH, PATH:THERE, PATH:THERE:ro or PATH:THERE:rw. errc::invalid: it is none; both paths are
// absolute, without "..", and THERE is not "/".
result<image_mount> parse_mount(const std::string& text);

// errc::invalid: no registry has an image of such a name.
result<void> check_image(const std::string& name);

} // namespace troupe
