#include "actors/packages/package_store.hpp"

#include "actors/packages/hashed_file.hpp"
#include "actors/packages/resource_rules.hpp"
#include "runtime/base/log.hpp"

#include <filesystem>

namespace troupe {

namespace fs = std::filesystem;

result<std::unique_ptr<package_store>> package_store::open(std::string directory,
                                                           const clock& time) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    return {errc::io, "cannot make " + directory + ": " + failed.message()
                        + "; free some space there, or mend its permissions"};
  return std::make_unique<package_store>(std::move(directory), time);
}

package_store::package_store(std::string directory, const clock& time)
  : directory_(std::move(directory)), time_(time), remover_(directory_ + "/removed") {
  std::error_code none;
  for (auto& entry : fs::directory_iterator{directory_, none}) {
    auto& path = entry.path();
    if (is_hash(path.filename().string()))
      whole_[path.filename().string()] = time_.now();
    else if (is_hash(path.stem().string()))
      parts_[path.stem().string()] = time_.now();
  }
}

bool package_store::holds(const std::string& hash) {
  std::lock_guard guard{mutex_};
  auto found = whole_.find(hash);
  if (found == whole_.end())
    return false;
  found->second = time_.now();
  return true;
}

result<std::shared_ptr<bulk_source>> package_store::source(const std::string& hash) {
  if (!holds(hash))
    return {errc::not_found, "the master has no package " + hash.substr(0, 64)
                               + "; submit the job again, which brings it"};
  return open_bulk_file(path_of(hash));
}

std::shared_ptr<bulk_sink> package_store::sink(const std::string& hash) {
  {
    std::lock_guard guard{mutex_};
    parts_[hash] = time_.now();
  }
  return bulk_to_hashed_file(path_of(hash), hash, [this, hash] { arrived(hash); });
}

void package_store::arrived(const std::string& hash) {
  log::info("package arrived", {{"hash", hash}});
  std::lock_guard guard{mutex_};
  parts_.erase(hash);
  whole_[hash] = time_.now();
}

void package_store::sweep(const std::set<std::string>& named, duration kept) {
  std::lock_guard guard{mutex_};
  auto now = time_.now();
  std::erase_if(whole_, [&](auto& each) {
    if (named.contains(each.first) || now - each.second < kept)
      return false;
    log::info("package removed", {{"hash", each.first}});
    remover_.remove(path_of(each.first));
    return true;
  });
  std::erase_if(parts_, [&](auto& each) {
    if (now - each.second < kept)
      return false;
    remover_.remove(path_of(each.first) + ".part");
    return true;
  });
}

} // namespace troupe
