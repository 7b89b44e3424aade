#include "tests/unit/kernels/collective/gang.hpp"

#include "runtime/base/owned_fd.hpp"
#include "tests/support/gpu.hpp"
#include "tests/unit/kernels/collective/staged_group.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>
#include <utility>

namespace troupe::collective::test {
namespace {

std::string new_name() {
  static std::atomic<uint32_t> number = 0;
  return "troupe_test." + std::to_string(getpid()) + "." + std::to_string(number++);
}

bool listens(backend kind) {
  return kind == backend::tcp || kind == backend::hierarchical;
}

result<std::unique_ptr<group>> join_gpus(const group_options& options, const std::string& name) {
  on_device parts;
  auto opened = cuda::open();
  if (!opened)
    return opened.error();
  parts.plugin = std::move(*opened);
  nccl_options more;
  more.device = static_cast<int>(options.rank);
  auto device = parts.plugin->open_device(more.device);
  if (!device)
    return device.error();
  parts.device = std::move(*device);
  auto over = join_shm(options, name);
  if (!over)
    return over.error();
  parts.over = std::move(*over);
  auto ranks = parts.plugin->join_nccl(options, *parts.over, more);
  if (!ranks)
    return ranks.error();
  parts.ranks = std::move(*ranks);
  return make_staged(std::move(parts));
}

bool ends_in_time(pid_t pid) {
  owned_fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  return !process || poll(&ended, 1, 60'000) != 0;
}

} // namespace

std::string name_of(backend kind) {
  switch (kind) {
  case backend::shm:
    return "shm";
  case backend::tcp:
    return "tcp";
  case backend::hierarchical:
    return "hierarchical";
  case backend::nccl:
    return "nccl";
  }
  return {};
}

std::string name_of(const gang_shape& shape) {
  auto out = name_of(shape.kind) + std::to_string(shape.ranks);
  if (shape.kind == backend::hierarchical)
    out.append("on").append(std::to_string(shape.hosts)).append(shape.in_blocks ? "blocks" : "");
  return out;
}

std::vector<gang_shape> sampled_shapes() {
  std::vector<gang_shape> out;
  for (auto ranks : {2u, 3u, 5u, 8u, 16u}) {
    out.push_back({backend::shm, ranks});
    out.push_back({backend::tcp, ranks});
    out.push_back({backend::hierarchical, ranks, std::min(ranks, ranks % 2 == 0 ? 4u : 3u)});
  }
  for (auto ranks : {2u, 4u})
    if (troupe::test::count_gpus() >= 4)
      out.push_back({backend::nccl, ranks});
  return out;
}

listening listen_on(uint32_t host) {
  return troupe::test::listen_at(("127.0.0." + std::to_string(1 + host)).c_str());
}

place::place(const gang_shape& shape) : kind_(shape.kind), name_(new_name()) {
  for (uint32_t r = 0; listens(kind_) && r < shape.ranks; ++r) {
    auto made = listen_on(kind_ == backend::hierarchical ? shape.host_of(r) : 0);
    listeners_.push_back(made.fd);
    members_.push_back(made.address);
  }
}

place::place(backend kind, const std::vector<listening>& at) : kind_(kind), name_(new_name()) {
  for (auto& each : at) {
    if (!listens(kind))
      break;
    listeners_.push_back(fcntl(each.fd, F_DUPFD_CLOEXEC, 0));
    members_.push_back(each.address);
  }
}

place::~place() {
  for (auto fd : listeners_) {
    if (fd >= 0)
      close(fd);
  }
}

int place::take_listener(uint32_t rank) {
  return std::exchange(listeners_[rank], -1);
}

void place::close_listener(uint32_t rank) {
  if (rank < listeners_.size() && listeners_[rank] >= 0)
    close(take_listener(rank));
}

result<std::unique_ptr<group>> place::join(const group_options& options) {
  if (kind_ == backend::shm)
    return join_shm(options, name_);
  if (kind_ == backend::nccl)
    return join_gpus(options, name_);
  if (kind_ == backend::tcp)
    return join_tcp(options, take_listener(options.rank), members_);
  return join_hierarchical(options, name_, take_listener(options.rank), members_);
}

group_options options_of(uint32_t rank, uint32_t ranks, duration deadline) {
  return {rank, ranks, 1, "a secret of the test", deadline};
}

void run_threads(const gang_shape& shape, const std::function<void(group&)>& body,
                 duration deadline) {
  place where(shape);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < shape.ranks; ++r) {
    threads.emplace_back([&, r] {
      auto joined = where.join(options_of(r, shape.ranks, deadline));
      EXPECT_TRUE(joined) << joined.error().text;
      if (joined)
        body(**joined);
    });
  }
  for (auto& thread : threads)
    thread.join();
}

namespace {

// The exit code of a rank, which leaves its group before it ends.
int run_rank(place& where, const group_options& options, const process_gang::body_type& body,
             int progress) {
  auto joined = where.join(options);
  return joined ? body(**joined, progress) : 100 + static_cast<int>(joined.error().code);
}

} // namespace

process_gang::process_gang(const gang_shape& shape, duration deadline, const body_type& body) {
  place where(shape);
  auto ranks = shape.ranks;
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  for (uint32_t r = 0; r < ranks; ++r) {
    auto pid = fork();
    EXPECT_GE(pid, 0);
    if (pid == 0) {
      close(ends[0]);
      // The other ranks' listeners belong to them alone.
      for (uint32_t other = 0; other < ranks; ++other) {
        if (other != r)
          where.close_listener(other);
      }
      _exit(run_rank(where, options_of(r, ranks, deadline), body, ends[1]));
    }
    pids_.push_back(pid);
  }
  close(ends[1]);
  progress_ = ends[0];
}

process_gang::~process_gang() {
  for (uint32_t r = 0; r < pids_.size(); ++r) {
    if (pids_[r] > 0) {
      signal(r, SIGKILL);
      await_exit(r);
    }
  }
  close(progress_);
}

bool process_gang::await_progress(size_t bytes, char which) {
  auto& seen = seen_[static_cast<uint8_t>(which)];
  while (seen < bytes) {
    pollfd ready{progress_, POLLIN, 0};
    uint8_t buffer[256];
    if (poll(&ready, 1, 20'000) <= 0)
      return false;
    auto got = read(progress_, buffer, sizeof(buffer));
    if (got <= 0)
      return false;
    for (auto each : std::span(buffer).first(static_cast<size_t>(got)))
      ++seen_[each];
  }
  return true;
}

void process_gang::signal(uint32_t rank, int number) {
  kill(pids_[rank], number);
}

int process_gang::await_exit(uint32_t rank) {
  int status = 0;
  if (!ends_in_time(pids_[rank]))
    return -2;
  waitpid(std::exchange(pids_[rank], 0), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace troupe::collective::test
