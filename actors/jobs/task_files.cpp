#include "actors/jobs/task_files.hpp"

#include "actors/jobs/task_user.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/regular_file.hpp"
#include "storage/hash.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

namespace troupe {

namespace {

namespace fs = std::filesystem;

using identity = std::pair<dev_t, ino_t>;

struct close_directory {
  void operator()(DIR* x) const { ::closedir(x); }
};
using open_directory = std::unique_ptr<DIR, close_directory>;

bool is_since(const statx_timestamp& x, const timespec& since) {
  return x.tv_sec > since.tv_sec || (x.tv_sec == since.tv_sec && x.tv_nsec >= since.tv_nsec);
}

std::string normal(const std::string& path) {
  auto out = fs::path{path}.lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/'))
    out.pop_back();
  return out;
}

owned_fd open_root(const std::string& path) {
  return owned_fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

std::optional<identity> identity_of(const std::string& path) {
  struct stat found {};
  if (path.empty() || ::stat(path.c_str(), &found) != 0)
    return std::nullopt;
  return identity{found.st_dev, found.st_ino};
}

// All of the task have ended: it is somebody else who does. Not known of every file system.
bool is_being_written(int file) {
  ::fcntl(file, F_SETSIG, SIGURG); // who opens it meanwhile tells us so; nobody listens
  if (::fcntl(file, F_SETLEASE, F_RDLCK) != 0)
    return errno == EAGAIN;
  ::fcntl(file, F_SETLEASE, F_UNLCK);
  return false;
}

// Empty: it could not be read to its end in time.
std::string hash_of(int file, const std::function<bool()>& enough) {
  storage::sha256_stream hash;
  std::vector<char> piece(256 << 10);
  while (!enough()) {
    auto got = ::read(file, piece.data(), piece.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return {};
    if (got == 0)
      return hash.digits();
    hash.add({piece.data(), static_cast<size_t>(got)});
  }
  return {};
}

// A name of a log and what is beside it, of a hostfile, for one of the types.
bool is_of_gang(std::string_view name, const std::set<std::string>& types) {
  constexpr std::string_view hostfile = "hostfile-";
  auto hosts = name.starts_with(hostfile);
  if (hosts)
    name.remove_prefix(hostfile.size());
  auto number = name.rfind('-');
  if (number == std::string_view::npos || !types.contains(std::string{name.substr(0, number)}))
    return false;
  auto rest = name.substr(number + 1);
  auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  rest.remove_prefix(digits);
  if (digits == 0)
    return false;
  return hosts ? rest.empty()
               : rest == ".log" || rest == ".metrics" || rest == ".level" || rest == ".generation"
                   || rest == ".generation.new";
}

} // namespace

bool is_data(std::string_view path) {
  for (std::string_view system :
       {"/bin/", "/boot/", "/dev/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/proc/",
        "/run/", "/sbin/", "/sys/", "/usr/", "/var/cache/"})
    if (path.starts_with(system))
      return false;
  for (std::string_view part :
       {"/site-packages/", "/dist-packages/", "/lib/python", "/__pycache__/", "/.git/"})
    if (path.find(part) != std::string_view::npos)
      return false;
  auto name = path.substr(path.rfind('/') + 1);
  return !name.ends_with(".so") && name.find(".so.") == std::string_view::npos
         && name != "pyvenv.cfg";
}

// Looks through the directories of one task, as its user.
class task_files::walk {
public:
  walk(task_files& of, const std::function<bool()>& enough, uint64_t left_out)
    : of_(of), enough_(enough) {
    out_.left_out = left_out;
  }

  // Not as written by its command.
  void leave_out(const std::string& path) {
    if (auto known = identity_of(path))
      seen_.insert(*known);
  }

  // The log tells what else is not there; then it is as it stays.
  void add_own() {
    auto& places = of_.places_;
    auto& files = out_.all;
    if (out_.left_out != 0)
      remarks_.push_back(std::to_string(out_.left_out)
                         + " files that this task used are not in the lineage: it has the first "
                           "ones only");
    if (auto log = open_regular_file(places.log, O_WRONLY | O_APPEND))
      for (auto& each : remarks_)
        write_all(log.get(), "[" + each + "]\n");
    auto first = files.begin();
    for (auto& [use, path] : {std::pair{file_use_kind::log, places.log},
                              std::pair{file_use_kind::metrics, places.metrics}}) {
      auto file = open_regular_file(path, O_RDONLY);
      struct stat found {};
      if (file && ::fstat(file.get(), &found) == 0)
        first
          = files.insert(first, use_of(use, path, file, static_cast<uint64_t>(found.st_size))) + 1;
    }
  }

  // Nearest first, so that a limit cuts what is far away.
  void look_below(int root, const std::string& path, bool is_output) {
    struct statx top {};
    if (::statx(root, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &top) != 0)
      return;
    std::deque<std::string> waiting{""};
    for (; !waiting.empty(); waiting.pop_front()) {
      auto& below = waiting.front();
      owned_fd at{::openat(root, below.empty() ? "." : below.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
      if (!at)
        continue;
      open_directory all{::fdopendir(::fcntl(at.get(), F_DUPFD_CLOEXEC, 0))};
      while (auto* entry = all ? ::readdir(all.get()) : nullptr) {
        std::string_view name{entry->d_name};
        if (name == "." || name == "..")
          continue;
        if (++entries_ > entries_max || (entries_ % 1024 == 0 && enough_()))
          return remark_cut(path);
        auto own = is_output && below.empty() && is_of_gang(name, of_.places_.types);
        if (!own)
          see(::dirfd(all.get()), entry->d_name, path, below, top, waiting);
      }
    }
  }

  void add_opened(const std::string& path) {
    if (is_data(path) && !is_troupes(path))
      static_cast<void>(add_path(file_use_kind::read, path)); // one that is gone says nothing
  }

  // As the task says.
  void add_told(file_use_kind use, const std::string& path) {
    if (!add_path(use, normal(fs::path{of_.places_.directory} / path)))
      remark("the " + std::string{use == file_use_kind::read ? "input " : "output "} + path
             + " that this task names is not in the lineage: it cannot be read, or is no file");
  }

  void remark(std::string x) { remarks_.push_back(std::move(x)); }
  void set_user(uid_t x) { user_ = x; }
  task_file_uses take() { return std::move(out_); }

private:
  bool add_path(file_use_kind use, const std::string& path) {
    owned_fd file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode))
      return false;
    identity known{found.st_dev, found.st_ino};
    if (use == file_use_kind::written ? seen_.insert(known).second
                                      : !seen_.contains(known) && read_.insert(path).second)
      add(use, path, file, static_cast<uint64_t>(found.st_size));
    return true;
  }

  void see(int directory, const char* name, const std::string& root, const std::string& below,
           const struct statx& top, std::deque<std::string>& waiting) {
    struct statx found {};
    if (::statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found) != 0
        || found.stx_dev_major != top.stx_dev_major || found.stx_dev_minor != top.stx_dev_minor)
      return;
    identity known{::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
    auto path = below.empty() ? std::string{name} : below + "/" + name;
    if (S_ISDIR(found.stx_mode)) {
      std::string_view shown{name};
      if (!of_.not_entered_.contains(known) && shown != ".git" && shown != "__pycache__")
        waiting.push_back(std::move(path));
      return;
    }
    auto is_new = is_since(found.stx_mtime, of_.since_)
                  || ((found.stx_mask & STATX_BTIME) != 0 && is_since(found.stx_btime, of_.since_));
    auto whose = user_.value_or(::geteuid());
    if (!S_ISREG(found.stx_mode) || !is_new || (whose != 0 && whose != found.stx_uid)
        || !seen_.insert(known).second)
      return;
    auto whole = root;
    whole.append(root == "/" ? "" : "/").append(path);
    owned_fd file;
    if (has_room(whole)) {
      file = owned_fd{::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
      if (file && is_being_written(file.get()))
        return;
    }
    add(file_use_kind::written, whole, file, found.stx_size);
  }

  bool has_room(const std::string& path) const {
    constexpr size_t own = 2; // those of add_own()
    constexpr size_t own_bytes = own * (PATH_MAX + 128);
    return out_.all.size() + own < limits::task_files_max
           && bytes_ + path.size() + 128 + own_bytes <= limits::task_files_bytes_max;
  }

  void add(file_use_kind use, const std::string& path, const owned_fd& file, uint64_t size) {
    if (!has_room(path)) {
      ++out_.left_out;
      return;
    }
    bytes_ += path.size() + 128;
    out_.all.push_back(use_of(use, path, file, size));
  }

  std::unique_ptr<file_use_msg> use_of(file_use_kind use, const std::string& path,
                                       const owned_fd& file, uint64_t size) {
    auto x = std::make_unique<file_use_msg>();
    x->use = use;
    x->path = path;
    x->size = size;
    if (file)
      x->hash = hash_of(file.get(), enough_);
    return x;
  }

  // What it keeps beside the outputs of attempts.
  bool is_troupes(const std::string& path) const {
    auto attempt = fs::path{of_.places_.output};
    auto own = attempt.parent_path().parent_path().parent_path().string();
    auto below = [&](const std::string& above) { return path.starts_with(above + "/"); };
    if (below(attempt.string()))
      return is_of_gang(std::string_view{path}.substr(attempt.string().size() + 1),
                        of_.places_.types);
    return own.size() > 1 && below(own) && !below(of_.places_.directory)
           && !below((attempt.parent_path() / "checkpoints").string());
  }

  void remark_cut(const std::string& path) {
    remark("not all files below " + path
           + " were looked at for the lineage: there are too many, or they were too "
             "slow; let the task write below TROUPE_OUTPUT");
  }

  task_files& of_;
  const std::function<bool()>& enough_;
  task_file_uses out_;
  std::vector<std::string> remarks_;
  size_t entries_ = 0;
  size_t bytes_ = 0;
  std::set<identity> seen_; // not written by it, or told as written
  std::set<std::string> read_;
  std::optional<uid_t> user_;
};

task_files::task_files(task_places places) : places_(std::move(places)) {
  places_.output = normal(places_.output);
  places_.directory = normal(places_.directory);
  output_ = open_root(places_.output);
  directory_ = open_root(places_.directory);
  auto jobs = fs::path{places_.output}.parent_path().parent_path();
  for (auto& each : {places_.output, jobs.string(), jobs.parent_path().string()})
    if (auto known = identity_of(each))
      not_entered_.insert(*known);
  // As file systems stamp: behind the precise clock by up to a tick.
  ::clock_gettime(CLOCK_REALTIME_COARSE, &since_);
}

task_file_uses task_files::look(const task_paths& named, const std::function<bool()>& enough) {
  walk all{*this, enough, named.left_out};
  all.leave_out(places_.log);
  all.leave_out(places_.metrics);
  auto same = identity_of(places_.output) == identity_of(places_.directory);
  auto at = identity_of(places_.directory);
  auto troupes = !same && at && not_entered_.contains(*at);
  if (troupes)
    all.remark("files below " + places_.directory
               + " are not in the lineage: Troupe keeps its own there; run the command elsewhere");
  auto as_user = [&] {
    if (output_)
      all.look_below(output_.get(), places_.output, true);
    if (directory_ && !same && !troupes)
      all.look_below(directory_.get(), places_.directory, false);
    for (auto& each : named.written)
      all.add_told(file_use_kind::written, each);
    for (auto& each : named.read)
      all.add_told(file_use_kind::read, each);
    for (auto& each : named.opened)
      all.add_opened(each);
  };
  if (places_.user.empty()) {
    as_user();
  } else if (auto user = find_task_user(places_.user)) {
    all.set_user(user->id);
    // A user is a property of a thread; this one ends with what it may.
    std::thread{[&] {
      if (user->become())
        as_user();
    }}.join();
  }
  all.add_own();
  return all.take();
}

} // namespace troupe
