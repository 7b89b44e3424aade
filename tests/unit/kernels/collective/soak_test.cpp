// Groups whose ranks are killed, frozen and cut off at any moment, and what is left of them, which
// makes the next generation. TROUPE_SOAK_ROUNDS=COUNT or FIRST:COUNT (12), TROUPE_SEED (1).
#include "tests/unit/kernels/collective/drill.hpp"
#include "tests/unit/kernels/collective/soak_plan.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::collective::test {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t generations_max = 3;
// Beyond the deadline. Who has not ended by then hangs, also on a busy machine.
constexpr duration patience = 20s;

enum class stage : uint32_t { ready, joined, worked, failed, finished, left };

// From a process to the test, in one write.
struct report {
  uint32_t process = 0;
  uint32_t generation = 0;
  stage at = stage::ready;
  errc code = errc::ok;
  char text[240] = {};
};
static_assert(sizeof(report) <= 512, "a write of PIPE_BUF bytes is whole");

using counts = std::array<std::array<std::atomic<uint64_t>, soak_ranks_max>, generations_max>;

// What all processes of a round have from the test.
struct shared_things {
  const round_plan& plan;
  std::vector<std::unique_ptr<place>> places{}; // by generation
  counts* entered = nullptr;                    // in shared memory
  int reads = -1;                               // reports
  int writes = -1;
};

size_t open_files() {
  namespace fs = std::filesystem;
  return static_cast<size_t>(
    std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

// Names in /dev/shm that the groups of this test gave.
std::vector<std::string> shared_names() {
  std::vector<std::string> out;
  auto prefix = "troupe_test." + std::to_string(getpid()) + ".";
  for (auto& each : std::filesystem::directory_iterator("/dev/shm")) {
    if (const auto& path = each.path(); path.filename().string().starts_with(prefix))
      out.push_back(path);
  }
  return out;
}

// Whether memory of a group is still mapped here.
bool maps_groups() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("troupe collective") != line.npos || line.find("/troupe_test.") != line.npos)
      return true;
  }
  return false;
}

volatile sig_atomic_t cut_choice = 0;

// Shuts down the connections of this process, or one of them.
void cut_connections(int) {
  auto code = errno;
  auto each_connection = [](auto act) {
    for (int fd = 3; fd < 256; ++fd) {
      sockaddr_storage peer{};
      socklen_t length = sizeof(peer);
      if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0
          && peer.ss_family == AF_INET)
        act(fd);
    }
  };
  int count = 0;
  each_connection([&](int) { ++count; });
  auto chosen = cut_choice == 0 || count == 0 ? -1 : cut_choice % count;
  int seen = 0;
  each_connection([&](int fd) {
    if (chosen < 0 || seen++ == chosen)
      shutdown(fd, SHUT_RDWR);
  });
  errno = code;
}

// One process: a member of some of the generations.
class member {
public:
  member(shared_things& things, uint32_t process) : things_(things), process_(process) {}

  void live() {
    take_possession();
    tell(stage::ready, 0);
    for (uint32_t g = 0; g < things_.plan.generations.size(); ++g) {
      auto& each = things_.plan.generations[g];
      if (!each.has(process_))
        continue;
      auto files = open_files();
      cut_choice = static_cast<int>(each.cut);
      auto done = work_in(g);
      files -= each.kind == backend::shm ? 0 : 1; // the listening socket
      if (open_files() != files || maps_groups())
        done = {errc::internal, "a group that has gone leaves files or memory in its process"};
      tell(done ? stage::finished : stage::failed, g, done);
    }
    tell(stage::left, 0);
  }

private:
  // The listening sockets of the other processes belong to them alone.
  void take_possession() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sigaction cut {};
    cut.sa_handler = cut_connections;
    sigaction(SIGUSR1, &cut, nullptr);
    close(things_.reads);
    for (uint32_t g = 0; g < things_.plan.generations.size(); ++g) {
      auto& members = things_.plan.generations[g].members;
      for (uint32_t r = 0; r < members.size(); ++r) {
        if (members[r] != process_)
          things_.places[g]->close_listener(r);
      }
    }
  }

  result<void> work_in(uint32_t g) {
    auto& plan = things_.plan.generations[g];
    auto rank = static_cast<uint32_t>(std::find(plan.members.begin(), plan.members.end(), process_)
                                      - plan.members.begin());
    auto options = options_of(rank, static_cast<uint32_t>(plan.members.size()), plan.deadline);
    options.generation = g + 1;
    auto joined = things_.places[g]->join(options);
    if (!joined)
      return joined.error();
    tell(stage::joined, g);
    drill work(**joined, plan.seed, (*things_.entered)[g]);
    TROUPE_TRY(work.prepare());
    for (size_t i = 0; plan.what != fault::none || i < plan.operations; ++i) {
      TROUPE_TRY(work.next());
      tell(stage::worked, g);
    }
    // Nobody leaves while another one still needs it.
    return work.meet();
  }

  void tell(stage at, uint32_t g, const result<void>& done = {}) {
    report x{process_, g, at, done ? errc::ok : done.error().code};
    if (!done)
      strncpy(x.text, done.error().text.c_str(), sizeof(x.text) - 1);
    ssize_t written = 0;
    do {
      written = write(things_.writes, &x, sizeof(x));
    } while (written < 0 && errno == EINTR);
    if (written != sizeof(x))
      _exit(99);
  }

  shared_things& things_;
  const uint32_t process_;
};

// The test's side of a round: starts the processes, strikes, and hears what becomes of them.
class soak_round {
public:
  explicit soak_round(const round_plan& plan)
    : plan_(plan), things_{plan}, pids_(plan.processes), ready_(plan.processes),
      left_(plan.processes), states_(plan.generations.size()) {
    make_places();
    auto* memory
      = mmap(nullptr, sizeof(counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    things_.entered = new (memory) counts{};
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    things_.reads = ends[0];
    things_.writes = ends[1];
  }
  ~soak_round() {
    for (auto& pid : pids_)
      end(pid);
    close(things_.reads);
    close(things_.writes);
    munmap(things_.entered, sizeof(counts));
  }
  soak_round(const soak_round&) = delete;
  soak_round& operator=(const soak_round&) = delete;

  // Errors: what must not happen, as a sentence.
  result<void> run() {
    for (uint32_t g = 0; g < plan_.generations.size(); ++g) {
      TROUPE_TRY(start_members(g));
      TROUPE_TRY(thaw(g));
      TROUPE_TRY(plan_.generations[g].what == fault::none ? await_end(g, stage::finished)
                                                          : strike(g));
    }
    for (auto p : ended_last_)
      end(pids_[p]);
    return await("leave", [&](uint32_t p) { return pids_[p] == 0 || left_[p]; });
  }

private:
  struct state {
    size_t reports = 0;
    bool struck = false;
    std::array<stage, soak_ranks_max * generations_max> of{}; // by process
  };

  void make_places() {
    std::vector<listening> own;
    for (uint32_t p = 0; p < plan_.processes; ++p)
      own.push_back(listen_on(p % plan_.hosts));
    for (auto& each : plan_.generations) {
      std::vector<listening> at;
      for (auto p : each.members)
        at.push_back(own[p]);
      gang_shape shape{each.kind, static_cast<uint32_t>(at.size()), plan_.hosts};
      things_.places.push_back(plan_.same_addresses ? std::make_unique<place>(each.kind, at)
                                                    : std::make_unique<place>(shape));
    }
    for (auto& each : own)
      close(each.fd);
  }

  static void end(pid_t& pid) {
    if (pid <= 0)
      return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = 0;
  }

  result<void> start_members(uint32_t g) {
    for (auto p : plan_.generations[g].members) {
      if (pids_[p] != 0)
        continue;
      pids_[p] = fork();
      if (pids_[p] < 0)
        return {errc::io, "no more processes"};
      if (pids_[p] == 0) {
        member(things_, p).live();
        _exit(0);
      }
      // Now only that process has its listening sockets: they end with it.
      for (uint32_t other = 0; other < plan_.generations.size(); ++other) {
        auto& members = plan_.generations[other].members;
        for (uint32_t r = 0; r < members.size(); ++r) {
          if (members[r] == p)
            things_.places[other]->close_listener(r);
        }
      }
    }
    return await("start", [&](uint32_t p) { return !plan_.generations[g].has(p) || ready_[p]; });
  }

  // Those that were frozen until now go on beside the members of this generation.
  result<void> thaw(uint32_t g) {
    if (g == 0 || plan_.generations[g - 1].what != fault::thaw)
      return {};
    auto enough = [&](uint32_t) { return states_[g].reports >= plan_.generations[g].awaits; };
    TROUPE_TRY(await("work", enough));
    for (auto p : plan_.generations[g - 1].victims)
      kill(pids_[p], SIGCONT);
    return {};
  }

  result<void> strike(uint32_t g) {
    auto& x = plan_.generations[g];
    auto& now_at = states_[g];
    auto all_joined
      = [&](uint32_t p) { return x.while_joining || !x.has(p) || now_at.of[p] != stage::ready; };
    TROUPE_TRY(await("join", all_joined));
    TROUPE_TRY(await("work", [&](uint32_t) { return now_at.reports >= x.reports; }));
    TROUPE_TRY(listen_for(x.delay));
    now_at.struck = true;
    auto first = x.victims.front();
    switch (x.what) {
    case fault::none:
      break;
    case fault::kill:
      for (auto p : x.victims)
        kill(pids_[p], SIGKILL);
      break;
    case fault::kill_first:
      for (auto p : x.victims)
        kill(pids_[p], p == first ? SIGKILL : SIGSTOP);
      break;
    case fault::pause:
      kill(pids_[first], SIGSTOP);
      TROUPE_TRY(listen_for(10 * x.delay));
      kill(pids_[first], SIGCONT);
      TROUPE_TRY(listen_for(x.delay));
      kill(pids_[first], SIGKILL);
      break;
    case fault::freeze:
    case fault::thaw:
      for (auto p : x.victims)
        kill(pids_[p], SIGSTOP);
      break;
    case fault::cut:
      kill(pids_[first], SIGUSR1);
      break;
    }
    for (auto p : x.victims) {
      auto killed = x.what == fault::kill || x.what == fault::pause
                    || (x.what == fault::kill_first && p == first);
      if (killed && x.reaped)
        end(pids_[p]);
      else if (killed || (x.freezes() && x.what != fault::thaw))
        ended_last_.push_back(p);
    }
    return await_end(g, stage::failed);
  }

  // Until each member that was not struck has come to that end.
  result<void> await_end(uint32_t g, stage wanted) {
    auto& x = plan_.generations[g];
    auto what = "end generation " + std::to_string(g + 1);
    return await(what.c_str(), [&](uint32_t p) {
      return !x.has(p) || (x.strikes(p) && x.what != fault::cut) || states_[g].of[p] == wanted;
    });
  }

  // Until `done` holds of each process.
  template <class Done>
  result<void> await(const char* what, const Done& done) {
    auto until = system_clock{}.now() + 10s + patience;
    for (;;) {
      uint32_t p = 0;
      while (p < plan_.processes && done(p))
        ++p;
      if (p == plan_.processes)
        return {};
      auto left = until - system_clock{}.now();
      if (left <= 0s)
        return {errc::deadline,
                "process " + std::to_string(p) + " hangs: it does not " + std::string(what)};
      TROUPE_TRY(hear(left));
    }
  }

  result<void> listen_for(duration time) {
    auto until = system_clock{}.now() + time;
    for (auto left = time; left > 0s; left = until - system_clock{}.now())
      TROUPE_TRY(hear(left));
    return {};
  }

  // Takes one report, if one comes in that time.
  result<void> hear(duration time) {
    pollfd ready{things_.reads, POLLIN, 0};
    timespec limit{time / 1s, (time % 1s).count()};
    if (ppoll(&ready, 1, &limit, nullptr) <= 0)
      return {};
    report x;
    if (read(things_.reads, &x, sizeof(x)) != sizeof(x))
      return {errc::io, "a report is cut short"};
    auto& plan = plan_.generations[x.generation];
    auto& now_at = states_[x.generation];
    switch (x.at) {
    case stage::ready:
      ready_[x.process] = true;
      return {};
    case stage::left:
      left_[x.process] = true;
      waitpid(std::exchange(pids_[x.process], 0), nullptr, 0);
      return {};
    default:
      break;
    }
    now_at.of[x.process] = x.at;
    ++now_at.reports;
    if (x.at != stage::failed || (now_at.struck && plan.allows(x.code)))
      return {};
    return {errc::internal, "process " + std::to_string(x.process) + " fails in generation "
                              + std::to_string(x.generation + 1)
                              + (now_at.struck ? "" : ", though nothing has happened,") + " with "
                              + std::string(name_of(x.code)) + ": " + x.text};
  }

  const round_plan& plan_;
  shared_things things_;
  std::vector<pid_t> pids_; // 0: not started, or ended
  std::vector<bool> ready_;
  std::vector<bool> left_;
  std::vector<uint32_t> ended_last_;
  std::vector<state> states_; // by generation
};

struct range {
  uint64_t first = 1;
  uint64_t count = 12;
};

uint64_t number_in(std::string_view digits, uint64_t otherwise) {
  std::from_chars(digits.data(), digits.data() + digits.size(), otherwise);
  return otherwise;
}

range rounds_wanted() {
  range out;
  auto* text = std::getenv("TROUPE_SOAK_ROUNDS");
  std::string_view rest = text ? text : "";
  if (auto colon = rest.find(':'); colon != rest.npos) {
    out.first = number_in(rest.substr(0, colon), out.first);
    rest = rest.substr(colon + 1);
  }
  out.count = number_in(rest, out.count);
  return out;
}

// Whether a process that died while it joined may have left this: a file that had no name yet for
// the others, or one for which none of its host waits any more.
bool may_be_left(const std::string& path, const round_plan& plan) {
  auto draft = path.find(".new.") != path.npos;
  return std::any_of(plan.generations.begin(), plan.generations.end(), [&](auto& each) {
    return each.while_joining && (draft || each.kind == backend::hierarchical);
  });
}

TEST(Soak, RanksThatAreKilledFrozenOrCutOffLeaveAGroupThatGoesOn) {
  auto* text = std::getenv("TROUPE_SEED");
  auto seed = number_in(text ? text : "", 1);
  auto wanted = rounds_wanted();
  auto files = open_files();
  for (auto round = wanted.first; round < wanted.first + wanted.count; ++round) {
    auto plan = draw_round(seed, round);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round)
                 + "; repeat it with TROUPE_SEED=" + std::to_string(seed) + " TROUPE_SOAK_ROUNDS="
                 + std::to_string(round) + ":1 collective_soak_test\n" + describe(plan));
    auto done = soak_round(plan).run();
    ASSERT_TRUE(done) << done.error().text;
    for (auto& each : shared_names()) {
      if (may_be_left(each, plan))
        unlink(each.c_str());
    }
    ASSERT_EQ(shared_names(), std::vector<std::string>{});
    ASSERT_EQ(open_files(), files);
    ASSERT_TRUE(waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) << "a process is left";
  }
}

} // namespace
} // namespace troupe::collective::test
