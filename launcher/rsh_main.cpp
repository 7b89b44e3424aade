// troupe-rsh: see mpi_slot.hpp. mpirun starts it in place of ssh.
#include "launcher/mpi_slot.hpp"

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == "--wait")
    return troupe::launcher::wait_for_commands();
  int host = 1;
  while (host < argc && argv[host][0] == '-') // what mpirun would tell ssh, such as -x
    ++host;
  if (host + 1 >= argc) {
    std::fputs("troupe-rsh HOST COMMAND...: runs a command in another task of an MPI job; mpirun "
               "starts it there\n",
               stderr);
    return 2;
  }
  return troupe::launcher::run_at(argv[host], {argv + host + 1, argv + argc});
}
