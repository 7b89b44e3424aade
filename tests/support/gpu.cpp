#include "tests/support/gpu.hpp"

#include <sys/wait.h>
#include <unistd.h>

namespace troupe::test {

int count_gpus() {
  static const int count = [] {
    if (access("/dev/nvidiactl", F_OK) != 0)
      return 0;
    auto child = fork();
    if (child == 0) {
      auto opened = cuda::open();
      auto found = opened ? (*opened)->count_devices() : result<int>(opened.error());
      if (!found)
        std::fprintf(stderr, "no GPU is used: %s\n", found.error().text.c_str());
      _exit(found ? *found : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }();
  return count;
}

std::unique_ptr<cuda::plugin> open_gpus() {
  auto opened = cuda::open();
  EXPECT_TRUE(opened) << opened.error().text;
  return opened ? std::move(*opened) : nullptr;
}

} // namespace troupe::test
