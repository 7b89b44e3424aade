// A master's desk and a node's cache, over real sockets.
#include "actors/packages/disk_package_cache.hpp"
#include "actors/packages/package_desk.hpp"
#include "actors/packages/package_store.hpp"
#include "actors/packages/package_ticket.hpp"
#include "actors/packages/work_directories.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/random.hpp"
#include "storage/hash.hpp"
#include "storage/pack.hpp"
#include "tests/support/archive_maker.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>

namespace troupe {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using bytes = std::vector<std::byte>;

class manual_clock final : public clock {
public:
  time_point now() const override { return time_point{} + at.load(); }
  int64_t wall_ns() const override { return 0; }
  std::atomic<duration> at{1h};
};

class Packages : public ::testing::Test {
protected:
  void SetUp() override {
    log::set_level(log::level::off);
    fs::create_directories(path("source/lib"));
    std::ofstream{path("source/run.sh")} << "#!/bin/sh\n";
    ::chmod(path("source/run.sh").c_str(), 0755);
    std::ofstream{path("source/lib/u.py")} << "X = 1\n";
    open();
  }
  void TearDown() override {
    cache_.reset();
    storage::remove_tree(scratch_.path);
    log::set_level(log::level::info);
  }

  void open() {
    desk_.reset();
    auto made
      = open_package_desk(path("master"), "local:" + path("bulk.sock"), "127.0.0.1:0", time_);
    ASSERT_TRUE(made) << made.error().text;
    desk_ = std::move(*made);
    open_cache({});
  }

  void open_cache(const std::string& master_host) {
    cache_.reset();
    disk_package_cache_options options;
    options.directory = path("cache");
    options.master_host = master_host;
    options.chunk_deadline = 5s;
    auto opened = open_package_cache(std::move(options), remover_);
    ASSERT_TRUE(opened) << opened.error().text;
    cache_ = std::move(*opened);
  }

  std::string path(const std::string& name) const { return scratch_.path + "/" + name; }

  static bytes packed(const std::string& from) {
    bytes out;
    auto made = storage::pack(from, [&](std::span<const std::byte> more) {
      out.insert(out.end(), more.begin(), more.end());
      return result<void>{};
    });
    EXPECT_TRUE(made) << made.error().text;
    return out;
  }

  static std::string hash_of(const bytes& content) {
    return storage::sha256({reinterpret_cast<const char*>(content.data()), content.size()});
  }

  // Brings it as a client would; the error, or none.
  result<void> bring(const bytes& content, const std::string& hash) {
    push_package_msg asked;
    asked.hash = hash;
    asked.size = content.size();
    auto access = desk_->push(asked);
    if (!access)
      return access.error();
    return push(*ticket_of(*access), *bulk_of_memory(content));
  }

  bool held(const std::string& hash) {
    find_packages_msg asked;
    asked.hashes = {hash};
    auto lacking = desk_->lacking(asked);
    EXPECT_TRUE(lacking);
    return lacking && lacking->hashes.empty();
  }

  fetch_outcome fetch(const std::string& hash) {
    fetch_package_msg asked;
    asked.hash = hash;
    asked.remote = cache_->remote();
    auto access = desk_->fetch(asked);
    EXPECT_TRUE(access) << access.error().text;
    std::promise<fetch_outcome> ended;
    cache_->fetch(hash, *access, [&](fetch_outcome x) { ended.set_value(std::move(x)); });
    return ended.get_future().get();
  }

  static std::unique_ptr<resource_msg> resource(const std::string& name, const std::string& hash,
                                                resource_kind kind) {
    auto out = std::make_unique<resource_msg>();
    out->name = name;
    out->hash = hash;
    out->kind = kind;
    return out;
  }

  scratch_directory scratch_;
  manual_clock time_;
  storage::tree_remover remover_{scratch_.path + "/removed"};
  std::unique_ptr<package_desk> desk_;
  std::unique_ptr<package_cache> cache_;
};

TEST_F(Packages, TravelFromAClientToANode) {
  auto content = packed(path("source"));
  auto hash = hash_of(content);
  EXPECT_FALSE(held(hash));
  ASSERT_TRUE(bring(content, hash));
  EXPECT_TRUE(held(hash));
  auto done = fetch(hash);
  EXPECT_EQ(done.failed.code, errc::ok) << done.failed.text;
  EXPECT_EQ(done.bytes, 16u);
  EXPECT_EQ(testing::text_of(package_tree(path("cache"), hash) + "/lib/u.py"), "X = 1\n");
  open(); // both again
  EXPECT_TRUE(held(hash));
  auto found = cache_->found();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].hash, hash);
  EXPECT_EQ(found[0].bytes, 16u);
  cache_->drop(hash);
  EXPECT_TRUE(cache_->found().empty());
}

TEST_F(Packages, TravelToANodeOfAnotherMachine) {
  auto content = packed(path("source"));
  auto hash = hash_of(content);
  ASSERT_TRUE(bring(content, hash));
  open_cache("127.0.0.1");
  auto done = fetch(hash);
  EXPECT_EQ(done.failed.code, errc::ok) << done.failed.text;
  EXPECT_TRUE(fs::exists(package_tree(path("cache"), hash) + "/run.sh"));
}

TEST_F(Packages, AreWhatTheirHashSays) {
  auto content = packed(path("source"));
  auto wrong = std::string(64, 'a');
  auto brought = bring(content, wrong);
  ASSERT_FALSE(brought);
  EXPECT_EQ(brought.error().code, errc::corrupt) << brought.error().text;
  EXPECT_FALSE(held(wrong));
  open();
  EXPECT_FALSE(held(wrong));
}

TEST_F(Packages, AreAskedForByHashesOnly) {
  for (auto* bad : {"", "../../etc/passwd", "ABCDEF"}) {
    push_package_msg push;
    push.hash = bad;
    EXPECT_FALSE(desk_->push(push));
    fetch_package_msg fetch;
    fetch.hash = bad;
    EXPECT_FALSE(desk_->fetch(fetch));
    find_packages_msg find;
    find.hashes = {bad};
    EXPECT_FALSE(desk_->lacking(find));
  }
}

TEST_F(Packages, GoOnWhereTheyEnded) {
  bytes content(5 << 20);
  random_source random{1};
  for (auto& each : content)
    each = static_cast<std::byte>(random.next());
  auto hash = hash_of(content);
  push_package_msg asked;
  asked.hash = hash;
  asked.size = content.size();
  auto access = desk_->push(asked);
  ASSERT_TRUE(access);
  bulk_options options;
  options.progress = [](uint64_t done, uint64_t) { return done < (3u << 20); };
  EXPECT_FALSE(push(*ticket_of(*access), *bulk_of_memory(content), options));
  EXPECT_FALSE(held(hash));
  open(); // a new master
  EXPECT_GE(fs::file_size(path("master/" + hash + ".part")), 1u << 20);
  ASSERT_TRUE(bring(content, hash));
  EXPECT_TRUE(held(hash));
  EXPECT_FALSE(fs::exists(path("master/" + hash + ".part")));
}

TEST_F(Packages, ThatAreNoArchivesAreNotUnpacked) {
  bytes content(1000, std::byte{7});
  auto hash = hash_of(content);
  ASSERT_TRUE(bring(content, hash));
  auto done = fetch(hash);
  EXPECT_EQ(done.failed.code, errc::invalid) << done.failed.text;
  EXPECT_TRUE(fs::is_empty(path("cache"))) << "nothing of it is kept";
}

TEST_F(Packages, HalfUnpackedOnesAreNotThereAfterARestart) {
  auto content = packed(path("source"));
  auto hash = hash_of(content);
  ASSERT_TRUE(bring(content, hash));
  fs::create_directories(path("cache/" + hash + ".new/tree"));
  EXPECT_TRUE(cache_->found().empty());
  EXPECT_FALSE(fs::exists(path("cache/" + hash + ".new")));
  // And what had arrived is not fetched again: the master need not be asked for a byte.
  std::ofstream{path("cache/" + hash + ".package"), std::ios::binary}.write(
    reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  std::promise<fetch_outcome> ended;
  cache_->fetch(hash, {}, [&](fetch_outcome x) { ended.set_value(std::move(x)); });
  EXPECT_EQ(ended.get_future().get().failed.code, errc::ok);
}

TEST_F(Packages, AreKeptWhileAJobNamesThemAndForAnHour) {
  auto content = packed(path("source"));
  auto hash = hash_of(content);
  ASSERT_TRUE(bring(content, hash));
  time_.at = 1h + 59min;
  desk_->sweep({});
  EXPECT_TRUE(held(hash)); // asked for, just now
  time_.at = 2h + 58min;
  desk_->sweep({});
  EXPECT_TRUE(fs::exists(path("master/" + hash)));
  time_.at = 10h;
  desk_->sweep({hash});
  EXPECT_TRUE(fs::exists(path("master/" + hash)));
  desk_->sweep({});
  EXPECT_FALSE(fs::exists(path("master/" + hash)));
  EXPECT_FALSE(held(hash));
}

TEST_F(Packages, ThatWereNeverWholeAreRemovedToo) {
  auto hash = std::string(64, 'b');
  std::ofstream{path("master/" + hash + ".part")} << "some";
  open();
  desk_->sweep({});
  EXPECT_TRUE(fs::exists(path("master/" + hash + ".part"))) << "somebody may go on with it";
  time_.at = 3h;
  desk_->sweep({});
  EXPECT_FALSE(fs::exists(path("master/" + hash + ".part")));
}

TEST_F(Packages, OfAJobHaveToBeThere) {
  auto content = packed(path("source"));
  auto hash = hash_of(content);
  job_spec_msg job;
  job.tasks.push_back(std::make_unique<task_type_msg>());
  job.tasks[0]->resources.push_back(resource("code", hash, resource_kind::directory));
  auto refused = check_packages(job, *desk_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("\"code\""), std::string::npos);
  ASSERT_TRUE(bring(content, hash));
  EXPECT_TRUE(check_packages(job, *desk_));
}

TEST_F(Packages, AreLaidOutInWorkingDirectories) {
  auto content = packed(path("source")), file = packed(path("source/run.sh"));
  auto tree = hash_of(content), one = hash_of(file);
  ASSERT_TRUE(bring(content, tree) && bring(file, one));
  ASSERT_EQ(fetch(tree).failed.code, errc::ok);
  ASSERT_EQ(fetch(one).failed.code, errc::ok);
  work_directories work{path("work"), path("cache"), remover_};
  start_task_msg order;
  order.task = std::make_unique<task_id_msg>();
  order.task->job = 7;
  order.task->attempt = 2;
  order.task->type = "worker";
  order.task->index = 1;
  order.resources.push_back(resource(".", tree, resource_kind::directory));
  order.resources.push_back(resource("code", tree, resource_kind::directory));
  order.resources.push_back(resource("start", one, resource_kind::file));
  order.resources[1]->programs = "lib";
  auto made = work.make(order);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(*made, path("work/7/2/worker-1"));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(*made + "/run.sh")));
  EXPECT_TRUE(fs::is_symlink(*made + "/lib"));
  EXPECT_TRUE(fs::is_symlink(*made + "/code"));
  EXPECT_EQ(testing::text_of(*made + "/code/lib/u.py"), "X = 1\n");
  EXPECT_EQ(testing::text_of(*made + "/start"), "#!/bin/sh\n");
  EXPECT_EQ(work.programs(order), *made + "/code/lib:");
  std::ofstream{*made + "/of the task"} << "x";
  ASSERT_TRUE(work.make(order)) << "an older one is replaced";
  EXPECT_FALSE(fs::exists(*made + "/of the task"));
  work.keep_only({*order.task});
  EXPECT_TRUE(fs::exists(*made));
  work.remove(*order.task);
  EXPECT_FALSE(fs::exists(path("work/7")));
  EXPECT_EQ(testing::text_of(package_tree(path("cache"), tree) + "/run.sh"), "#!/bin/sh\n");
  order.resources[2]->name = "lib";
  auto clash = work.make(order);
  ASSERT_FALSE(clash);
  EXPECT_NE(clash.error().text.find("'lib'"), std::string::npos) << clash.error().text;
  work.keep_only({});
  EXPECT_FALSE(fs::exists(path("work/7")));
}

} // namespace
} // namespace troupe
