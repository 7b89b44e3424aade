#include "runtime/base/file_text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace troupe {

std::string text_of_file(const std::string& path) {
  return text_of_file(owned_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)});
}

std::string text_of_file(owned_fd file) {
  std::string out;
  std::array<char, 4096> bytes;
  while (file) {
    auto got = ::read(file.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    out.append(bytes.data(), static_cast<size_t>(got));
  }
  return out;
}

std::string command_line_of(int process) {
  return text_of_file("/proc/" + std::to_string(process) + "/cmdline");
}

} // namespace troupe
