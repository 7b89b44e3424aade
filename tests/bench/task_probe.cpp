// The user's program of the benchmarks: its first act is to read the clock.
//   task_probe FILE [hold|spin]    appends "<monotonic ns> <attempt> <rank> <process>" to FILE,
//   then
//                                  ends, waits to be killed, or keeps a core busy until it is
//                                  killed
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

const char* variable(const char* name) {
  auto* set = std::getenv(name);
  return set ? set : "-";
}

} // namespace

int main(int argc, char** argv) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  if (argc < 2)
    return 2;
  char line[128];
  auto size = std::snprintf(line, sizeof(line), "%lld %s %s %d\n",
                            static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec,
                            variable("TROUPE_ATTEMPT"), variable("TROUPE_RANK"), ::getpid());
  auto file = ::open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0 || ::write(file, line, static_cast<size_t>(size)) != size)
    return 1;
  if (argc > 2 && std::strcmp(argv[2], "hold") == 0)
    ::pause();
  for (volatile unsigned turns = 0; argc > 2 && std::strcmp(argv[2], "spin") == 0;)
    turns = turns + 1;
}
