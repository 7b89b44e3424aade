#include "launcher/in_image.hpp"

#include "actors/jobs/task_image.hpp"
#include "actors/jobs/task_user.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>
#include <string_view>

namespace troupe::launcher {
namespace {

constexpr int exit_not_allowed = 126;
constexpr int exit_not_found = 127;

// What podman gets: nothing of the task's.
constexpr auto own_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr auto own_home = "HOME=/root";

struct image_order {
  std::string image;
  std::string directory;
  std::string user;
  uint64_t memory = 0;             // bytes; 0: no limit
  std::vector<std::string> groups; // files of the control groups to join
  std::vector<image_mount> own;    // what the node mounts
  std::vector<image_mount> mounts; // what the job names
  int environment = -1; // a descriptor with the variables, each with a zero byte behind it
  char** command = nullptr;
};

result<void> failed(const std::string& what) {
  return {errc::io, what + ": " + std::strerror(errno)};
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

result<image_order> read_order(int argc, char** argv) {
  image_order out;
  out.image = argc > 2 ? argv[2] : "";
  int i = 3;
  for (; i + 1 < argc && std::string_view{argv[i]} != "--"; i += 2) {
    std::string_view name{argv[i]};
    std::string value{argv[i + 1]};
    auto right = true;
    if (name == "--directory")
      out.directory = value;
    else if (name == "--user")
      out.user = value;
    else if (name == "--group")
      out.groups.push_back(value);
    else if (name == "--memory")
      right = read_number(value, out.memory);
    else if (name == "--environment")
      right = read_number(value, out.environment);
    else if (auto mount = parse_mount(value); mount && name == "--own-mount")
      out.own.push_back(std::move(*mount));
    else if (mount && name == "--mount")
      out.mounts.push_back(std::move(*mount));
    else
      right = false;
    if (!right)
      return {errc::invalid, "a bad order: " + std::string{name} + " " + value};
  }
  if (i + 1 >= argc || out.environment < 0 || out.image.empty())
    return {errc::invalid, "a bad order: it needs an image, --environment and a command"};
  out.command = argv + i + 1;
  return out;
}

std::string read_all(int fd) {
  std::string out;
  std::array<char, 4096> piece;
  for (ssize_t got = 0; (got = ::read(fd, piece.data(), piece.size())) != 0;)
    if (got > 0)
      out.append(piece.data(), static_cast<size_t>(got));
    else if (errno != EINTR)
      break;
  return out;
}

// What podman prints; what it says otherwise goes to the log of the task.
std::optional<std::string> podman(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return {};
  owned_fd from{ends[0]}, to{ends[1]};
  words.insert(words.begin(), "podman");
  std::vector<char*> arguments;
  for (auto& each : words)
    arguments.push_back(each.data());
  arguments.push_back(nullptr);
  auto child = ::fork();
  if (child == 0) {
    ::dup2(to.get(), 1);
    std::array<char*, 3> variables{const_cast<char*>(own_path), const_cast<char*>(own_home),
                                   nullptr};
    ::execvpe("podman", arguments.data(), variables.data());
    std::fprintf(stderr, "podman: %s\n", std::strerror(errno));
    ::_exit(exit_not_found);
  }
  to.close();
  auto out = read_all(from.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return {};
  while (out.ends_with('\n'))
    out.pop_back();
  return out;
}

struct image_content {
  std::string root;        // where it is mounted, to be read
  std::string environment; // a line for each variable
};

result<image_content> fetch_image(const std::string& image) {
  error none{errc::not_found, "podman cannot get the image " + image
                                + ": what it says is above; correct the name, or pull it there"};
  if (!podman({"image", "exists", image}) && !podman({"pull", "--quiet", "docker://" + image}))
    return none;
  auto variables
    = podman({"image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", image});
  auto root = podman({"image", "mount", image});
  if (!variables || !root || root->empty())
    return none;
  return image_content{std::move(*root), std::move(*variables)};
}

// A copy of what is mounted there, and below, that is to be mounted at `to`.
struct detached_mount {
  owned_fd tree;
  std::string to;
  bool directory = true;
};

// Resolves paths as the user would, as long as it lives; this process stays root otherwise.
class user_of_files {
public:
  explicit user_of_files(const std::optional<task_user>& user) : changed_(user.has_value()) {
    if (!user)
      return;
    ::setgroups(user->groups.size(), user->groups.data());
    ::setfsgid(user->group);
    ::setfsuid(user->id);
  }
  ~user_of_files() {
    if (!changed_)
      return;
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
    ::setgroups(0, nullptr);
  }

  user_of_files(const user_of_files&) = delete;
  user_of_files& operator=(const user_of_files&) = delete;

private:
  const bool changed_;
};

result<detached_mount> detach(const image_mount& what) {
  detached_mount out{owned_fd{::open_tree(AT_FDCWD, what.from.c_str(),
                                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)},
                     what.to, true};
  struct stat facts {};
  if (!out.tree || ::fstat(out.tree.get(), &facts) != 0)
    return failed("'" + what.from + "' cannot be mounted").error();
  out.directory = S_ISDIR(facts.st_mode);
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (what.read_only
      && ::mount_setattr(out.tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only,
                         sizeof read_only)
           != 0)
    return failed("'" + what.from + "' cannot be mounted to be read only").error();
  return out;
}

owned_fd open_in(int root, const std::string& path, uint64_t flags, uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return owned_fd{static_cast<int>(
    ::syscall(SYS_openat2, root, path == "/" ? "." : path.c_str() + 1, &how, sizeof how))};
}

owned_fd make_folder(int root, const std::string& path);

// The folder above, of the image itself and of nothing that is mounted into it.
owned_fd make_above(int root, const std::string& path) {
  auto slash = path.rfind('/');
  return make_folder(root, slash == 0 ? "/" : path.substr(0, slash));
}

owned_fd make_folder(int root, const std::string& path) {
  auto there = open_in(root, path, O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);
  if (there || path == "/" || errno != ENOENT)
    return there;
  auto above = make_above(root, path);
  if (!above || ::mkdirat(above.get(), path.c_str() + path.rfind('/') + 1, 0755) != 0)
    return {};
  return open_in(root, path, O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);
}

// What something is to be mounted on. Nothing is made where the node's own files are mounted.
owned_fd place_for(int root, const std::string& path, bool directory) {
  auto there = open_in(root, path, O_PATH, 0);
  if (there || errno != ENOENT)
    return there;
  if (directory)
    return make_folder(root, path);
  constexpr auto only_new = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  auto above = make_above(root, path);
  if (!above
      || !owned_fd{::openat(above.get(), path.c_str() + path.rfind('/') + 1, only_new, 0644)})
    return {};
  return open_in(root, path, O_PATH, 0);
}

// The image, with what is written to it in memory.
result<void> enter(const std::string& root, uint64_t memory) {
  owned_fd lower{::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  auto from = "lowerdir=/proc/self/fd/" + std::to_string(lower.get());
  constexpr auto base = "/tmp"; // of this namespace only
  auto size = "mode=755,size=" + (memory == 0 ? std::string{"25%"} : std::to_string(memory));
  auto layers = from + ",upperdir=/tmp/upper,workdir=/tmp/work";
  auto made
    = lower && ::mount("tmpfs", base, "tmpfs", 0, size.c_str()) == 0
      && ::mkdir("/tmp/upper", 0755) == 0 && ::mkdir("/tmp/work", 0755) == 0
      && ::mkdir("/tmp/root", 0755) == 0
      && ::mount("overlay", "/tmp/root", "overlay", MS_NODEV | MS_NOSUID, layers.c_str()) == 0
      && ::chdir("/tmp/root") == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0
      && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
  return made ? result<void>{} : failed("the image cannot be mounted");
}

result<void> build_root(const image_order& order, const image_content& image,
                        const std::optional<task_user>& user) {
  if (::unshare(CLONE_NEWNS) != 0
      || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return failed("no mount namespace for the image");
  std::vector<detached_mount> mounts;
  auto take = [&](const image_mount& what) -> result<void> {
    auto one = detach(what);
    if (!one)
      return one.error();
    mounts.push_back(std::move(*one));
    return {};
  };
  for (auto* each : {"/proc", "/sys", "/dev"})
    TROUPE_TRY(take({each, each}));
  for (auto* each : {"/etc/hosts", "/etc/resolv.conf"})
    [[maybe_unused]] auto there = take({each, each, true}); // a machine may be without it
  for (auto& each : order.own)
    TROUPE_TRY(take(each));
  {
    user_of_files its{user};
    for (auto& each : order.mounts)
      TROUPE_TRY(take(each));
  }
  TROUPE_TRY(enter(image.root, order.memory));
  if (::mkdir("/tmp", 0777) == 0)
    ::chmod("/tmp", 01777);
  owned_fd root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  for (auto& each : mounts) {
    auto place = place_for(root.get(), each.to, each.directory);
    if (!place
        || ::move_mount(each.tree.get(), "", place.get(), "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
             != 0)
      return failed("nothing can be mounted at '" + each.to + "' of the image");
  }
  return {};
}

// The task's variables, and those of the image that the task does not have.
void take_environment(const std::string& of_task, const std::string& of_image) {
  ::clearenv();
  auto set = [](const std::string& variable, int overwrite) {
    if (auto equals = variable.find('='); equals != std::string::npos && equals != 0)
      ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, overwrite);
  };
  std::istringstream given{of_task}, more{of_image};
  for (std::string each; std::getline(given, each, '\0');)
    set(each, 1);
  for (std::string each; std::getline(more, each);)
    set(each, 0);
  ::setenv("PATH", own_path + std::strlen("PATH="), 0);
  ::setenv("HOME", "/tmp", 0);
}

result<void> take_limits(const std::vector<owned_fd>& groups, uint64_t memory) {
  for (auto& each : groups)
    if (::write(each.get(), "0", 1) != 1)
      return failed("the task's control group cannot be joined");
  rlimit limit{memory, memory};
  if (memory != 0 && ::setrlimit(RLIMIT_DATA, &limit) != 0)
    return failed("the task's memory cannot be limited");
  return {};
}

result<void> become_task(const image_order& order) {
  auto variables = read_all(order.environment);
  ::close(order.environment);
  std::optional<task_user> user;
  if (!order.user.empty()) {
    auto found = find_task_user(order.user); // of the node, not of the image
    if (!found)
      return found.error();
    user = std::move(*found);
  }
  std::vector<owned_fd> groups;
  for (auto& each : order.groups)
    if (!groups.emplace_back(::open(each.c_str(), O_WRONLY | O_CLOEXEC)))
      return failed("the task's control group cannot be joined");
  auto image = fetch_image(order.image);
  if (!image)
    return image.error();
  TROUPE_TRY(build_root(order, *image, user));
  TROUPE_TRY(take_limits(groups, order.groups.empty() ? order.memory : 0));
  if (::chdir(order.directory.c_str()) != 0)
    return failed("the task's directory '" + order.directory + "' cannot be entered");
  if (user && !user->become())
    return failed("this process may not become user '" + order.user + "'");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return failed("the task's rights cannot be limited");
  take_environment(variables, image->environment);
  return {};
}

int fail_with(const std::string& text, int code) {
  std::fprintf(stderr, "troupe: %s\n", text.c_str());
  return code;
}

} // namespace

int run_in_image(int argc, char** argv) {
  auto order = read_order(argc, argv);
  if (!order)
    return fail_with(order.error().text, exit_no_image);
  if (auto ready = become_task(*order); !ready)
    return fail_with(ready.error().text, exit_no_image);
  ::execvp(order->command[0], order->command);
  auto code = errno;
  return fail_with("the program '" + std::string{order->command[0]}
                     + "' of the image cannot be executed: " + std::strerror(code),
                   code == ENOENT ? exit_not_found : exit_not_allowed);
}

} // namespace troupe::launcher
