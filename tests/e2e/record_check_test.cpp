// troupe fsck: of a directory with its cluster and without, and of the bytes of bundles.
#include "runtime/base/random.hpp"
#include "tests/e2e/parsed.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace troupe::e2e {
namespace {

namespace fs = std::filesystem;

class record_check : public cluster {
protected:
  // A bundle of a file of a mebibyte and a small one; its uuid.
  std::string add_data() {
    random_source chance(1);
    std::string text(1 << 20, '\0');
    for (auto& each : text)
      each = static_cast<char>(chance.next());
    fs::create_directories(scratch + "/data/sub");
    write("data/sub/large", text);
    write("data/small", "a");
    auto added = troupe({"bundle", "add", "data", scratch + "/data"});
    EXPECT_EQ(added.code, 0) << added.err;
    return added.out.substr(0, 32);
  }

  // The only object in a folder of the chunk store.
  std::string object_in(const std::string& folder) const {
    std::vector<std::string> found;
    for (const auto& each : fs::recursive_directory_iterator(directory + "/objects/" + folder))
      if (each.is_regular_file())
        found.push_back(each.path());
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? "" : found.front();
  }

  // Turns a bit in the middle of a file that nobody may write.
  static void damage(const std::string& path) {
    fs::permissions(path, fs::perms::owner_all);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    auto middle = static_cast<std::streamoff>(fs::file_size(path) / 2);
    file.seekg(middle);
    auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(middle);
    file.put(byte);
    ASSERT_TRUE(file.flush());
  }

  outcome finds(std::vector<std::string> args, const std::string& text) const {
    args.insert(args.begin(), "fsck");
    auto done = troupe(args);
    EXPECT_EQ(done.code, 1) << done.out << done.err;
    EXPECT_NE(done.out.find(text), std::string::npos) << done.out;
    return done;
  }

  void finds_nothing(std::vector<std::string> args) const {
    args.insert(args.begin(), "fsck");
    auto done = troupe(args);
    EXPECT_EQ(done.code, 0) << done.out << done.err;
    EXPECT_NE(done.out.find(": 0 findings"), std::string::npos) << done.out;
  }

  // Each file and folder, with its size and when it was changed.
  std::map<std::string, std::pair<uint64_t, fs::file_time_type>> facts() const {
    std::map<std::string, std::pair<uint64_t, fs::file_time_type>> out;
    for (const auto& each : fs::recursive_directory_iterator(directory))
      out[each.path()] = {each.is_regular_file() ? each.file_size() : 0, each.last_write_time()};
    return out;
  }
};

} // namespace

TEST_F(record_check, finds_nothing_and_changes_nothing_where_all_is_well) {
  add_data();
  ASSERT_EQ(troupe({"bundle", "add", "score", "--value", "1"}).code, 0);
  auto before = facts();
  finds_nothing({});
  finds_nothing({"--read"});
  auto told = parsed(troupe({"fsck", "--read", "--json"}));
  EXPECT_EQ(told["bundles"], 2);
  EXPECT_GT(told["bytes_read"], 1 << 20);
  EXPECT_EQ(told["findings_all"], 0);
  EXPECT_EQ(facts(), before);
}

TEST_F(record_check, names_the_bundle_and_the_files_of_which_bytes_are_damaged) {
  auto uuid = add_data();
  damage(object_in("packs"));
  finds_nothing({}); // it does not read them
  auto done = finds({"--read"}, "the bundle data (" + uuid
                                  + ", context default) has lost 1 of its 2 files: sub/large; of "
                                    "their chunks 1 cannot be read");
  EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 2) << done.out;
  auto told = parsed(troupe({"fsck", "--read", "--json"}));
  EXPECT_EQ(told["findings_all"], 1);
  EXPECT_EQ(told["lost"][0]["uuid"], uuid);
  EXPECT_EQ(told["lost"][0]["files"], json::array({"sub/large"}));
  EXPECT_EQ(told["lost"][0]["chunks"], 1);
  ASSERT_EQ(troupe({"bundle", "rm", "data"}).code, 0);
  finds_nothing({"--read"}); // nobody needs them any more
}

TEST_F(record_check, names_the_bundle_of_which_a_pack_or_the_index_is_gone) {
  auto first = add_data();
  auto pack = object_in("packs");
  auto index = object_in("index");
  ASSERT_EQ(troupe({"bundle", "add", "other", write("other", "b")}).code, 0);
  fs::rename(pack, scratch + "/pack");
  finds({}, "the bundle data (" + first + ", context default) has lost all of its files");
  EXPECT_EQ(parsed(troupe({"fsck", "--json"}))["findings_all"], 1) << "the other one is well";
  fs::rename(scratch + "/pack", pack);
  finds_nothing({});
  damage(index);
  finds({}, "the object index/" + fs::path(index).filename().string() + " is lost");
}

TEST_F(record_check, bytes_that_were_never_here_are_no_finding) {
  add_data();
  auto remote = scratch + "/remote";
  ASSERT_EQ(troupe({"bundle", "push", "--remote", remote}).code, 0);
  directory = scratch + "/other";
  ASSERT_EQ(troupe({"bundle", "pull", "--records", "--remote", remote}).code, 0);
  finds_nothing({"--read"});
  EXPECT_EQ(parsed(troupe({"fsck", "--json"}))["bundles_elsewhere"], 1);
}

TEST_F(record_check, works_beside_a_cluster_and_when_it_is_down) {
  start_nodes(1, 1);
  auto uuid = add_data();
  finds_nothing({"--read"});
  damage(object_in("packs"));
  finds({"--read"}, uuid);
  ASSERT_EQ(troupe({"down"}).code, 0);
  finds({"--read"}, uuid);
}

TEST_F(record_check, a_store_that_does_not_open_is_a_finding) {
  add_data();
  fs::remove(directory + "/store/CURRENT");
  finds({}, "has lost its file CURRENT");
}

TEST_F(record_check, says_that_there_is_nothing_to_look_at) {
  auto done = troupe({"fsck"});
  EXPECT_EQ(done.code, 3);
  EXPECT_NE(done.err.find("there is no record in " + directory), std::string::npos) << done.err;
  EXPECT_FALSE(fs::exists(directory));
}

} // namespace troupe::e2e
