#include "actors/jobs/read_trace.hpp"

#include "actors/jobs/task_files.hpp"
#include "runtime/base/assert.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>

namespace troupe {

namespace {

#if defined(__x86_64__)
constexpr uint32_t native = AUDIT_ARCH_X86_64;
constexpr uint32_t foreign_calls = 0x40000000; // the numbers of x32 begin there
#elif defined(__aarch64__)
constexpr uint32_t native = AUDIT_ARCH_AARCH64;
constexpr uint32_t foreign_calls = 0xffffffff;
#else
constexpr uint32_t native = 0; // nothing is traced there
constexpr uint32_t foreign_calls = 0;
#endif
#if defined(__NR_open)
constexpr uint32_t old_open = __NR_open;
#else
constexpr uint32_t old_open = 0xfffffffe; // there is none
#endif

constexpr uint32_t argument(uint32_t n) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + n * sizeof(uint64_t)); // its low half
}

constexpr sock_filter load(uint32_t at) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at);
}

// Jumps count from the next instruction.
constexpr sock_filter jump(uint16_t how, uint32_t value, uint8_t if_true, uint8_t if_false) {
  return {static_cast<uint16_t>(BPF_JMP | how | BPF_K), if_true, if_false, value};
}

// Asks about each open for reading; decides the rest in the kernel.
constexpr std::array<sock_filter, 16> filter{{
  load(offsetof(seccomp_data, arch)),
  jump(BPF_JEQ, native, 0, 13),
  load(offsetof(seccomp_data, nr)),
  jump(BPF_JGE, foreign_calls, 11, 0),
  jump(BPF_JEQ, __NR_openat2, 9, 0),
  jump(BPF_JEQ, __NR_openat, 2, 0),
  jump(BPF_JEQ, old_open, 0, 8),
  BPF_STMT(BPF_JMP | BPF_JA, 2),
  load(argument(2)),
  BPF_STMT(BPF_JMP | BPF_JA, 1),
  load(argument(1)),
  jump(BPF_JSET, O_PATH | O_DIRECTORY, 3, 0),
  BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_ACCMODE),
  jump(BPF_JEQ, O_WRONLY, 1, 0),
  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
}};

// Its listener; -1 with errno.
int put_filter() noexcept {
  sock_fprog program{static_cast<unsigned short>(filter.size()),
                     const_cast<sock_filter*>(filter.data())};
  constexpr unsigned killable = 1 << 5; // a signal does not repeat the question; Linux 5.19
  for (unsigned more : {killable, 0U}) {
    auto out = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                         SECCOMP_FILTER_FLAG_NEW_LISTENER | more, &program);
    if (out >= 0 || errno != EINVAL)
      return static_cast<int>(out);
  }
  return -1;
}

// An error number, and with 0 a descriptor.
void send_listener(int to, int code, int listener) noexcept {
  iovec body{&code, sizeof code};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  if (code == 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof listener);
    std::memcpy(CMSG_DATA(part), &listener, sizeof listener);
  }
  ::sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string reason_of(int code) {
  if (code == EBUSY)
    return "what runs it has a filter of system calls with a listener already; run the node "
           "outside of it";
  if (code == EACCES || code == EPERM)
    return "the kernel does not permit it (seccomp); give the node CAP_SYS_ADMIN, or allow it to "
           "filter system calls";
  return std::string{"the kernel refuses the filter of system calls: "} + std::strerror(code)
         + "; Linux 5.5 or later has it";
}

// A text of another process, to its 0; as much as one page and the next one hold.
std::optional<std::string> text_at(pid_t process, uint64_t at) {
  std::array<char, PATH_MAX> bytes;
  constexpr uint64_t page = 4096;
  auto first = std::min<uint64_t>(page - at % page, bytes.size());
  std::array<iovec, 2> there{{{reinterpret_cast<void*>(at), first},
                              {reinterpret_cast<void*>(at + first), bytes.size() - first}}};
  iovec here{bytes.data(), bytes.size()};
  auto got = ::process_vm_readv(process, &here, 1, there.data(), there.size(), 0);
  if (got <= 0)
    return std::nullopt;
  std::string_view all{bytes.data(), static_cast<size_t>(got)};
  auto end = all.find('\0');
  if (end == std::string_view::npos || end == 0)
    return std::nullopt;
  return std::string{all.substr(0, end)};
}

// Where a link of /proc leads; empty: nowhere.
std::string link_of(pid_t process, const std::string& name) {
  std::error_code none;
  auto out = std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/" + name, none);
  return none ? std::string{} : out.string();
}

} // namespace

result<trace_request> trace_request::make() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return {errc::io, "no sockets for the trace of the task: " + std::string{std::strerror(errno)}
                        + "; raise the limit of open files"};
  trace_request out;
  out.read_ = owned_fd{ends[0]};
  // Out of the way of the small numbers that the child's descriptors get.
  owned_fd low{ends[1]};
  out.write_ = owned_fd{::fcntl(low.get(), F_DUPFD_CLOEXEC, 32)};
  return out;
}

void trace_request::install(bool as_task) noexcept {
  if (installed_)
    return;
  if (as_task && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return send_listener(write_.get(), errno, -1);
  auto listener = put_filter();
  if (listener < 0 && errno == EACCES && !as_task)
    return; // as the task, with less
  installed_ = true;
  send_listener(write_.get(), listener < 0 ? errno : 0, listener);
}

result<owned_fd> trace_request::listener() const {
  int code = 0;
  iovec body{&code, sizeof code};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  if (::recvmsg(read_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof code)
    return {errc::unavailable, reason_of(EPERM)};
  auto* part = CMSG_FIRSTHDR(&message);
  if (code != 0 || part == nullptr || part->cmsg_type != SCM_RIGHTS)
    return {errc::unavailable, reason_of(code)};
  int got = -1;
  std::memcpy(&got, CMSG_DATA(part), sizeof got);
  return owned_fd{got};
}

read_trace::read_trace(owned_fd listener)
  : listener_(std::move(listener)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  TROUPE_ASSERT(wake_);
  thread_ = std::thread{[this] { work(); }};
}

read_trace::~read_trace() {
  uint64_t unused = 0;
  stop(unused);
}

std::vector<std::string> read_trace::stop(uint64_t& left_out) {
  if (thread_.joinable()) {
    uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
    thread_.join();
    listener_.close();
  }
  left_out += std::exchange(left_out_, 0);
  return std::exchange(paths_, {});
}

void read_trace::work() {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
    sizes = {sizeof(seccomp_notif), sizeof(seccomp_notif_resp), sizeof(seccomp_data)};
  // A later kernel's may be longer.
  std::vector<uint64_t> asked(std::max<size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)) / 8 + 1);
  std::vector<uint64_t> answer(
    std::max<size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)) / 8 + 1);
  for (;;) {
    std::array<pollfd, 2> seen{{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (::poll(seen.data(), seen.size(), -1) < 0)
      continue;
    if (seen[1].revents != 0 || (seen[0].revents & (POLLERR | POLLNVAL)) != 0)
      return;
    if ((seen[0].revents & POLLIN) == 0) {
      if ((seen[0].revents & POLLHUP) != 0)
        return; // nobody has the filter any more
      continue;
    }
    std::fill(asked.begin(), asked.end(), 0);
    std::fill(answer.begin(), answer.end(), 0);
    auto& question = *reinterpret_cast<seccomp_notif*>(asked.data());
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &question) != 0)
      continue; // who asked was killed
    note(question);
    auto& reply = *reinterpret_cast<seccomp_notif_resp*>(answer.data());
    reply.id = question.id;
    reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &reply);
  }
}

void read_trace::note(const seccomp_notif& asked) {
  auto process = static_cast<pid_t>(asked.pid);
  auto& call = asked.data;
  auto is_old = static_cast<uint32_t>(call.nr) == old_open;
  if (call.nr == __NR_openat2) {
    uint64_t flags = 0;
    iovec here{&flags, sizeof flags};
    iovec there{reinterpret_cast<void*>(call.args[2] + offsetof(open_how, flags)), sizeof flags};
    if (::process_vm_readv(process, &here, 1, &there, 1, 0) != sizeof flags
        || (flags & (O_PATH | O_DIRECTORY)) != 0 || (flags & O_ACCMODE) == O_WRONLY)
      return;
  }
  auto path = text_at(process, call.args[is_old ? 0 : 1]);
  if (!path)
    return;
  if (!path->starts_with('/')) {
    auto at = is_old ? AT_FDCWD : static_cast<int>(call.args[0]);
    auto base = link_of(process, at == AT_FDCWD ? "cwd" : "fd/" + std::to_string(at));
    if (!base.starts_with('/'))
      return;
    path = base + "/" + *path;
  }
  auto whole = std::filesystem::path{*path}.lexically_normal().string();
  if (!is_data(whole) || known_.contains(whole) || link_of(process, "root") != "/")
    return;
  // What is sought on a path of directories is mostly not there.
  struct stat found {};
  if (::stat(whole.c_str(), &found) != 0 || !S_ISREG(found.st_mode))
    return;
  if (paths_.size() >= paths_max) {
    ++left_out_;
    return;
  }
  known_.insert(whole);
  paths_.push_back(std::move(whole));
}

} // namespace troupe
