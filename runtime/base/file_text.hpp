// The content of a small file, such as those of /proc.
#pragma once

#include "runtime/base/owned_fd.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace troupe {

// What can be read of it; empty when it cannot be opened. A file of a process that ends meanwhile
// is cut short: nothing is thrown, as stream iterators would.
std::string text_of_file(const std::string& path);
std::string text_of_file(owned_fd file);

// Makes it the content of a file in a directory that somebody else may write to (regular_file.hpp).
// False, with errno: it was not written, or not all of it.
bool write_regular_file(const std::string& path, std::string_view text, mode_t mode);

// Writes all of it, however many calls that takes. False, with errno: not all of it was.
bool write_all(int file, std::string_view bytes);

// The words of a process's command line, a zero byte behind each; empty when it is gone or a
// zombie.
std::string command_line_of(int process);

} // namespace troupe
