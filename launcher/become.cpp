#include "launcher/become.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

int become(const shared_options& shared, const char* program) {
  std::ifstream in{"/proc/self/cmdline", std::ios::binary};
  std::vector<std::string> given;
  for (std::string word; std::getline(in, word, '\0');)
    given.push_back(word);
  std::vector<char*> words;
  for (auto& each : given)
    words.push_back(each.data());
  words.push_back(nullptr);
  auto path = (std::filesystem::path{shared.program}.parent_path() / program).string();
  ::execv(path.c_str(), words.data());
  return complain({errc::io, "cannot run " + path + ": " + std::strerror(errno)
                               + "; build it with: cmake --build --preset release"});
}

} // namespace troupe::launcher
