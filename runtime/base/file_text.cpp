#include "runtime/base/file_text.hpp"

#include "runtime/base/regular_file.hpp"

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

bool write_regular_file(const std::string& path, std::string_view text, mode_t mode) {
  auto file = open_regular_file(path, O_WRONLY | O_CREAT, mode);
  return file && ::ftruncate(file.get(), 0) == 0
         && ::write(file.get(), text.data(), text.size()) == std::ssize(text);
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string command_line_of(int process) {
  return text_of_file("/proc/" + std::to_string(process) + "/cmdline");
}

} // namespace troupe
