#include "kernels/collective/shm/link.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <thread>

namespace troupe::collective::shm {
namespace {

constexpr auto poll_interval = std::chrono::milliseconds(2); // for the file of rank 0 to appear
constexpr size_t name_max = 200;

// The memory, and the file behind it while it still has a name to remove.
struct opened {
  std::unique_ptr<region> memory;
  owned_fd file;
};

error system_failure(const std::string& what, const std::string& path, int code) {
  return {errc::io, what + " " + path + " failed (" + strerror(code)
                      + "): check that /dev/shm is writable and has room."};
}

// Whether `path` still leads to this open file.
bool has_name(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat named {};
  return fstat(fd, &open_file) == 0 && stat(path.c_str(), &named) == 0
         && open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

void remove_name(int fd, const std::string& path) {
  if (has_name(fd, path))
    unlink(path.c_str());
}

result<std::unique_ptr<region>> map(int fd, const group_options& options, const std::string& path) {
  auto* base = mmap(nullptr, region_bytes(options.size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED)
    return system_failure("mapping", path, errno);
  return std::make_unique<region>(base, options.rank, options.size);
}

// Writes everything that the others rely on before the file gets its name.
void format(region& memory, const group_options& options) {
  auto& head = *new (&memory.head()) header{};
  head.magic = magic;
  head.size = options.size;
  head.nonce = new_nonce();
  head.proof = region_proof(options, head.nonce);
  for (uint32_t r = 0; r < options.size; ++r)
    new (&memory.slot_of(r)) slot{};
  memory.slot_of(0).process = this_process();
  memory.slot_of(0).state = slot_joined;
  head.joined = 1;
}

// A file that a creator left which has died is removed; one that is in use is not.
result<void> remove_leftover(const group_options& options, const std::string& path) {
  owned_fd old(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!old)
    return errno == ENOENT ? result<void>{} : system_failure("opening", path, errno);
  struct stat info {};
  auto whole = fstat(old.get(), &info) == 0
               && info.st_size >= static_cast<off_t>(sizeof(header) + sizeof(slot));
  process_mark creator;
  if (whole
      && pread(old.get(), &creator, sizeof(creator), sizeof(header) + offsetof(slot, process))
           == sizeof(creator)
      && is_running(creator))
    return {errc::already_exists, path + " belongs to a group that is being made by process "
                                    + std::to_string(creator.pid) + ": use a name of its own for "
                                    + "each job and generation ("
                                    + std::to_string(options.generation) + ")."};
  remove_name(old.get(), path);
  return {};
}

// The file is made under a name of its own and then linked: the others see it whole or not at all.
result<opened> create(const group_options& options, const std::string& path) {
  auto draft = path + ".new." + std::to_string(getpid());
  unlink(draft.c_str());
  owned_fd fd(open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    return system_failure("creating", draft, errno);
  // Reserved now: a full /dev/shm is an error here and would be a SIGBUS later.
  auto code = posix_fallocate(fd.get(), 0, static_cast<off_t>(region_bytes(options.size)));
  if (code != 0) {
    unlink(draft.c_str());
    return system_failure("reserving memory in", draft, code);
  }
  auto memory = map(fd.get(), options, draft);
  if (!memory) {
    unlink(draft.c_str());
    return memory.error();
  }
  format(**memory, options);
  auto linked = link(draft.c_str(), path.c_str()) == 0;
  if (!linked && errno == EEXIST) {
    if (auto removed = remove_leftover(options, path); !removed) {
      unlink(draft.c_str());
      return removed.error();
    }
    linked = link(draft.c_str(), path.c_str()) == 0;
  }
  code = errno;
  unlink(draft.c_str());
  if (!linked)
    return system_failure("naming", path, code);
  return opened{std::move(*memory), std::move(fd)};
}

// Looks at a file that rank 0 may have made. Without a value and without an error: not there yet.
result<opened> open_existing(const group_options& options, const std::string& path) {
  owned_fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd)
    return errno == ENOENT ? result<opened>(opened{}) : system_failure("opening", path, errno);
  alignas(header) char raw[sizeof(header) + sizeof(slot)];
  if (pread(fd.get(), raw, sizeof(raw), 0) != sizeof(raw))
    return {errc::refused, path + " is no memory of a group: use another name."};
  auto& head = *reinterpret_cast<header*>(raw);
  auto& creator = *reinterpret_cast<slot*>(raw + sizeof(header));
  if (!is_running(creator.process))
    return opened{}; // a leftover, which rank 0 will replace
  struct stat info {};
  auto fits = fstat(fd.get(), &info) == 0 && head.magic == magic && head.size == options.size
              && info.st_size == static_cast<off_t>(region_bytes(options.size));
  if (!fits || !same(head.proof, region_proof(options, head.nonce)))
    return {errc::refused, path + " belongs to a group with another secret, generation or size: "
                             + "this rank is of an old attempt, or was given wrong options."};
  auto memory = map(fd.get(), options, path);
  if (!memory)
    return memory.error();
  auto& own = (*memory)->slot_of(options.rank);
  auto free = static_cast<uint32_t>(slot_free);
  if (!own.state.compare_exchange_strong(free, slot_claimed))
    return {errc::already_exists, "rank " + std::to_string(options.rank) + " of " + path
                                    + " is taken: start each rank once."};
  own.process = this_process();
  own.state = slot_joined;
  return opened{std::move(*memory), std::move(fd)};
}

result<opened> await_existing(const group_options& options, const std::string& path,
                              time_point until) {
  for (;;) {
    auto found = open_existing(options, path);
    if (!found || found->memory)
      return found;
    auto called_off = options.called_off && options.called_off();
    auto late = now() >= until;
    // Nobody may come again under this name: what rank 0 made before it died would stay for good.
    if (called_off || late)
      static_cast<void>(remove_leftover(options, path));
    if (called_off)
      return {errc::aborted, "joining was called off: a later generation is there."};
    if (late)
      return {errc::deadline, "rank 0 did not make " + path
                                + " in time: check that it runs on this host, or wait longer."};
    std::this_thread::sleep_for(poll_interval);
  }
}

} // namespace

result<std::unique_ptr<region>> join(const group_options& options, const std::string& name,
                                     time_point until) {
  if (name.empty() || name.size() > name_max || name.front() == '.'
      || name.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
    return {errc::invalid, "'" + name + "' cannot name the memory of a group: use 1 to "
                             + std::to_string(name_max) + " bytes without a slash."};
  auto path = "/dev/shm/" + name;
  auto mine = options.rank == 0 ? create(options, path) : await_existing(options, path, until);
  if (!mine)
    return mine.error();
  auto& memory = *mine->memory;
  // The last one to come removes the name, so that nothing is left whatever happens later.
  if (options.rank != 0 && memory.head().joined.fetch_add(1) + 1 == options.size)
    remove_name(mine->file.get(), path);
  auto complete = memory.wait_joined(until, options.called_off);
  if (!complete) {
    remove_name(mine->file.get(), path);
    return complete.error();
  }
  return std::move(mine->memory);
}

} // namespace troupe::collective::shm
