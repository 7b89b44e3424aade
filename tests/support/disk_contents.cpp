#include "tests/support/disk_contents.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace troupe::testing {

namespace fs = std::filesystem;

disk_contents::disk_contents(std::string aside) : aside_(std::move(aside)) {
  fs::create_directories(aside_);
}

std::shared_ptr<disk_contents::file> disk_contents::find(const std::string& path) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) {
    files_.erase(path);
    return nullptr;
  }
  auto& found = files_[path];
  if (!found) {
    auto size = fs::file_size(path, failed);
    found = std::make_shared<file>(file{size, size});
  }
  return found;
}

bool disk_contents::set_aside(const std::string& path) {
  return !find(path) || remove(path);
}

bool disk_contents::make(const std::string& path) {
  files_[path] = std::make_shared<file>();
  note({path, "", nullptr, "", true});
  return true;
}

bool disk_contents::rename(const std::string& from, const std::string& to) {
  auto moved = find(from);
  if (!moved)
    return false;
  change what{to, from, find(to), "", true};
  if (what.replaced)
    what.kept = keep(to);
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed)
    return false;
  files_.erase(from);
  files_[to] = std::move(moved);
  note(std::move(what));
  return true;
}

bool disk_contents::remove(const std::string& path) {
  auto gone = find(path);
  if (!gone)
    return false;
  files_.erase(path);
  note({path, "", std::move(gone), keep(path), false});
  return true;
}

std::string disk_contents::keep(const std::string& path) {
  auto place = aside_ + "/" + std::to_string(++kept_);
  fs::rename(path, place);
  return place;
}

void disk_contents::note(change what) {
  changes_[fs::path(what.name).parent_path()].push_back(std::move(what));
}

void disk_contents::sync_directory(const std::string& directory) {
  for (auto& each : changes_[directory])
    if (!each.kept.empty())
      fs::remove(each.kept);
  changes_.erase(directory);
}

void disk_contents::undo(const change& what) {
  if (what.made) {
    if (what.old_name.empty()) {
      fs::remove(what.name);
    } else {
      fs::rename(what.name, what.old_name);
      files_[what.old_name] = files_[what.name];
    }
    files_.erase(what.name);
  }
  if (what.replaced) {
    fs::rename(what.kept, what.name);
    files_[what.name] = what.replaced;
  }
}

void disk_contents::lose(random_source& chance, torn_end end) {
  for (auto& [directory, changes] : changes_) {
    auto staying = chance.below(3) == 0 ? 0 : chance.below(changes.size() + 1);
    while (changes.size() > staying) {
      undo(changes.back());
      changes.pop_back();
    }
  }
  while (!changes_.empty())
    sync_directory(std::string(changes_.begin()->first));
  for (auto& [path, each] : files_)
    if (each->synced < each->size)
      cut(path, *each, chance, end);
}

void disk_contents::cut(const std::string& path, file& of, random_source& chance, torn_end end) {
  constexpr uint64_t page = 4096;
  auto written = of.size;
  switch (chance.below(3)) {
  case 0:
    of.size = of.synced;
    break;
  case 1:
    of.size = of.synced + chance.below(written - of.synced + 1);
    break;
  default: // all of it was written, but was not acknowledged yet
    break;
  }
  fs::resize_file(path, of.size);
  auto torn = std::min(page - of.size % page, written - of.size);
  if (end == torn_end::garbage && torn > 0) {
    std::string bytes(torn, '\0');
    for (auto& x : bytes)
      x = static_cast<char>(chance.below(256));
    std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
    of.size += torn;
  }
  of.synced = of.size;
}

std::vector<std::string> files_of(const std::string& directory, std::string_view part) {
  std::vector<std::string> out;
  for (auto& each : fs::directory_iterator(directory))
    if (each.path().filename().string().find(part) != std::string::npos)
      out.push_back(each.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

void flip_bit(const std::string& path, uint64_t bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  auto at = static_cast<std::streamoff>(bit / 8);
  file.seekg(at);
  auto byte = static_cast<char>(file.get() ^ (1 << bit % 8));
  file.seekp(at);
  file.put(byte);
}

} // namespace troupe::testing
