#include "launcher/node_life.hpp"

#include "actors/cluster/agent_core.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

result<uint64_t> begin_life(const std::string& path, int64_t wall_ns) {
  uint64_t last = 0;
  if (std::ifstream in{path}; in && !(in >> last))
    return {errc::io, "the file '" + path + "' holds no number of a life; remove it if this "
                        + "machine's clock is right"};
  auto life = next_incarnation(last, wall_ns);
  auto text = std::to_string(life) + "\n";
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), ignored);
  auto next = path + ".next";
  owned_fd file{::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  auto written = file && ::write(file.get(), text.data(), text.size()) == std::ssize(text)
                 && ::fsync(file.get()) == 0 && std::rename(next.c_str(), path.c_str()) == 0;
  if (!written)
    return {errc::io, "the file '" + path + "' cannot be written: " + std::strerror(errno)
                        + "; check the node's directory"};
  return life;
}

} // namespace troupe::launcher
