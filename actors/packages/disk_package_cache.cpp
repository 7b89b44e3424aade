#include "actors/packages/disk_package_cache.hpp"

#include "actors/packages/hashed_file.hpp"
#include "actors/packages/package_ticket.hpp"
#include "actors/packages/resource_rules.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/owned_fd.hpp"
#include "storage/hash.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

namespace troupe {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view tls_scheme = "tls:";

error cannot(const char* what, const std::string& path) {
  return {errc::io, std::string{"cannot "} + what + " '" + path + "': " + std::strerror(errno)
                      + "; check the room on its disk, and who owns it"};
}

uint64_t size_of(const std::string& path) {
  std::error_code none;
  auto size = fs::file_size(path, none);
  return none ? 0 : size;
}

class disk_package_cache final : public package_cache {
public:
  disk_package_cache(disk_package_cache_options options, storage::tree_remover& remover)
    : options_(std::move(options)), remover_(remover) {}

  ~disk_package_cache() override { stop(); }

  void stop() override {
    std::map<std::string, std::unique_ptr<running>> ending;
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
      ending.swap(fetches_);
    }
    for (auto& [hash, each] : ending)
      each->stop = true;
    for (auto& [hash, each] : ending)
      each->thread.join();
  }

  std::vector<cached> found() override {
    std::vector<std::pair<fs::file_time_type, cached>> all;
    std::error_code none;
    for (auto& entry : fs::directory_iterator{options_.directory, none}) {
      auto path = entry.path().string();
      auto name = entry.path().filename().string();
      uint64_t bytes = 0;
      if (is_hash(name) && std::ifstream{path + "/bytes"} >> bytes)
        all.push_back({entry.last_write_time(none), {name, bytes}});
      else if (entry.is_directory(none)) // half unpacked
        remover_.remove(path);
    }
    std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.first < b.first; });
    std::vector<cached> out;
    for (auto& each : all)
      out.push_back(std::move(each.second));
    return out;
  }

  bool remote() const override { return !options_.master_host.empty(); }

  void fetch(const std::string& hash, const bulk_access_msg& access,
             std::function<void(fetch_outcome)> ended) override {
    std::unique_lock guard{mutex_};
    if (stopping_) {
      guard.unlock();
      return ended({hash, 0, {errc::aborted, "the node stops"}});
    }
    join_ended();
    TROUPE_ASSERT(!fetches_.contains(hash));
    auto& made = *(fetches_[hash] = std::make_unique<running>());
    made.thread = std::thread{[this, hash, access, ended = std::move(ended), &made] {
      auto outcome = run(hash, access, made.stop);
      made.over = true;
      ended(std::move(outcome));
    }};
  }

  void cancel(const std::string& hash) override {
    std::lock_guard guard{mutex_};
    if (auto found = fetches_.find(hash); found != fetches_.end())
      found->second->stop = true;
  }

  void drop(const std::string& hash) override {
    log::info("package dropped", {{"hash", hash}});
    remover_.remove(path_of(hash));
  }

private:
  struct running {
    std::thread thread;
    std::atomic<bool> stop = false;
    std::atomic<bool> over = false;
  };

  std::string path_of(const std::string& hash) const { return options_.directory + "/" + hash; }

  void join_ended() {
    std::erase_if(fetches_, [](auto& each) {
      if (!each.second->over)
        return false;
      each.second->thread.join();
      return true;
    });
  }

  // ---- on the thread of a fetch ----

  fetch_outcome run(const std::string& hash, const bulk_access_msg& access,
                    const std::atomic<bool>& stop) {
    fetch_outcome out{hash, 0, {}};
    auto package = path_of(hash) + ".package";
    auto held = size_of(package) + size_of(package + ".part");
    auto began = std::chrono::steady_clock::now();
    auto done = get(hash, package, access, stop);
    if (done)
      done = unpack(hash, package, stop, out.bytes);
    if (!done) {
      log::warning("package not fetched", {{"hash", hash}, {"reason", done.error().text}});
      out.failed = done.error();
      out.bytes = size_of(package) + size_of(package + ".part");
      return out;
    }
    auto took = std::chrono::steady_clock::now() - began;
    log::info("package fetched",
              {{"hash", hash},
               {"size", access.size},
               {"kept", held},
               {"bytes", out.bytes},
               {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()}});
    return out;
  }

  result<void> get(const std::string& hash, const std::string& path, const bulk_access_msg& access,
                   const std::atomic<bool>& stop) {
    std::error_code none;
    if (fs::exists(path, none)) // it had arrived when an earlier life ended
      if (auto known = storage::sha256_file(path); known && *known == hash)
        return {};
    auto ticket = ticket_of(access);
    if (!ticket)
      return ticket.error();
    if (remote() && ticket->endpoint.starts_with(tls_scheme))
      ticket->endpoint = std::string{tls_scheme} + options_.master_host
                         + ticket->endpoint.substr(ticket->endpoint.rfind(':'));
    bulk_options with;
    with.chunk_deadline = options_.chunk_deadline;
    with.progress = [&](uint64_t, uint64_t) { return !stop; };
    return troupe::fetch(*ticket, *bulk_to_hashed_file(path, hash), with);
  }

  result<void> unpack(const std::string& hash, const std::string& package,
                      const std::atomic<bool>& stop, uint64_t& bytes) {
    auto made = path_of(hash) + ".new";
    storage::remove_tree(made); // of an earlier try
    if (::mkdir(made.c_str(), 0755) != 0)
      return cannot("make", made);
    auto unpacked
      = storage::unpack(package, made + "/tree", options_.limits, [&] { return !stop; });
    auto failed = [&](error why) {
      storage::remove_tree(made);
      return why;
    };
    if (!unpacked) {
      if (std::error_code none; unpacked.error().code == errc::invalid)
        fs::remove(package, none); // it stays bad
      return failed(unpacked.error());
    }
    bytes = unpacked->bytes;
    if (!(std::ofstream{made + "/bytes"} << bytes << std::flush))
      return failed(cannot("write", made + "/bytes"));
    // All of it is on disk before it has its name.
    owned_fd folder{::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || ::syncfs(folder.get()) != 0)
      return failed(cannot("write", made));
    if (std::rename(made.c_str(), path_of(hash).c_str()) != 0)
      return failed(cannot("create", path_of(hash)));
    std::error_code none;
    fs::remove(package, none);
    return {};
  }

  const disk_package_cache_options options_;
  storage::tree_remover& remover_;
  std::mutex mutex_; // guards all below
  bool stopping_ = false;
  std::map<std::string, std::unique_ptr<running>> fetches_; // by hash
};

} // namespace

result<std::unique_ptr<package_cache>> open_package_cache(disk_package_cache_options options,
                                                          storage::tree_remover& remover) {
  std::error_code failed;
  fs::create_directories(options.directory, failed);
  if (failed) {
    errno = failed.value();
    return cannot("make", options.directory);
  }
  return std::make_unique<disk_package_cache>(std::move(options), remover);
}

std::string package_tree(const std::string& directory, const std::string& hash) {
  return directory + "/" + hash + "/tree";
}

} // namespace troupe
