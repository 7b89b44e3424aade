// troupe bundle and troupe context: with a cluster and without, and over remotes.
#include "runtime/base/random.hpp"
#include "storage/bytes/s3_client.hpp"
#include "tests/e2e/parsed.hpp"
#include "tests/support/s3_server.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace troupe::e2e {

namespace {

namespace fs = std::filesystem;

class bundles : public cluster {
protected:
  using server_type = testing::s3_server;

  void TearDown() override {
    s3_.reset();
    for (const auto* name :
         {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"})
      ::unsetenv(name);
    cluster::TearDown();
  }

  // Of a command that works: what it printed, without the end of the line.
  std::string said(const std::vector<std::string>& args) {
    auto done = troupe(args);
    EXPECT_EQ(done.code, 0) << args[0] << " " << args[1] << ": " << done.err;
    EXPECT_EQ(done.err, "");
    while (done.out.ends_with('\n'))
      done.out.pop_back();
    return done.out;
  }

  json told(std::vector<std::string> args) {
    args.emplace_back("--json");
    return parsed(troupe(args));
  }

  // Of one that does not: one sentence, and nothing on standard output.
  void refuses(const std::vector<std::string>& args, int code, const std::string& part) {
    auto done = troupe(args);
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
    EXPECT_NE(done.err.find(part), std::string::npos) << done.err;
    EXPECT_TRUE(std::none_of(done.err.begin(), done.err.end() - 1,
                             [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      << done.err;
  }

  // Goes on with the bundles of another directory.
  void move_to(const std::string& name) { directory = scratch + "/" + name; }

  std::string random_file(const std::string& name, size_t bytes, uint64_t seed = 1) {
    random_source chance(seed);
    std::string text(bytes, '\0');
    for (auto& each : text)
      each = static_cast<char>(chance.next());
    return write(name, text);
  }

  // A server with the bucket `troupe`, to which the environment leads commands from then on. Where
  // there can be none the test is skipped.
  void start_s3();

  void everyday_life();
  void lineage_and_reuse();

private:
  std::unique_ptr<server_type> s3_;
};

} // namespace

void bundles::everyday_life() {
  auto first = said({"bundle", "add", "users", write("users.csv", "a,1\n"), "--tag", "stage=raw"});
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(said({"bundle", "cat", "users"}), "a,1");
  auto second = said({"bundle", "add", "users", write("users.csv", "a,1\nb,2\n")});
  EXPECT_EQ(said({"bundle", "cat", "users"}), "a,1\nb,2") << "the newest of its name";
  EXPECT_EQ(said({"bundle", "cat", first}), "a,1") << "which never changes";
  said({"bundle", "add", "score", "--value", "{\"auc\": [0.5, 0.75]}"});
  EXPECT_EQ(json::parse(said({"bundle", "cat", "score"}))["auc"][1], 0.75);
  fs::create_directories(scratch + "/model/sub");
  write("model/weights.bin", "www");
  write("model/sub/config", "ccc");
  said({"bundle", "add", "model", scratch + "/model"});
  EXPECT_EQ(said({"bundle", "cat", "model", "sub/config"}), "ccc");
  refuses({"bundle", "cat", "model"}, 2, "has 2 files; name one");
  said({"bundle", "add", "both", scratch + "/model", scratch + "/users.csv"});
  EXPECT_EQ(said({"bundle", "cat", "both", "model/sub/config"}), "ccc");
  EXPECT_EQ(said({"bundle", "cat", "both", "users.csv"}), "a,1\nb,2");

  EXPECT_EQ(told({"bundle", "ls"}).size(), 4u) << "one of each name";
  EXPECT_EQ(told({"bundle", "ls", "--all"}).size(), 5u);
  EXPECT_EQ(told({"bundle", "ls", "users"}).size(), 2u);
  auto raw = told({"bundle", "ls", "users", "--tag", "stage=raw"});
  ASSERT_EQ(raw.size(), 1u);
  EXPECT_EQ(raw[0]["uuid"], first);
  said({"bundle", "tag", first, "stage=old", "seen=yes"});
  said({"bundle", "tag", first, "stage="});
  EXPECT_EQ(told({"bundle", "show", first})["tags"], json({{"seen", "yes"}}));
  EXPECT_EQ(said({"bundle", "alias", "golden", first}), first);
  EXPECT_EQ(said({"bundle", "cat", "golden"}), "a,1");
  refuses({"bundle", "alias", "golden", second}, 2, "for ever");

  // Out into a directory, changed there, and back as the next version.
  auto out = scratch + "/out";
  auto model = said({"bundle", "checkout", "model", out});
  EXPECT_EQ(text_of(out + "/sub/config"), "ccc");
  refuses({"bundle", "checkout", "model", out}, 2, "out");
  auto same = troupe({"bundle", "commit", out});
  EXPECT_EQ(same.out, model + "\n") << "nothing changed";
  write("out/sub/config", "ddd");
  auto next = said({"bundle", "commit", out, "--tag", "by=hand"});
  EXPECT_NE(next, model);
  EXPECT_EQ(said({"bundle", "cat", "model", "sub/config"}), "ddd");
  auto shown = told({"bundle", "show", "model"});
  EXPECT_EQ(shown["sources"][0]["uuid"], model);
  EXPECT_EQ(shown["files"].size(), 2u);
  EXPECT_NE(shown["processing_name"], told({"bundle", "show", model})["processing_name"]);
  said({"bundle", "commit", scratch + "/model"});
  EXPECT_EQ(told({"bundle", "ls", "model"}).size(), 3u) << "any directory, under its own name";

  EXPECT_EQ(told({"bundle", "rm", "users", "--dry-run"}).size(), 1u);
  EXPECT_EQ(said({"bundle", "cat", "users"}), "a,1\nb,2");
  said({"bundle", "rm", "users"});
  EXPECT_EQ(said({"bundle", "cat", "users"}), "a,1") << "the one before is the newest now";
  refuses({"bundle", "cat", second}, 2, "was removed");
  EXPECT_EQ(told({"bundle", "ls", "users", "--removed"}).size(), 2u);
  said({"bundle", "gc", "--guard", "0 s", "--dry-run"});
  said({"bundle", "gc", "--guard", "0 s"});
  EXPECT_EQ(told({"bundle", "gc", "--guard", "0 s"})["chunks_dropped"], 0);
  EXPECT_EQ(said({"bundle", "cat", "model", "weights.bin"}), "www") << "what is needed stays";
  EXPECT_FALSE(told({"bundle", "show", second})["here"]);
}

void bundles::lineage_and_reuse() {
  refuses({"--json", "bundle", "find", "features", "--code", "f@1", "--param", "k=3"}, 2,
          "was made so");
  auto users = said({"bundle", "add", "people", write("people.csv", "a,1\n")});
  std::vector<std::string> made{"features", "--code", "f@1",       "--param",
                                "k=3",      "--from", "people:raw"};
  auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), made.begin(), made.end());
    return words;
  };
  auto add = with({"bundle", "add"});
  add.emplace_back("--value");
  add.emplace_back("[1,2]");
  auto features = said(add);
  EXPECT_EQ(said(with({"bundle", "find"})), features);
  auto shown = told({"bundle", "show", features});
  EXPECT_EQ(shown["sources"][0]["argument"], "raw");
  EXPECT_EQ(shown["sources"][0]["uuid"], users);
  EXPECT_EQ(shown["parameters"]["k"], "3");
  // Other data of the same name: what was made of the old is not taken for it.
  said({"bundle", "add", "people", write("people.csv", "b,2\n")});
  refuses(with({"bundle", "find"}), 2, "was made so");
  // The same data again is the same.
  said({"bundle", "add", "people", write("people.csv", "a,1\n")});
  EXPECT_EQ(said(with({"bundle", "find"})), features);
  said({"bundle", "rm", users});
  EXPECT_EQ(told({"bundle", "show", features})["sources"][0]["uuid"], users)
    << "what was removed stays in the lineage";
}

TEST_F(bundles, are_found_by_the_source_that_was_meant) {
  auto f2 = [&](const std::string& k, const std::string& value) {
    return said({"bundle", "add", "f2", "--code", "f@1", "--param", "k=" + k, "--value", value});
  };
  auto first = f2("10", "1");
  auto second = f2("20", "2");
  auto made_of = [&](const std::string& verb, const std::string& source) {
    std::vector<std::string> words{"bundle", verb, "p", "--code", "p@1", "--from", source + ":x"};
    if (verb == "add")
      words.insert(words.end(), {"--value", "3"});
    return said(words);
  };
  auto of_first = made_of("add", first);
  auto of_second = made_of("add", second);
  EXPECT_EQ(said({"bundle", "find", "f2", "--code", "f@1", "--param", "k=10"}), first);
  EXPECT_EQ(made_of("find", first), of_first) << "though it is not the newest of its name";
  EXPECT_EQ(made_of("find", second), of_second);
  EXPECT_EQ(made_of("find", "f2"), of_second) << "a name means the newest";
  said({"bundle", "alias", "golden", first});
  EXPECT_EQ(made_of("find", "golden"), of_first);
  EXPECT_EQ(told({"bundle", "show", of_first})["sources"][0]["uuid"], first);
  // What was removed is not found; made again it is.
  said({"bundle", "rm", of_first});
  refuses({"bundle", "find", "p", "--code", "p@1", "--from", first + ":x"}, 2, "was made so");
  auto again = made_of("add", first);
  EXPECT_EQ(made_of("find", first), again);
}

TEST_F(bundles, keep_values_and_parameters_as_they_were_given) {
  for (const std::string value : {"1", "-0.5", "1e308", "18446744073709551615", "\"\"", "\"1\"",
                                  "\"a\\u0000b\\n\"", "null", "[]", "{}", "[1,2,3]"}) {
    auto uuid = said({"bundle", "add", "v", "--value", value});
    EXPECT_EQ(told({"bundle", "show", uuid})["content"]["value"], json::parse(value)) << value;
  }
  auto made = said({"bundle", "add", "p", "--value", "1", "--param", "d={\"a\": \"b=c\"}",
                    "--param", "e=", "--param", "l=[1, 3]"});
  EXPECT_EQ(told({"bundle", "show", made})["parameters"],
            json({{"d", "{\"a\": \"b=c\"}"}, {"e", ""}, {"l", "[1, 3]"}}));
  EXPECT_EQ(said({"bundle", "find", "p", "--param", "l=[1, 3]", "--param", "e=", "--param",
                  "d={\"a\": \"b=c\"}"}),
            made);
}

TEST_F(bundles, that_are_made_again_the_same_way_are_the_same_source) {
  auto first = said(
    {"bundle", "add", "s", "--code", "c", "--param", "k=1", "--value", "1", "--tag", "stage=raw"});
  auto made = said({"bundle", "add", "d", "--code", "d@1", "--from", "s:x", "--value", "2"});
  auto second = said({"bundle", "add", "s", "--code", "c", "--param", "k=1", "--value", "7"});
  EXPECT_NE(first, second);
  EXPECT_EQ(said({"bundle", "find", "d", "--code", "d@1", "--from", "s:x"}), made);
  EXPECT_EQ(told({"bundle", "show", first})["tags"], json({{"stage", "raw"}}));
  EXPECT_TRUE(told({"bundle", "show", second})["tags"].empty()) << "tags are of a version";
}

TEST_F(bundles, whose_bytes_were_swept_come_back_from_the_remote) {
  auto remote = scratch + "/remote";
  said({"context", "create", "lab", "--remote", remote});
  auto data = random_file("data.bin", 3 << 20);
  auto in_lab = [](std::vector<std::string> words) {
    words.insert(words.begin() + 2, {"--context", "lab"});
    return words;
  };
  auto uuid = said(in_lab({"bundle", "add", "data", data}));
  told(in_lab({"bundle", "push"}));
  said(in_lab({"bundle", "rm", uuid}));
  told(in_lab({"bundle", "gc", "--guard", "0 s"}));
  refuses(in_lab({"bundle", "cat", uuid}), 2, "removed");
  EXPECT_GT(told(in_lab({"bundle", "pull", uuid}))["chunks"], 0);
  EXPECT_EQ(troupe(in_lab({"bundle", "cat", uuid})).out, text_of(data));
  // What did not change is not read again: its bytes have to be there all the same.
  said(in_lab({"bundle", "rm", uuid}));
  told(in_lab({"bundle", "gc", "--guard", "0 s"}));
  auto again = said(in_lab({"bundle", "add", "data", data}));
  EXPECT_EQ(troupe(in_lab({"bundle", "cat", again})).out, text_of(data));
}

TEST_F(bundles, live_without_a_cluster) {
  everyday_life();
  lineage_and_reuse();
}

TEST_F(bundles, live_in_a_cluster_and_outlive_it) {
  said({"bundle", "add", "before", "--value", "\"it\""});
  start_nodes(1, 1);
  EXPECT_EQ(said({"bundle", "cat", "before"}), "it");
  said({"bundle", "rm", "before"});
  everyday_life();
  lineage_and_reuse();
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  EXPECT_EQ(said({"bundle", "cat", "golden"}), "a,1") << "the next master has them";
  ASSERT_EQ(troupe({"down"}).code, 0);
  EXPECT_EQ(said({"bundle", "cat", "golden"}), "a,1");
}

TEST_F(bundles, refuse_what_is_wrong_in_one_sentence) {
  refuses({"bundle", "cat", "nothing"}, 2, "there is no bundle or alias nothing");
  refuses({"bundle", "add", "x"}, 2, "would hold nothing");
  refuses({"bundle", "add", "a\nb", "--value", "1"}, 2, "name of a bundle");
  refuses({"bundle", "add", "x", "--value", "{"}, 2, "is no JSON");
  refuses({"bundle", "add", "x", scratch + "/none"}, 2, "none");
  refuses({"bundle", "add", "x", "--value", "1", "--param", "k"}, 2, "is no K=V");
  refuses({"bundle", "add", "x", "--value", "1", "--from", "nobody:x"}, 2, "nobody");
  refuses({"bundle", "add", "x", "s3://bucket/file"}, 2, "is in S3; download it");
  refuses({"bundle", "ls", "--context", "Not Here"}, 2, "choose such a name");
  refuses({"bundle", "ls", "--context", "elsewhere"}, 2, "no context elsewhere");
  refuses({"bundle", "push"}, 2, "has no remote");
  refuses({"bundle", "push", "--remote", "ftp://x/y"}, 2, "is of a kind that is not known");
  refuses({"bundle", "push", "--remote", "troupe:" + directory}, 2, "already");
  refuses({"bundle", "pull", "--remote", scratch + "/none"}, 2, "there is no directory");
  EXPECT_FALSE(fs::exists(scratch + "/none"));
  refuses({"context", "create", "../x"}, 2, "choose such a name");
  refuses({"context", "remote", "none", "/x"}, 2, "there is no context none");
  refuses({"bundle", "checkout", "x\x1b[31m", scratch + "/y"}, 2, "name of a bundle");
  auto twice = scratch + "/twice";
  fs::create_directories(twice);
  refuses({"bundle", "add", "x", write("twice/a", "1"), write("a", "2")}, 2, "are called a");
  fs::create_symlink("../../etc/passwd", twice + "/out");
  refuses({"bundle", "add", "x", twice}, 2, "out");
  EXPECT_EQ(told({"bundle", "ls"}).size(), 0u) << "nothing was added";
  said({"bundle", "add", "x", "--value", "1"});
  refuses({"bundle", "checkout", "x", scratch + "/y"}, 2, "has no files");
  EXPECT_FALSE(fs::exists(scratch + "/y"));
}

TEST_F(bundles, are_added_by_many_at_once) {
  auto add_all = [&](const std::string& name) {
    constexpr int many = 6;
    for (int i = 0; i < many; ++i)
      start_process(name + std::to_string(i),
                    {"--dir", directory, "bundle", "add", name, "--value", std::to_string(i)});
    EXPECT_TRUE(eventually([&] { return told({"bundle", "ls", name}).size() == many; }));
  };
  add_all("alone");
  start_nodes(1, 1);
  add_all("served");
}

TEST_F(bundles, move_over_a_directory) {
  said({"context", "create", "lab", "--remote", scratch + "/remote"});
  EXPECT_EQ(told({"context", "ls"})[0]["remote"], scratch + "/remote");
  auto users
    = said({"bundle", "--context", "lab", "add", "users", write("u", "1"), "--tag", "a=b"});
  auto model = said(
    {"bundle", "--context", "lab", "add", "model", random_file("m", 1 << 20), "--from", "users"});
  auto old = said({"bundle", "--context", "lab", "add", "old", "--value", "1"});
  auto pushed = told({"bundle", "--context", "lab", "push"});
  EXPECT_EQ(pushed["bundles"], 3);
  EXPECT_EQ(told({"bundle", "--context", "lab", "push"})["chunks"], 0);

  move_to("other");
  said({"context", "create", "lab"});
  said({"context", "remote", "lab", scratch + "/remote"});
  auto pulled = told({"bundle", "--context", "lab", "pull", "model"});
  EXPECT_EQ(pulled["bundles"], 2) << "and the record of what it was made of";
  said({"bundle", "--context", "lab", "checkout", "model", scratch + "/back"});
  EXPECT_TRUE(text_of(scratch + "/back/m") == text_of(scratch + "/m"));
  auto shown = told({"bundle", "show", users});
  EXPECT_FALSE(shown["here"]);
  EXPECT_EQ(shown["tags"]["a"], "b");
  refuses({"bundle", "cat", users}, 3, "are not here");
  refuses({"bundle", "--context", "lab", "push", users}, 3, "only the records are here");
  EXPECT_EQ(told({"bundle", "gc"})["trees_elsewhere"], 1) << "which stops no sweep";
  EXPECT_EQ(
    told({"bundle", "--context", "lab", "push", "--remote", scratch + "/third"})["left_out"], 1);
  EXPECT_EQ(told({"bundle", "--context", "lab", "pull", "--records"})["bundles"], 1);
  told({"bundle", "--context", "lab", "pull"});
  EXPECT_EQ(said({"bundle", "cat", users}), "1");
  EXPECT_EQ(said({"bundle", "cat", old}), "1");
  said({"bundle", "rm", old});
  EXPECT_EQ(told({"bundle", "--context", "lab", "pull"})["bundles"], 0);
  refuses({"bundle", "cat", old}, 2, "was removed");
  told({"bundle", "--context", "lab", "pull", old});
  EXPECT_EQ(said({"bundle", "cat", old}), "1") << "by its uuid it comes back";
  refuses({"bundle", "--context", "lab", "pull", "none"}, 2, "the remote has no bundle none");
  said({"bundle", "--context", "lab", "gc", "--on-remote", "--guard", "0 s"});
  EXPECT_EQ(told({"bundle", "--context", "lab", "push"})["chunks"], 0) << "all is needed";
  refuses({"bundle", "push", "--remote", scratch + "/c"}, 2, "write troupe:");
}

TEST_F(bundles, move_between_two_clusters) {
  start_nodes(1, 1);
  auto users = said({"bundle", "add", "users", random_file("u", 2 << 20), "--tag", "a=b"});
  said({"bundle", "add", "model", "--value", "3", "--from", "users"});
  auto first = directory;
  move_to("d");
  start_nodes(1, 1);
  auto second = directory;
  EXPECT_EQ(told({"bundle", "pull", "--remote", "troupe:" + first, "model"})["bundles"], 2);
  directory = first;
  auto pushed = told({"bundle", "push", "--remote", "troupe:" + second});
  EXPECT_EQ(pushed["bundles"], 0) << "the records are there";
  EXPECT_GT(pushed["chunks"], 0) << "the bytes were not";
  said({"bundle", "tag", users, "a=c"});
  said({"bundle", "push", "--remote", "troupe:" + second});
  directory = second;
  said({"bundle", "checkout", "users", scratch + "/back"});
  EXPECT_TRUE(text_of(scratch + "/back/u") == text_of(scratch + "/u"));
  EXPECT_EQ(told({"bundle", "show", "users"})["tags"]["a"], "c");
  EXPECT_EQ(told({"bundle", "show", "model"})["sources"][0]["uuid"], users);
  ASSERT_EQ(troupe({"down"}).code, 0);
  directory = first;
  said({"bundle", "add", "late", "--value", "5"});
  said({"bundle", "push", "late", "--remote", "troupe:" + second});
  directory = second;
  EXPECT_EQ(said({"bundle", "cat", "late"}), "5") << "it runs no more, and has it all the same";
  directory = first;
}

TEST_F(bundles, a_push_that_is_killed_leaves_nothing_half_there) {
  auto big = random_file("big", 96 << 20);
  auto uuid = said({"bundle", "add", "big", big});
  auto remote = scratch + "/remote";
  auto process = start_process("push", {"--dir", directory, "bundle", "push", "--remote", remote});
  ASSERT_TRUE(eventually([&] { return fs::exists(remote + "/packs"); }));
  ASSERT_EQ(::kill(process, SIGKILL), 0);
  EXPECT_FALSE(fs::exists(remote + "/bundles")) << "its record comes after its bytes";
  auto here = directory;
  move_to("other");
  told({"bundle", "pull", "--remote", remote});
  EXPECT_EQ(told({"bundle", "ls"}).size(), 0u);
  directory = here;
  EXPECT_EQ(told({"bundle", "push", "--remote", remote})["bundles"], 1);
  move_to("other");
  told({"bundle", "pull", "--remote", remote});
  said({"bundle", "checkout", uuid, scratch + "/back"});
  EXPECT_TRUE(text_of(scratch + "/back/big") == text_of(big));
}

TEST_F(bundles, are_removed_from_a_remote_that_keeps_their_lineage) {
  auto here = directory;
  auto remote = scratch + "/remote";
  auto users = said({"bundle", "add", "users", random_file("u", 1 << 20), "--tag", "a=b"});
  auto model = said({"bundle", "add", "model", random_file("m", 1 << 20, 2), "--from", "users"});
  said({"context", "remote", "default", remote});
  told({"bundle", "push", "users"}); // each in packs of its own
  told({"bundle", "push", "model"});
  auto would = told({"bundle", "rm", "users", "--on-remote", "--dry-run"});
  ASSERT_EQ(would.size(), 1u);
  EXPECT_EQ(would[0]["uuid"], users);
  EXPECT_EQ(told({"bundle", "rm", "users", "--on-remote"}), would) << "it was still there";
  refuses({"bundle", "rm", "users", "--on-remote"}, 2, "the remote has no bundle users");
  refuses({"bundle", "rm", users, "--on-remote"}, 2, "the remote has no bundle " + users);
  EXPECT_FALSE(told({"bundle", "show", users})["removed"]) << "here it stays";
  EXPECT_GT(told({"bundle", "gc", "--on-remote", "--guard", "0 s"})["chunks_dropped"], 0);

  move_to("other");
  refuses({"bundle", "pull", users, "--remote", remote}, 2, "the remote has no bundle");
  EXPECT_EQ(told({"bundle", "pull", "--remote", remote})["bundles"], 2);
  said({"bundle", "checkout", "model", scratch + "/back"});
  EXPECT_TRUE(text_of(scratch + "/back/m") == text_of(scratch + "/m"));
  EXPECT_EQ(told({"bundle", "show", model})["sources"][0]["uuid"], users);
  auto source = told({"bundle", "show", users});
  EXPECT_TRUE(source["removed"]);
  EXPECT_EQ(source["tags"]["a"], "b");
  refuses({"bundle", "cat", "users"}, 2, "there is no bundle or alias users");
  refuses({"bundle", "rm", "model", "--remote", remote}, 2, "--on-remote");
  refuses({"bundle", "rm", "users", "--on-remote", "--remote", "troupe:" + here}, 2, "--dir");

  directory = here;
  EXPECT_EQ(told({"bundle", "push"})["bundles"], 1) << "who has it brings it back";
  move_to("other");
  told({"bundle", "pull", "users", "--remote", remote});
  EXPECT_TRUE(troupe({"bundle", "cat", "users"}).out == text_of(scratch + "/u"));

  directory = here;
  said({"bundle", "add", "users", "--value", "1"});
  told({"bundle", "push"});
  EXPECT_EQ(told({"bundle", "rm", "users", "--all", "--on-remote"}).size(), 2u);
}

TEST_F(bundles, whose_record_on_the_remote_is_damaged_can_be_removed_there) {
  auto uuid = said({"bundle", "add", "v", "--value", "1"});
  auto remote = scratch + "/remote";
  said({"context", "remote", "default", remote});
  told({"bundle", "push"});
  auto record = "remote/bundles/default/" + uuid;
  fs::remove(scratch + "/" + record); // nobody may write to it
  write(record, "garbage");
  auto here = directory;
  move_to("other");
  EXPECT_NE(troupe({"bundle", "pull", "--remote", remote}).code, 0);
  directory = here;
  EXPECT_EQ(told({"bundle", "rm", uuid, "--on-remote"})[0]["uuid"], uuid);
  EXPECT_EQ(told({"bundle", "push"})["bundles"], 1);
  move_to("other");
  EXPECT_EQ(told({"bundle", "pull", "--remote", remote})["bundles"], 1);
}

TEST_F(bundles, tell_how_long_it_took_to_make_them) {
  auto add = [&](std::vector<std::string> took) {
    took.insert(took.begin(), {"bundle", "add", "v", "--value", "1"});
    return took;
  };
  auto uuid = said(add({"--took", "90 s"}));
  auto shown = told({"bundle", "show", uuid});
  EXPECT_EQ(shown["ended_ns"], shown["created_ns"]);
  EXPECT_EQ(shown["ended_ns"].get<uint64_t>() - shown["started_ns"].get<uint64_t>(),
            90'000'000'000u);
  EXPECT_NE(said({"bundle", "show", uuid}).find(" 90 s\n"), std::string::npos);
  auto quick = said(add({"--took", "1.5 s"}));
  EXPECT_NE(said({"bundle", "show", quick}).find(" 1500 ms\n"), std::string::npos);
  auto untold = said(add({}));
  EXPECT_EQ(told({"bundle", "show", untold})["started_ns"], 0);
  EXPECT_EQ(said({"bundle", "show", untold}).find("took"), std::string::npos);
  refuses(add({"--took=-5 s"}), 2, "which is negative");
  refuses(add({"--took", "99999 d"}), 2, "which is too large");
  refuses(add({"--took", "long"}), 2, "--took is \"long\", not a time");
  EXPECT_EQ(told({"bundle", "ls", "v"}).size(), 3u) << "nothing was added";
}

TEST_F(bundles, are_found_by_the_processing_name_that_they_were_given) {
  auto made = said(
    {"bundle", "add", "features", "--value", "1", "--code", "f@1", "--processing", "nightly 7"});
  EXPECT_EQ(said({"bundle", "find", "features", "--processing", "nightly 7"}), made);
  refuses({"bundle", "find", "features", "--code", "f@1"}, 2, "was made so");
  refuses({"bundle", "find", "features", "--processing", "nightly 8"}, 2, "was made so");
  refuses({"bundle", "find", "features", "--processing", "a\nb"}, 2, "processing name");
  // Data that nothing here made is named by its content: its own name finds it.
  auto data = said({"bundle", "add", "users", "--value", "1"});
  refuses({"bundle", "find", "users"}, 2, "was made so");
  EXPECT_EQ(told({"bundle", "show", "users"})["uuid"], data);
}

void bundles::start_s3() {
  auto data = scratch + "/s3";
  fs::create_directories(data);
  if (auto missing = server_type::missing(data); !missing.empty())
    GTEST_SKIP() << missing;
  s3_ = std::make_unique<server_type>(data);
  auto started = s3_->start();
  ASSERT_TRUE(started) << started.error().text;
  storage::s3_options options;
  options.endpoint = "http://127.0.0.1:" + std::to_string(s3_->port());
  options.bucket = "troupe";
  options.style = storage::s3_style::path;
  system_clock time;
  auto maker = storage::s3_client::make(options, {server_type::key_id, server_type::secret, ""},
                                        {time, random_source{1}});
  ASSERT_TRUE(maker);
  ASSERT_TRUE((*maker)->ask({.method = "PUT"}));
  ::setenv("AWS_ENDPOINT_URL", options.endpoint.c_str(), 1);
  ::setenv("AWS_REGION", server_type::region, 1);
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  auto file = write("aws", "[default]\naws_access_key_id = " + std::string(server_type::key_id)
                             + "\naws_secret_access_key = " + server_type::secret + "\n");
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", file.c_str(), 1);
}

TEST_F(bundles, move_over_s3) {
  start_s3();
  if (IsSkipped() || HasFatalFailure())
    return;
  said({"context", "create", "lab", "--remote", "s3://troupe/lab"});
  said({"bundle", "--context", "lab", "add", "users", random_file("u", 3 << 20), "--tag", "a=b"});
  EXPECT_EQ(told({"bundle", "--context", "lab", "push"})["bundles"], 1);
  EXPECT_EQ(told({"bundle", "--context", "lab", "push"})["chunks"], 0);
  move_to("other");
  EXPECT_EQ(told({"bundle", "--context", "lab", "pull", "--remote", "s3://troupe/lab"})["bundles"],
            1);
  said({"bundle", "--context", "lab", "checkout", "users", scratch + "/back"});
  EXPECT_TRUE(text_of(scratch + "/back/u") == text_of(scratch + "/u"));
  refuses({"bundle", "push", "--remote", "s3:///x"}, 2, "names no bucket");
  refuses({"bundle", "--context", "lab", "push", "--remote", "s3://nobucket/x"}, 2, "bucket");
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", (scratch + "/none").c_str(), 1);
  ::setenv("AWS_CONFIG_FILE", (scratch + "/none").c_str(), 1);
  refuses({"bundle", "push", "--remote", "s3://troupe/x"}, 3, "there is no key for S3");
}

TEST_F(bundles, go_through_the_example_over_s3) {
  start_s3();
  if (IsSkipped() || HasFatalFailure())
    return;
  auto log = scratch + "/example.log"; // shown where the test fails
  auto command = "TMPDIR=" + scratch + " timeout 120 examples/bundles/run s3://troupe/example > "
                 + log + " 2>&1";
  ASSERT_EQ(::system(command.c_str()), 0);
  auto pulled = told({"bundle", "--context", "cards", "pull", "card_predictions", "--remote",
                      "s3://troupe/example"});
  EXPECT_EQ(pulled["bundles"], 5) << "with what they were made of, two levels up";
  EXPECT_EQ(said({"bundle", "--context", "cards", "cat", "card_predictions"}).substr(0, 4), "ann,");
}

} // namespace troupe::e2e
