// The record of a running cluster on the command line: lists, lineages, changes as they come, and a
// backup that is another cluster.
#include "tests/e2e/parsed.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

namespace troupe::e2e {
namespace {

class record : public cluster {
protected:
  // A job that makes `result` of the file `data`.
  std::string make_job(const std::string& data) const {
    return write("make.yaml", "name: make\ninputs: [" + data
                                + "]\noutputs: [result]\ntasks:\n  worker:\n    cpus: 1\n    "
                                  "command: [sh, -c, 'sort "
                                + data + " > $TROUPE_OUTPUT/result']\n");
  }

  void run(const std::string& data) {
    auto ran = troupe({"submit", make_job(data), "--wait"});
    ASSERT_EQ(ran.code, 0) << ran.err;
  }

  bool lists(const std::vector<std::string>& args, const std::string& text) const {
    return eventually([&] { return troupe(args).out.find(text) != std::string::npos; });
  }
};

} // namespace

TEST_F(record, lineages_lists_and_pictures_name_what_a_job_read_and_made) {
  start_nodes(1, 2);
  auto data = write("data.csv", "b\na\n");
  run(data);
  auto all = troupe({"artifacts"}).out;
  EXPECT_NE(all.find("/result sha256 "), std::string::npos) << all;
  auto up = troupe({"lineage", "upstream", "result"}).out;
  EXPECT_NE(up.find("made by execution"), std::string::npos) << up;
  EXPECT_NE(up.find(data + " sha256 "), std::string::npos) << up;
  auto down = troupe({"lineage", "downstream", data}).out;
  EXPECT_NE(down.find("read by execution"), std::string::npos) << down;
  EXPECT_NE(down.find("/result sha256 "), std::string::npos) << down;
  EXPECT_EQ(troupe({"lineage", "show", "1", "--svg"}).out.rfind("<svg", 0), 0u);
  EXPECT_NE(troupe({"lineage", "show", "1", "--dot"}).out.find("digraph"), std::string::npos);
  auto sum
    = value_of(troupe({"artifacts", "--where", "uri LIKE '%/result'", "--json"}).out, "sha256");
  EXPECT_EQ(sum.size(), 64u);
  EXPECT_NE(troupe({"lineage", "upstream", sum}).out.find(data), std::string::npos);
}

TEST_F(record, a_line_of_shell_adds_a_run) {
  start_nodes(1, 2);
  auto data = write("data.csv", "b\na\n");
  run(data);
  auto model = write("model.bin", "m");
  auto add
    = std::vector<std::string>{"lineage",  "add",          "train",         "--input", data,
                               "--output", model,          "--output-type", "Model",   "--set",
                               "epochs=3", "--set-output", "accuracy=0.93", "--job",   "1"};
  ASSERT_EQ(troupe(add).code, 0);
  auto where = std::vector<std::string>{"artifacts", "--type", "Model", "--where",
                                        "properties.accuracy > 0.9"};
  EXPECT_NE(troupe(where).out.find(model + " sha256 "), std::string::npos);
  auto down = troupe({"lineage", "downstream", data}).out;
  EXPECT_NE(down.find("/result sha256 "), std::string::npos) << down;
  EXPECT_NE(down.find(model + " sha256 "), std::string::npos) << down;
  auto dot = troupe({"lineage", "show", "1", "--dot"}).out;
  EXPECT_NE(dot.find("model.bin"), std::string::npos) << dot;
  for (auto& [option, value, said] :
       {std::tuple("--output", "/nowhere", "no file that is here"),
        std::tuple("--job", "9", "job 9"), std::tuple("--set", "=1", "NAME=VALUE"),
        std::tuple("--set", "epochs=few", "epochs")}) {
    auto refused = troupe({"lineage", "add", "train", option, value});
    EXPECT_NE(refused.code, 0) << option;
    EXPECT_NE(refused.err.find(said), std::string::npos) << refused.err;
  }
}

TEST_F(record, a_difference_says_what_changed_between_two_jobs) {
  start_nodes(1, 2);
  auto data = write("data.csv", "b\na\n");
  run(data);
  std::ofstream{data} << "other\n";
  run(data);
  ASSERT_TRUE(eventually([&] {
    return troupe({"lineage", "diff", "1", "2"}).out.find("+ ") != std::string::npos;
  }));
  auto text = troupe({"lineage", "diff", "1", "2"}).out;
  EXPECT_NE(text.find("- artifact"), std::string::npos) << text;
  EXPECT_NE(text.find("data.csv sha256"), std::string::npos) << text;
  EXPECT_EQ(troupe({"lineage", "diff", "1", "1"}).out, "");
  EXPECT_FALSE(parsed(troupe({"lineage", "diff", "1", "2", "--json"}))["only_second"].empty());
  auto cut = troupe({"lineage", "diff", "1", "2", "--limit", "2"});
  EXPECT_EQ(cut.code, 2);
  EXPECT_NE(cut.err.find("too large to be compared"), std::string::npos) << cut.err;
}

TEST_F(record, a_subscription_goes_on_where_it_ended_also_behind_a_dead_master) {
  start_nodes(1, 2);
  auto data = write("data.csv", "b\na\n");
  // The subscription begins now; nothing has come yet.
  auto first = start_process("first", {"--dir", directory, "watch", "--subscription", "s",
                                       "--where", "uri LIKE '%/result'", "--count", "1"});
  ASSERT_TRUE(lists({"nodes"}, "node-1"));
  ASSERT_TRUE(eventually([&] {
    run(data);
    return !text_of(scratch + "/first.log").empty();
  }));
  EXPECT_TRUE(eventually([&] { return !lives(first); }));
  run(data);
  ::kill(master_process(), SIGKILL);
  run(data);
  auto rest
    = troupe({"watch", "--subscription", "s", "--where", "uri LIKE '%/result'", "--count", "2"});
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_NE(rest.out.find("created artifact"), std::string::npos) << rest.out;
  EXPECT_EQ(rest.out.find(text_of(scratch + "/first.log")), std::string::npos) << rest.out;
}

TEST_F(record, a_backup_is_a_store_that_another_cluster_opens) {
  namespace fs = std::filesystem;
  start_nodes(1, 2);
  auto data = write("data.csv", "b\na\n");
  run(data);
  ASSERT_TRUE(lists({"artifacts"}, "/result sha256 "));
  ASSERT_EQ(troupe({"bundle", "add", "users", data}).code, 0);
  auto copy = scratch + "/copy";
  auto made = troupe({"backup", copy + "/"});
  EXPECT_EQ(made.code, 0) << made.err;
  auto again = troupe({"backup", copy});
  EXPECT_EQ(again.code, 2);
  EXPECT_NE(again.err.find(copy), std::string::npos) << again.err;
  EXPECT_NE(troupe({"backup", scratch + "/none/copy"}).code, 0);
  EXPECT_FALSE(fs::exists(scratch + "/none"));
  for (const auto& each : fs::directory_iterator(scratch))
    EXPECT_EQ(each.path().string().find('~'), std::string::npos) << "what was not finished";
  auto listed = troupe({"artifacts"}).out;
  ASSERT_EQ(troupe({"down"}).code, 0);

  auto here = directory;
  directory = copy; // it has the form of a cluster's directory
  auto checked = troupe({"fsck", "--read"});
  directory = here;
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  EXPECT_NE(checked.out.find(" 0 findings"), std::string::npos) << checked.out;
  for (const std::string part : {"/store", "/objects"}) {
    fs::remove_all(directory + part);
    fs::rename(copy + part, directory + part);
  }
  start_nodes(1, 2);
  EXPECT_EQ(troupe({"artifacts"}).out, listed);
  EXPECT_EQ(troupe({"bundle", "cat", "users"}).out, "b\na\n");
}

TEST_F(record, what_is_not_there_or_wrong_is_said_in_one_sentence) {
  start_nodes(1, 1);
  auto none = troupe({"lineage", "upstream", "nothing"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("no artifact has the uri, name or hash 'nothing'"), std::string::npos)
    << none.err;
  EXPECT_NE(troupe({"lineage", "downstream", "7"}).err.find("nothing is recorded of job 7"),
            std::string::npos);
  auto filter = troupe({"artifacts", "--where", "uri = "});
  EXPECT_EQ(filter.code, 2);
  EXPECT_NE(filter.err.find("troupe: "), std::string::npos) << filter.err;
  EXPECT_EQ(troupe({"lineage", "upstream", "artifact:99"}).code, 2);
}

} // namespace troupe::e2e
