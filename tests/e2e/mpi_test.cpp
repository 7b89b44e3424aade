// mpirun in a gang: its daemons start in the other tasks, without ssh.
#include "tests/e2e/cluster.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace troupe::e2e {
namespace {

class mpi : public cluster {
protected:
  void SetUp() override {
    cluster::SetUp();
    if (::system("command -v mpirun > /dev/null") != 0) {
      std::printf("SKIPPED: MPI: mpirun is not installed (Debian: openmpi-bin)\n");
      GTEST_SKIP();
    }
  }

  // Three tasks of a rank each; the script is what each rank runs.
  std::string ranks_of(const std::string& script) {
    write("rank.sh", script);
    return write("mpi.yaml", "name: mpi\nframework: mpi\ndirectory: " + scratch
                               + "\ntasks:\n  worker:\n    instances: 3\n    cpus: 1\n    command: "
                                 "[mpirun, sh, rank.sh]\n");
  }
};

TEST_F(mpi, runs_a_rank_in_each_task) {
  start_nodes(2, 2);
  auto job = submit(ranks_of("echo $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE in "
                             "$TROUPE_TASK_INDEX >> seen; sleep 0.1"));
  ASSERT_TRUE(becomes(job, "succeeded")) << troupe({"logs", job}).out;
  auto lines = seen();
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"0 of 3 in 0", "1 of 3 in 1", "2 of 3 in 2"}));
}

TEST_F(mpi, a_rank_that_fails_fails_the_job) {
  start_nodes(1, 3);
  auto file = ranks_of("[ $OMPI_COMM_WORLD_RANK != 1 ] || exit 7; sleep 60");
  auto job = troupe({"submit", file, "--set", "attempts=1", "--wait"});
  EXPECT_EQ(job.code, 1) << job.out;
}

TEST_F(mpi, runs_nothing_for_who_has_not_the_secret) {
  start_nodes(1, 3);
  auto job = submit(ranks_of("echo up $TROUPE_MPI_PEERS >> seen; while [ ! -e go ]; do sleep "
                             "0.1; done"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 3; })) << troupe({"logs", job}).out;
  auto peers = seen()[0];
  auto at = peers.find("worker-1=127.0.0.1:");
  ASSERT_NE(at, std::string::npos) << peers;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(peers.c_str() + at + 19)));
  auto peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::string request = "0000000000000000\n" + std::string{"\x14\0\0\0", 4} + "touch " + scratch;
  request.resize(21 + 20);
  ASSERT_EQ(::send(peer, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  char answer = 0;
  EXPECT_LE(::recv(peer, &answer, 1, 0), 0); // the connection has ended
  ::close(peer);
  write("go", "");
  EXPECT_TRUE(becomes(job, "succeeded"));
}

} // namespace
} // namespace troupe::e2e
