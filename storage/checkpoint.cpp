#include "storage/checkpoint.hpp"

#include "runtime/base/log.hpp"
#include "storage/checkpoint_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view attempt_prefix = "attempt-";
constexpr std::string_view step_prefix = "step-";
constexpr std::string_view suffix = ".ckpt";

std::string numbered(std::string_view prefix, uint64_t number, size_t digits) {
  auto text = std::to_string(number);
  std::string out(prefix);
  out.append(digits - std::min(digits, text.size()), '0');
  return out + text;
}

// The number behind the prefix, and the rest of the name.
std::optional<uint64_t> number_after(std::string_view prefix, std::string_view name,
                                     std::string_view& rest) {
  if (!name.starts_with(prefix))
    return std::nullopt;
  name.remove_prefix(prefix.size());
  uint64_t out = 0;
  auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), out);
  if (failed != std::errc{})
    return std::nullopt;
  rest = name.substr(static_cast<size_t>(end - name.data()));
  return out;
}

struct listing {
  std::vector<checkpoint_info> whole;    // by name, newest first
  std::vector<checkpoint_info> leftover; // of writers that were killed, or still write
  uint64_t last_attempt = 0;
};

void list_attempt(const fs::path& directory, uint64_t attempt, listing& to,
                  std::error_code& failed) {
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    auto name = at->path().filename().string();
    std::string_view rest;
    auto step = number_after(step_prefix, name, rest);
    if (!step)
      continue;
    if (rest == suffix)
      to.whole.push_back({at->path().string(), attempt, *step});
    else if (rest.starts_with(std::string(suffix) + ".tmp-"))
      to.leftover.push_back({at->path().string(), attempt, *step});
  }
}

bool newer(const checkpoint_info& a, const checkpoint_info& b) {
  return a.attempt != b.attempt ? a.attempt > b.attempt : a.step > b.step;
}

error failure(const std::string& doing, const std::string& path, const std::error_code& why) {
  return {errc::io, "cannot " + doing + " " + path + ": " + why.message()
                      + "; mend the disk or its permissions"};
}

result<listing> list(const std::string& directory) {
  listing out;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    auto name = at->path().filename().string();
    std::string_view rest;
    auto attempt = number_after(attempt_prefix, name, rest);
    if (!attempt || !rest.empty())
      continue;
    out.last_attempt = std::max(out.last_attempt, *attempt);
    std::error_code failed_below;
    list_attempt(at->path(), *attempt, out, failed_below);
    if (failed_below && failed_below != std::errc::no_such_file_or_directory)
      return failure("list", at->path().string(), failed_below);
  }
  if (failed && failed != std::errc::no_such_file_or_directory)
    return failure("list", directory, failed);
  std::sort(out.whole.begin(), out.whole.end(), newer);
  return out;
}

bool is_whole(const checkpoint_info& x) {
  auto verified = verify_checkpoint_file(x.path);
  if (!verified)
    log::warning("skipped a damaged checkpoint",
                 {{"path", x.path}, {"why", verified.error().text}});
  return static_cast<bool>(verified);
}

// Makes a folder, and its name durable in the folder above it.
result<void> make_directory(const fs::path& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed))
    return {};
  if (path.has_parent_path() && path != path.root_path())
    TROUPE_TRY(make_directory(path.parent_path()));
  fs::create_directory(path, failed);
  if (failed)
    return failure("make", path.string(), failed);
  return sync_directory(path.has_parent_path() ? path.parent_path().string() : ".");
}

} // namespace

result<checkpoint_info> write_checkpoint(const std::string& directory, uint64_t attempt,
                                         uint64_t step, std::span<const tensor_view> tensors,
                                         const std::map<std::string, std::string>& meta) {
  auto present = list(directory);
  if (!present)
    return present.error();
  if (present->last_attempt > attempt)
    return {errc::refused, "attempt " + std::to_string(attempt)
                             + " may not write checkpoints any more: attempt "
                             + std::to_string(present->last_attempt) + " has begun to; stop it"};
  auto folder = fs::path(directory) / numbered(attempt_prefix, attempt, 4);
  TROUPE_TRY(make_directory(folder));
  auto path = (folder / numbered(step_prefix, step, 8)).string() + std::string(suffix);
  auto temporary = path + ".tmp-" + std::to_string(::getpid());
  auto written = write_checkpoint_file(temporary, attempt, step, tensors, meta);
  std::error_code failed;
  if (!written) {
    fs::remove(temporary, failed);
    return written.error();
  }
  fs::rename(temporary, path, failed);
  if (failed)
    return failure("rename " + temporary + " to", path, failed);
  TROUPE_TRY(sync_directory(folder.string()));
  return checkpoint_info{path, attempt, step};
}

result<std::optional<checkpoint_info>> newest_checkpoint(const std::string& directory) {
  auto present = list(directory);
  if (!present)
    return present.error();
  for (const auto& x : present->whole)
    if (is_whole(x))
      return x;
  return std::nullopt;
}

result<void> prune_checkpoints(const std::string& directory, size_t keep) {
  if (keep == 0)
    return {errc::invalid, "at least one checkpoint has to be kept; give 1 or more"};
  auto present = list(directory);
  if (!present)
    return present.error();
  std::vector<std::string> remove;
  std::optional<checkpoint_info> newest;
  size_t kept = 0;
  for (const auto& x : present->whole) {
    if (kept == keep) {
      remove.push_back(x.path);
    } else if (is_whole(x)) {
      ++kept;
      if (!newest)
        newest = x;
    }
  }
  // What is older than a whole one is of no use, whoever still writes it.
  for (const auto& x : present->leftover)
    if (newest && !newer(x, *newest))
      remove.push_back(x.path);
  for (const auto& path : remove) {
    std::error_code failed;
    fs::remove(path, failed);
    if (failed)
      return failure("remove", path, failed);
  }
  return {};
}

} // namespace troupe::storage
