#include "runtime/keys.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace troupe {
namespace {

class Keys : public ::testing::Test {
protected:
  std::string secret_file(const std::string& name) const {
    return directory + "/keys/" + name + ".secret";
  }
  std::string public_file(const std::string& name) const {
    return directory + "/keys/authorized/" + name + ".public";
  }

  scratch_directory scratch;
  const std::string& directory = scratch.path;
};

TEST_F(Keys, AreMadeAndRead) {
  auto made = make_keys(directory, "node-1");
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->public_key.size(), 40u);
  EXPECT_NE(made->public_key, made->secret_key);
  auto read = load_keys(directory, "node-1");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->public_key, made->public_key);
  EXPECT_EQ(read->secret_key, made->secret_key);
  EXPECT_EQ(*load_public_key(directory, "node-1"), made->public_key);

  struct stat facts {};
  ASSERT_EQ(::stat(secret_file("node-1").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST_F(Keys, OfANameAreNeverReplaced) {
  auto first = make_keys(directory, "node-1");
  ASSERT_TRUE(first);
  std::filesystem::remove(public_file("node-1"));
  auto second = make_keys(directory, "node-1");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::already_exists);
  EXPECT_EQ(load_keys(directory, "node-1")->secret_key, first->secret_key);
  EXPECT_EQ(*load_public_key(directory, "node-1"), first->public_key) << "put back";
}

TEST_F(Keys, ThatOthersCanReadAreRefused) {
  ASSERT_TRUE(make_keys(directory, "node-1"));
  ASSERT_EQ(::chmod(secret_file("node-1").c_str(), 0640), 0);
  auto read = load_keys(directory, "node-1");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, errc::refused);
  EXPECT_NE(read.error().text.find("chmod 600"), std::string::npos);
}

TEST_F(Keys, ANameCannotLeaveTheDirectory) {
  for (const auto* name : {"", ".", "..", "../x", "a/b", ".hidden", "a b", "a\n"}) {
    EXPECT_FALSE(is_key_name(name));
    EXPECT_EQ(make_keys(directory, name).error().code, errc::invalid);
    EXPECT_EQ(load_keys(directory, name).error().code, errc::invalid);
  }
  EXPECT_FALSE(is_key_name(std::string(65, 'a')));
  EXPECT_TRUE(is_key_name("Ada_L-1.example"));
}

TEST_F(Keys, MissingOrBrokenFilesAreTold) {
  EXPECT_EQ(load_keys(directory, "nobody").error().code, errc::not_found);
  EXPECT_EQ(load_authorized(directory).error().code, errc::io);
  ASSERT_TRUE(make_keys(directory, "node-1"));
  std::ofstream{secret_file("node-1")} << "public x\nsecret y\n";
  EXPECT_EQ(load_keys(directory, "node-1").error().code, errc::corrupt);
  std::ofstream{public_file("node-1")} << std::string(40, ' ') << "\n";
  EXPECT_EQ(load_public_key(directory, "node-1").error().code, errc::corrupt);
}

TEST_F(Keys, TheListSkipsWhatIsNoKey) {
  auto one = make_keys(directory, "node-1");
  auto two = make_keys(directory, "ada");
  ASSERT_TRUE(one && two);
  std::ofstream{public_file("broken")} << "no key";
  std::ofstream{directory + "/keys/authorized/readme.txt"} << one->public_key;
  std::filesystem::create_directory(public_file("folder"));
  auto list = load_authorized(directory);
  ASSERT_TRUE(list) << list.error().text;
  EXPECT_EQ(*list, (std::map<std::string, std::string>{{one->public_key, "node-1"},
                                                       {two->public_key, "ada"}}));
}

} // namespace
} // namespace troupe
