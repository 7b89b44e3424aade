// messaging [--rounds N]: actor to actor between two processes of this host, against CAF and
// ZeroMQ. Prints the rows of docs/performance.md as JSON. The contenders take turns; each figure is
// the median of its rounds.
#include "tests/bench/rounds.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace {

using namespace troupe::bench;

// One round: a server process of its own, and a client process that reports through a pipe.
sample run_round(const contender& x) {
  std::string directory = "/tmp/troupe-bench-XXXXXX";
  if (!::mkdtemp(directory.data()))
    std::abort();
  std::array<int, 2> ready{};
  std::array<int, 2> answer{};
  if (::pipe(ready.data()) != 0 || ::pipe(answer.data()) != 0)
    std::abort();
  auto server = ::fork();
  if (server == 0) {
    x.serve(directory, ready[1]);
    ::_exit(1);
  }
  char line = 0;
  ::close(ready[1]);
  if (::read(ready[0], &line, 1) != 1)
    std::abort();
  auto client = ::fork();
  if (client == 0) {
    auto got = x.measure(directory);
    [[maybe_unused]] auto n = ::write(answer[1], &got, sizeof(got));
    ::_exit(0);
  }
  sample got;
  ::close(answer[1]);
  auto complete = ::read(answer[0], &got, sizeof(got)) == sizeof(got);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  ::waitpid(client, nullptr, 0);
  ::close(ready[0]);
  ::close(answer[0]);
  std::filesystem::remove_all(directory);
  if (!complete) {
    std::fprintf(stderr, "messaging: a round of %s failed\n", x.name.c_str());
    std::exit(1);
  }
  return got;
}

struct rounds {
  contender who;
  std::vector<double> ask_us;
  std::vector<double> one_way;
  std::vector<double> echo;
};

bool first_row = true;

// `ratio` above 1: ours is better.
void row(const char* metric, const char* unit, double ours, double peer, const contender& who,
         double ratio) {
  std::printf("%s  {\"metric\": \"%s\", \"unit\": \"%s\", \"ours\": %.6g, \"peer\": %.6g, "
              "\"peer_name\": \"%s\", "
              "\"ratio\": %.3f, \"peer_version\": \"%s\"}",
              first_row ? "" : ",\n", metric, unit, ours, peer, who.name.c_str(), ratio,
              who.version.c_str());
  first_row = false;
}

} // namespace

int main(int argc, char** argv) {
  auto count = argc == 3 && std::strcmp(argv[1], "--rounds") == 0 ? std::atoi(argv[2]) : 5;
  std::vector<rounds> all{{troupe_local(), {}, {}, {}},
                          {troupe_zmq(), {}, {}, {}},
                          {caf_remote(), {}, {}, {}},
                          {bare_zmq(), {}, {}, {}}};
  for (int round = 0; round < count; ++round)
    for (auto& each : all) {
      auto got = run_round(each.who);
      each.ask_us.push_back(got.ask_rtt_us);
      each.one_way.push_back(got.one_way_per_s);
      each.echo.push_back(got.echo_64k_per_s);
      std::fprintf(stderr, "%-34s ask %8.1f us  one way %9.0f/s  echo 64 KiB %8.0f/s\n",
                   each.who.name.c_str(), got.ask_rtt_us, got.one_way_per_s, got.echo_64k_per_s);
    }
  auto& local = all[0];
  auto& remote = all[1];
  auto& caf = all[2];
  auto& zmq = all[3];
  auto less = [](const char* metric, rounds& ours, rounds& peer) {
    row(metric, "us", median(ours.ask_us), median(peer.ask_us), peer.who,
        median(peer.ask_us) / median(ours.ask_us));
  };
  std::puts("[");
  less("ask_rtt_p50", local, caf);
  less("ask_rtt_p50", local, zmq);
  row("oneway_64B_rate", "1/s", median(local.one_way), median(caf.one_way), caf.who,
      median(local.one_way) / median(caf.one_way));
  row("echo_64KiB_rate", "1/s", median(local.echo), median(caf.echo), caf.who,
      median(local.echo) / median(caf.echo));
  less("tcp_ask_rtt_p50", remote, caf);
  row("tcp_oneway_64B_rate", "1/s", median(remote.one_way), median(caf.one_way), caf.who,
      median(remote.one_way) / median(caf.one_way));
  std::puts("\n]");
}
