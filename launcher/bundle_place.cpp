#include "launcher/bundle_place.hpp"

#include "actors/cluster/client.hpp"
#include "actors/lineage/bundle_client.hpp"
#include "storage/bundles/bundle_store.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/commit_queue.hpp"
#include "storage/rocksdb_store.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <thread>

namespace troupe::launcher {

namespace {

constexpr auto patience = std::chrono::seconds(10); // for another command
constexpr auto pause = std::chrono::milliseconds(50);

result<void> make_directory(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed))
    return {};
  std::filesystem::create_directories(path, failed);
  if (failed)
    return {errc::invalid,
            "cannot make " + path + ": " + failed.message() + "; choose another with --dir"};
  ::chmod(path.c_str(), 0700);
  return {};
}

} // namespace

struct bundle_place::state {
  explicit state(std::string where) : directory(std::move(where)) {}

  result<void> open();
  result<void> open_objects();
  result<void> open_cluster();
  result<bool> open_store(); // false: a cluster was started meanwhile

  const std::string directory;
  system_clock time;
  std::unique_ptr<client> cluster;
  std::unique_ptr<storage::rocksdb_store> store;
  std::unique_ptr<storage::commit_queue> writer;
  std::unique_ptr<storage::metadata> facts;
  std::unique_ptr<storage::object_store> objects;
  std::unique_ptr<storage::chunk_store> chunks;
  std::unique_ptr<storage::bundle_repository> bundles;
};

// Where this user may not write to the cluster's files, the bytes go through its master.
result<void> bundle_place::state::open_objects() {
  auto here = storage::directory_objects::open(directory + "/objects", {.now_ns = time.wall_ns()});
  if (here)
    objects = std::move(*here);
  else if (cluster && here.error().code == errc::refused)
    objects = std::make_unique<cluster_objects>(cluster->link());
  else
    return here.error();
  auto opened = storage::chunk_store::open(*objects);
  if (!opened)
    return opened.error();
  chunks = std::move(*opened);
  return {};
}

result<void> bundle_place::state::open_cluster() {
  auto connected = client::connect(directory);
  if (!connected)
    return connected.error();
  cluster = std::move(*connected);
  TROUPE_TRY(open_objects());
  bundles = std::make_unique<cluster_bundles>(cluster->link(), *chunks);
  return {};
}

result<bool> bundle_place::state::open_store() {
  auto end = time.now() + patience;
  while (!store) {
    auto opened = storage::rocksdb_store::open(directory + "/store");
    if (opened) {
      store = std::move(*opened);
      break;
    }
    if (opened.error().code != errc::already_exists)
      return opened.error();
    if (client::was_started(directory))
      return false;
    if (time.now() > end)
      return {errc::unavailable, "another command has had the bundles in " + directory + " for "
                                   + std::to_string(patience.count())
                                   + " s; wait for it, or start a cluster, which serves many at "
                                     "once: troupe up --dir "
                                   + directory};
    std::this_thread::sleep_for(pause);
  }
  writer = std::make_unique<storage::commit_queue>(*store);
  auto records = storage::metadata::open(*store, *writer, time);
  if (!records)
    return records.error();
  facts = std::move(*records);
  TROUPE_TRY(open_objects());
  auto kept = storage::bundle_store::open(*facts, *chunks);
  if (!kept)
    return kept.error();
  bundles = std::move(*kept);
  return true;
}

result<void> bundle_place::state::open() {
  if (client::was_started(directory))
    return open_cluster();
  TROUPE_TRY(make_directory(directory));
  auto opened = open_store();
  if (!opened)
    return opened.error();
  return *opened ? result<void>() : open_cluster();
}

bundle_place::bundle_place(std::unique_ptr<state> opened) : state_(std::move(opened)) {}

bundle_place::~bundle_place() = default;

result<std::unique_ptr<bundle_place>> bundle_place::open(const std::string& directory) {
  auto made = std::make_unique<state>(directory);
  TROUPE_TRY(made->open());
  return std::unique_ptr<bundle_place>(new bundle_place(std::move(made)));
}

storage::bundle_repository& bundle_place::bundles() {
  return *state_->bundles;
}

const std::string& bundle_place::directory() const {
  return state_->directory;
}

} // namespace troupe::launcher
