// The resources of a job, from this disk to the master's: packed, hashed, and sent where the master
// lacks the content.
#include "actors/packages/package_ticket.hpp"
#include "launcher/submission.hpp"
#include "runtime/base/file_text.hpp"
#include "runtime/base/owned_fd.hpp"
#include "storage/hash.hpp"
#include "storage/pack.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr int failures_max = 100; // in a row, without a byte more
constexpr int pause_ms = 200;     // after each

// An archive travels as it is, all else as a tar.
result<storage::packed> measure(const resource_msg& what) {
  if (what.kind != resource_kind::archive)
    return storage::pack(what.path, [](auto) { return result<void>{}; });
  auto hash = storage::sha256_file(what.path);
  if (!hash)
    return hash.error();
  std::error_code failed;
  auto size = fs::file_size(what.path, failed);
  if (failed)
    return {errc::io, "cannot read " + what.path + ": " + failed.message() + "; check the path"};
  return storage::packed{*hash, size};
}

error cannot_write(const std::string& path) {
  return {errc::io, "cannot write " + path + " to pack a resource: " + std::strerror(errno)
                      + "; free some space there, or name another folder in TMPDIR"};
}

// What travels, in a file without a name where it had to be packed.
result<std::shared_ptr<bulk_source>> content_of(const resource_msg& what) {
  if (what.kind == resource_kind::archive)
    return open_bulk_file(what.path);
  auto path = (fs::temp_directory_path() / "troupe-resource-XXXXXX").string();
  owned_fd file{::mkstemp(path.data())};
  if (!file)
    return cannot_write(path);
  auto packed = storage::pack(what.path, [&](std::span<const std::byte> bytes) -> result<void> {
    if (write_all(file.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
      return {};
    return cannot_write(path);
  });
  auto source = packed ? open_bulk_file(path) : packed.error();
  ::unlink(path.c_str());
  if (packed && packed->hash != what.hash)
    return {errc::invalid, "resource '" + what.path
                             + "' changes while it is shipped; submit when it no longer does"};
  return source;
}

bool passes(errc code) {
  return code == errc::node_lost || code == errc::unavailable || code == errc::deadline
         || code == errc::queue_full || code == errc::refused || code == errc::already_exists;
}

// One try; `moved`: how far it got.
result<void> push_once(client& cluster, const resource_msg& what, bulk_source& from,
                       uint64_t& moved) {
  auto access = cluster.push_package(what.hash, what.size);
  if (!access)
    return access.error();
  auto ticket = ticket_of(*access);
  if (!ticket)
    return ticket.error();
  bulk_options options;
  options.progress = [&](uint64_t done, uint64_t) {
    moved = done;
    return true;
  };
  return push(*ticket, from, options);
}

// A master that dies meanwhile is back in a moment, with what it had of the content.
result<void> push_whole(client& cluster, const resource_msg& what) {
  auto from = content_of(what);
  if (!from)
    return from.error();
  uint64_t furthest = 0;
  for (int failures = 0;;) {
    auto lacking = cluster.find_packages({what.hash});
    if (!lacking)
      return lacking.error();
    if (lacking->hashes.empty())
      return {};
    uint64_t moved = 0;
    auto pushed = push_once(cluster, what, **from, moved);
    if (pushed)
      continue;
    // Another client may bring the same: it moves on then, or gives way.
    if (pushed.error().code != errc::already_exists)
      failures = moved > furthest ? 0 : failures + 1;
    furthest = std::max(furthest, moved);
    if (!passes(pushed.error().code) || failures == failures_max)
      return pushed;
    ::poll(nullptr, 0, pause_ms);
  }
}

std::string size_text(uint64_t bytes) {
  constexpr uint64_t kib = 1 << 10, mib = 1 << 20;
  return bytes < 10 * mib ? std::to_string((bytes + kib - 1) / kib) + " KiB"
                          : std::to_string(bytes / mib) + " MiB";
}

} // namespace

result<void> ship(client& cluster, const shared_options& shared, job_spec_msg& spec) {
  std::map<std::pair<std::string, resource_kind>, storage::packed> known;
  std::map<std::string, const resource_msg*> all; // by hash
  std::vector<std::string> hashes;
  for (auto& type : spec.tasks)
    for (auto& each : type->resources) {
      auto [found, fresh] = known.try_emplace({each->path, each->kind});
      if (fresh) {
        auto measured = measure(*each);
        if (!measured)
          return measured.error();
        found->second = *measured;
      }
      each->hash = found->second.hash;
      each->size = found->second.size;
      if (all.emplace(each->hash, each.get()).second)
        hashes.push_back(each->hash);
    }
  if (hashes.empty())
    return {};
  auto lacking = cluster.find_packages(hashes);
  if (!lacking)
    return lacking.error();
  for (auto& hash : lacking->hashes) {
    auto* what = all.at(hash);
    if (!shared.json)
      std::printf("shipping %s (%s)\n", what->path.c_str(), size_text(what->size).c_str());
    TROUPE_TRY(push_whole(cluster, *what));
  }
  return {};
}

int submit_with_resources(const shared_options& shared, const submit_options& options,
                          submission what) {
  auto cluster = client::connect(shared.directory);
  if (!cluster)
    return complain(cluster.error());
  if (auto shipped = ship(**cluster, shared, what.spec); !shipped)
    return complain(shipped.error());
  return submit_to(**cluster, shared, options, std::move(what));
}

} // namespace troupe::launcher
