#include "storage/checkpoint.hpp"

#include "runtime/base/log.hpp"
#include "storage/checkpoint_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <tuple>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view attempt_prefix = "attempt-";
constexpr std::string_view step_prefix = "step-";
constexpr std::string_view generation_prefix = ".generation-";
constexpr std::string_view shard_prefix = ".shard-";
constexpr std::string_view count_prefix = "-of-";
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

std::string file_name(uint64_t step, const checkpoint_shard& shard) {
  auto out = numbered(step_prefix, step, 8);
  if (shard.count > 1) {
    out += numbered(generation_prefix, shard.generation, 4);
    out += numbered(shard_prefix, shard.index, 4);
    out += numbered(count_prefix, shard.count, 4);
  }
  return out.append(suffix);
}

struct named_file {
  uint64_t step = 0;
  checkpoint_shard shard;
  bool renamed = false; // it is there as a whole
};

std::optional<named_file> parse(std::string_view name) {
  named_file out;
  std::string_view rest;
  auto step = number_after(step_prefix, name, rest);
  if (!step)
    return std::nullopt;
  out.step = *step;
  if (auto generation = number_after(generation_prefix, rest, rest)) {
    auto index = number_after(shard_prefix, rest, rest);
    auto count = number_after(count_prefix, rest, rest);
    if (!index || !count || *index >= *count)
      return std::nullopt;
    out.shard = {static_cast<uint32_t>(*generation), static_cast<uint32_t>(*index),
                 static_cast<uint32_t>(*count)};
  }
  // Each file has one name: what is spelled in another way is not ours.
  auto spelled = file_name(out.step, out.shard);
  if (!name.starts_with(spelled))
    return std::nullopt;
  name.remove_prefix(spelled.size());
  out.renamed = name.empty();
  if (!out.renamed && !name.starts_with(".tmp-"))
    return std::nullopt;
  return out;
}

struct listing {
  std::vector<checkpoint_info> complete; // by name, newest first
  std::vector<checkpoint_info> leftover; // of writers that were killed, or still write
  uint64_t last_attempt = 0;
};

void list_attempt(const fs::path& directory, uint64_t attempt, listing& to,
                  std::error_code& failed) {
  using place = std::tuple<uint64_t, uint32_t, uint32_t>; // step, generation, count
  std::map<place, std::map<uint32_t, std::string>> shards;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    auto name = at->path().filename().string();
    auto file = parse(name);
    if (!file)
      continue;
    const auto& [generation, index, count] = file->shard;
    if (file->renamed)
      shards[{file->step, generation, count}].emplace(index, at->path().string());
    else
      to.leftover.push_back({attempt, file->step, generation, {at->path().string()}});
  }
  for (auto& [at, files] : shards) {
    auto [step, generation, count] = at;
    checkpoint_info found{attempt, step, generation};
    for (auto& [index, path] : files)
      found.paths.push_back(std::move(path));
    (files.size() == count ? to.complete : to.leftover).push_back(std::move(found));
  }
}

bool newer(const checkpoint_info& a, const checkpoint_info& b) {
  return std::tie(a.attempt, a.step, a.generation) > std::tie(b.attempt, b.step, b.generation);
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
  std::stable_sort(out.complete.begin(), out.complete.end(), newer);
  return out;
}

bool is_whole(const checkpoint_info& x) {
  std::optional<checkpoint> first;
  for (const auto& path : x.paths) {
    auto verified = verify_checkpoint_file(path);
    if (verified && (!first || verified->meta == first->meta)) {
      first = *std::move(verified);
      continue;
    }
    log::warning(
      "skipped a damaged checkpoint",
      {{"path", path}, {"why", verified ? "its shards are not of one" : verified.error().text}});
    return false;
  }
  return true;
}

error late(uint64_t attempt, uint64_t last) {
  return {errc::refused, "attempt " + std::to_string(attempt)
                           + " may not write checkpoints any more: attempt " + std::to_string(last)
                           + " has begun to; stop it"};
}

// Of a file that was taken away while it was written.
result<void> check_superseded(const std::string& directory, const checkpoint_info& gone,
                              const error& otherwise) {
  auto present = list(directory);
  if (!present)
    return present.error();
  if (present->last_attempt > gone.attempt)
    return late(gone.attempt, present->last_attempt);
  if (present->complete.empty() || newer(gone, present->complete.front()))
    return otherwise;
  return {};
}

bool same_rows(const tensor& a, const tensor& b) {
  return !a.shape.empty() && !b.shape.empty()
         && std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1, b.shape.end());
}

// Whether they fit together.
bool append(std::vector<tensor>& to, tensor&& part) {
  auto known = std::find_if(to.begin(), to.end(), [&](auto& x) { return x.name == part.name; });
  if (known == to.end()) {
    to.push_back(std::move(part));
    return true;
  }
  if (!same_rows(*known, part))
    return false;
  known->shape.front() += part.shape.front();
  known->values.insert(known->values.end(), part.values.begin(), part.values.end());
  return true;
}

} // namespace

result<checkpoint_info> write_checkpoint(const std::string& directory, uint64_t attempt,
                                         uint64_t step, std::span<const tensor_view> tensors,
                                         const std::map<std::string, std::string>& meta,
                                         const checkpoint_shard& shard) {
  if (shard.index >= shard.count)
    return {errc::invalid, "a checkpoint of " + std::to_string(shard.count)
                             + " shards has none with the index " + std::to_string(shard.index)
                             + "; count them from 0"};
  auto present = list(directory);
  if (!present)
    return present.error();
  if (present->last_attempt > attempt)
    return late(attempt, present->last_attempt);
  auto folder = fs::path(directory) / numbered(attempt_prefix, attempt, 4);
  TROUPE_TRY(make_directory(folder.string()));
  auto path = (folder / file_name(step, shard)).string();
  checkpoint_info out{attempt, step, shard.count > 1 ? shard.generation : 0, {path}};
  auto temporary = path + ".tmp-" + std::to_string(::getpid());
  auto written = write_checkpoint_file(temporary, attempt, step, tensors, meta);
  std::error_code failed;
  if (!written) {
    fs::remove(temporary, failed);
    return written.error();
  }
  fs::rename(temporary, path, failed);
  if (failed) {
    auto why = failure("rename " + temporary + " to", path, failed);
    if (failed != std::errc::no_such_file_or_directory)
      return why;
    TROUPE_TRY(check_superseded(directory, out, why));
    return out;
  }
  TROUPE_TRY(sync_directory(folder.string()));
  return out;
}

result<checkpoint> read_checkpoint(const checkpoint_info& of) {
  checkpoint out;
  for (const auto& path : of.paths) {
    auto part = read_checkpoint(path);
    if (!part)
      return part.error();
    if (&path == &of.paths.front()) {
      out = *std::move(part);
      continue;
    }
    for (auto& each : part->tensors)
      if (!append(out.tensors, std::move(each)))
        return {errc::corrupt,
                "the checkpoint " + path + " does not fit its other shards; use an older one"};
  }
  return out;
}

result<std::optional<checkpoint_info>> newest_checkpoint(const std::string& directory) {
  auto present = list(directory);
  if (!present)
    return present.error();
  for (const auto& x : present->complete)
    if (is_whole(x))
      return x;
  return std::nullopt;
}

result<void> prune_checkpoints(const std::string& directory, size_t keep,
                               std::set<std::string>* known) {
  if (keep == 0)
    return {errc::invalid, "at least one checkpoint has to be kept; give 1 or more"};
  auto present = list(directory);
  if (!present)
    return present.error();
  std::vector<std::string> remove;
  std::vector<checkpoint_info> kept;
  for (const auto& x : present->complete) {
    if (kept.size() == keep)
      remove.insert(remove.end(), x.paths.begin(), x.paths.end());
    else if ((known && known->contains(x.paths.front())) || is_whole(x))
      kept.push_back(x);
  }
  // What is older than a whole one is of no use, whoever still writes it.
  for (const auto& x : present->leftover)
    if (!kept.empty() && !newer(x, kept.front()))
      remove.insert(remove.end(), x.paths.begin(), x.paths.end());
  if (known) {
    known->clear();
    for (const auto& x : kept)
      known->insert(x.paths.front());
  }
  for (const auto& path : remove) {
    std::error_code failed;
    fs::remove(path, failed);
    if (failed)
      return failure("remove", path, failed);
  }
  return {};
}

} // namespace troupe::storage
