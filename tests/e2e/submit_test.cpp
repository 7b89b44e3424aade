// Job files that are only checked, in both languages; tasks that start when each is there; metrics
// by the calls that we ship.
#include "tests/e2e/parsed.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>

namespace troupe::e2e {

class submits : public cluster {
protected:
  // A job file of TonY's with one worker, and more keys.
  std::string xml(const std::string& name, const std::string& keys) const {
    return write(name, "<configuration>\n<property><name>tony.worker.instances</name><value>1"
                       "</value></property>\n<property><name>tony.worker.command</name><value>ls"
                       "</value></property>\n"
                         + keys + "</configuration>\n");
  }
};

namespace {

std::string property(const std::string& name, const std::string& value) {
  return "<property><name>" + name + "</name><value>" + value + "</value></property>\n";
}

// Of this file's tree, where the tests run.
std::string in_tree(const std::string& path) {
  return (std::filesystem::current_path() / path).string();
}

} // namespace

TEST_F(submits, what_is_only_checked_changes_nothing) {
  const std::string body
    = "tasks:\n  worker:\n    command: [/bin/echo, hi]\n    resources: [seen]\n";
  auto yaml = write("good.yaml", "name: probe\n" + body);
  auto tony = xml("good.xml", property("tony.application.name", "probe")
                                + property("tony.history.retention-sec", "9"));
  write("seen", "a resource\n");
  auto check = [&] {
    for (auto& file : {yaml, tony}) {
      auto shown = troupe({"submit", file, "--dry-run"});
      EXPECT_EQ(shown.code, 0) << shown.err;
      EXPECT_NE(shown.out.find("name: \"probe\""), std::string::npos) << shown.out;
      auto tree = parsed(troupe({"submit", file, "--dry-run", "--json"}));
      EXPECT_EQ(tree["name"], "probe") << tree;
      EXPECT_EQ(tree["tasks"][0]["name"], "worker") << tree;
    }
  };
  check(); // no cluster is needed
  EXPECT_FALSE(std::filesystem::exists(directory));
  start_nodes(1, 1);
  check();
  EXPECT_EQ(troupe({"jobs", "--json"}).out, "[]\n");
  EXPECT_FALSE(std::filesystem::exists(directory + "/jobs/1"));
  std::error_code none;
  for (std::filesystem::recursive_directory_iterator i{directory + "/packages", none}, end;
       i != end; ++i)
    EXPECT_FALSE(i->is_regular_file()) << i->path(); // nothing was sent
  EXPECT_EQ(value_of(troupe({"submit", yaml, "--json"}).out, "job"), "1");
}

TEST_F(submits, a_bad_file_gets_the_same_sentence_checked_or_submitted) {
  start_nodes(1, 1);
  auto yaml = [&](const std::string& name, const std::string& text) {
    return write(name, "name: probe\ntasks:\n  worker:\n" + text);
  };
  struct {
    std::string file;
    std::string says;
  } cases[] = {
    {yaml("key.yaml", "    comand: ls\n"), "unknown key \"tasks.worker.comand\""},
    {yaml("none.yaml", "    cpus: 1\n"), "command"},
    {yaml("type.yaml", "    command: ls\n    instances: many\n"), "instances"},
    {yaml("time.yaml", "    command: ls\n    timeout: 3 fortnights\n"), "whose unit is unknown"},
    {yaml("after.yaml", "    command: ls\n    after: [nobody]\n"),
     "after.yaml: task type \"worker\" comes after \"nobody\""},
    {yaml("resource.yaml", "    command: ls\n    resources: [no/such]\n"), "no/such"},
    {write("name.yaml", "name: a b\ntasks:\n  worker:\n    command: ls\n"),
     "name.yaml: job \"a b\" is not a name"},
    {write("kind.yaml", "name: x\ntasks:\n  A b:\n    command: ls\n"),
     "kind.yaml: task type \"A b\" is not a name"},
    {yaml("many.yaml", "    command: ls\n    instances: 10000000\n"),
     "many.yaml: the job has 10000000 tasks"},
    {write("torn.yaml", "name: [\n"), "torn.yaml:"},
    {write("empty.yaml", ""), "empty.yaml"},
    {xml("key.xml", property("tony.worker.instancez", "1")),
     "did you mean \"tony.worker.instances\"?"},
    {xml("refused.xml", property("tony.application.enable-preprocess", "true")), "is refused: "},
    {xml("mode.xml", property("tony.application.distributed-mode", "LIFO")), "write GANG or FCFS"},
    {xml("torn.xml", "<property>"), "not well-formed XML"},
    {scratch, "cannot be read"},
  };
  for (auto& each : cases) {
    auto checked = troupe({"submit", each.file, "--dry-run"});
    EXPECT_EQ(checked.code, 2) << each.file << ": " << checked.err;
    EXPECT_NE(checked.err.find(each.says), std::string::npos) << each.says << ": " << checked.err;
    EXPECT_EQ(std::count(checked.err.begin(), checked.err.end(), '\n'), 1) << checked.err;
    EXPECT_EQ(checked.out, "");
    auto submitted = troupe({"submit", each.file});
    EXPECT_EQ(submitted.code, 2) << each.file;
    EXPECT_EQ(submitted.err, checked.err);
  }
  EXPECT_EQ(troupe({"jobs", "--json"}).out, "[]\n");
}

TEST_F(submits, an_input_that_is_not_there_is_noted) {
  write("there.csv", "1\n");
  auto yaml = write("job.yaml", "name: probe\ninputs: [there.csv, missing.csv]\ntasks:\n"
                                "  worker:\n    command: ls\n");
  auto checked = troupe({"submit", yaml, "--dry-run"});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_NE(checked.err.find("missing.csv' is not there now"), std::string::npos) << checked.err;
  EXPECT_EQ(checked.err.find("there.csv"), std::string::npos) << checked.err;
}

TEST_F(submits, each_key_that_is_explained_has_a_value_and_a_meaning) {
  auto keys = parsed(troupe({"submit", "--explain", "--json"}));
  EXPECT_GT(keys.size(), 30u);
  for (auto& each : keys)
    EXPECT_TRUE(!each["key"].empty() && each["value"] != "" && each["meaning"] != "") << each;
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_NE(troupe({"lineage", "--help"}).out.find("Example: troupe lineage show 3"),
            std::string::npos);
}

// The first ends first, the second fails last: both without a cluster and with one.
TEST_F(submits, an_array_is_followed_to_the_end_of_each_of_its_jobs) {
  auto array = [&](const std::string& script) {
    return write("array.yaml",
                 "name: probe\narray: 3\nattempts: 1\ntasks:\n  worker:\n    command: "
                 "cd "
                   + scratch + "; " + script + "\n");
  };
  auto late = std::string{"[ $TROUPE_ARRAY_INDEX = 0 ] || sleep $TROUPE_ARRAY_INDEX; "
                          "echo $TROUPE_ARRAY_INDEX >> seen; "};
  auto good = array(late + "true");
  for (auto& words : {std::vector<std::string>{"submit", good}, {"submit", good, "--wait"}}) {
    std::filesystem::remove(scratch + "/seen");
    auto ran = troupe(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(seen(), (std::vector<std::string>{"0", "1", "2"})) << ran.out;
    EXPECT_NE(ran.out.find("jobs 1 to 3: 3 succeeded"), std::string::npos) << ran.out;
  }
  auto bad = array(late + "exit $((TROUPE_ARRAY_INDEX * 3))");
  start_nodes(1, 4);
  for (auto& words :
       {std::vector<std::string>{"submit", bad, "--wait"}, {"submit", bad, "--wait", "--json"}}) {
    auto ran = troupe(words);
    auto as_json = words.size() == 4;
    EXPECT_EQ(ran.code, 1) << ran.out;
    EXPECT_NE(ran.err.find("2 of 3 jobs did not succeed; the first: job "
                           + std::string{as_json ? "5" : "2"} + " failed: "),
              std::string::npos)
      << ran.err;
    if (as_json)
      EXPECT_EQ(parsed(ran)[2]["state"], "failed") << ran.out;
    else
      EXPECT_NE(ran.out.find("job 3 (2) failed: "), std::string::npos) << ran.out;
  }
  EXPECT_EQ(troupe({"submit", bad}).out, "jobs 7 to 9\n");
  EXPECT_EQ(troupe({"submit", bad, "--json"}).out, "{\"job\": 10, \"jobs\": 3}\n");
}

// What tasks printed and wrote is all that stays, and no command is named that nobody would answer.
TEST_F(submits, a_run_without_a_cluster_leaves_what_it_wrote_and_shows_why_it_failed) {
  struct {
    std::string script;
    int code;
    std::set<std::string> left;
  } cases[]
    = {{"true", 0, {}}, {"echo hi", 0, {"jobs"}}, {"echo hi; exit 3", 1, {"jobs", "troupe.log"}}};
  for (auto& each : cases) {
    auto ran = troupe({"submit", job_of(each.script, 1, 1)});
    EXPECT_EQ(ran.code, each.code) << ran.err;
    EXPECT_EQ(ran.err.find("troupe logs"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find("troupe: worker:0 printed last:\nhi\n") != std::string::npos,
              each.code == 1)
      << ran.err;
    std::set<std::string> left;
    for (auto& entry : std::filesystem::directory_iterator{scratch})
      if (entry.path().filename().string().starts_with("troupe-embedded-")) {
        for (auto& kept : std::filesystem::directory_iterator{entry})
          left.insert(kept.path().filename().string());
        EXPECT_EQ(text_of(entry.path() / "jobs/1/1/worker-0.log"), "hi\n");
        EXPECT_NE(ran.out.find("is kept in " + entry.path().string() + "/jobs\n"),
                  std::string::npos)
          << ran.out;
        std::filesystem::remove_all(entry);
      }
    EXPECT_EQ(left, each.left) << each.script;
  }
}

// In mode fcfs the room is taken for all at once, but none waits for the others to be there.
TEST_F(submits, in_mode_fcfs_a_task_starts_before_the_others_are_there) {
  start_nodes(2, 1);
  ASSERT_TRUE(becomes(submit(job_of("true", 2)), "succeeded"));
  auto late = fork_server_of("node-2");
  ASSERT_GT(late, 1);
  auto script = "cd " + scratch + "; echo $TROUPE_RANK $DISTRIBUTED_MODE >> seen";
  auto ours = write("fcfs.yaml", "name: probe\nmode: fcfs\ntasks:\n  worker:\n    instances: 2\n"
                                 "    command: "
                                   + script + "\n");
  auto tonys = xml("fcfs.xml", property("tony.application.distributed-mode", "FCFS"));
  auto instances = std::string{"tony.worker.instances=2"};
  for (auto& words : {std::vector<std::string>{ours},
                      {tonys, "--set", instances, "--set", "tony.worker.command=" + script}}) {
    std::filesystem::remove(scratch + "/seen");
    ASSERT_EQ(::kill(late, SIGSTOP), 0);
    auto command = words;
    command.insert(command.begin(), {"submit", "--json"});
    auto job = value_of(troupe(command).out, "job");
    EXPECT_TRUE(eventually([&] { return seen().size() == 1; }));
    EXPECT_EQ(value_of(job_json(job), "state"), "starting");
    ASSERT_EQ(::kill(late, SIGCONT), 0);
    EXPECT_TRUE(becomes(job, "succeeded"));
    EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
    auto lines = seen();
    std::sort(lines.begin(), lines.end());
    auto mode = std::string{words.size() == 1 ? "" : " FCFS"};
    EXPECT_EQ(lines, (std::vector<std::string>{"0" + mode, "1" + mode}));
  }
}

TEST_F(submits, metrics_by_the_calls_that_are_shipped) {
  start_nodes(1, 2);
  auto python = write("reports.py", "import sys\nsys.path.insert(0, '" + in_tree("launcher/python")
                                      + "')\nfrom troupe_metric import report, report_input\n"
                                        "for step in range(1, 4):\n"
                                        "    report('loss', 1 / step, 10 * step)\n"
                                        "report_input(__file__)\n"
                                        "report('system/mine', 1)\nreport('two words', 1)\n");
  auto source = write("reports.c", "#include \"launcher/troupe_metric.h\"\nint main(void) {\n"
                                   "  for (int step = 1; step < 4; ++step)\n"
                                   "    troupe_metric(\"loss\", 1.0 / step, 10 * step);\n"
                                   "  troupe_metric(\"system/mine\", 1, 0);\n"
                                   "  troupe_file(\"input\", __FILE__);\n  return 0;\n}\n");
  auto compiles = "cc -Wall -Wextra -Werror -I" + in_tree("") + " " + source + " -o " + scratch
                  + "/reports && cp " + scratch + "/reports.c " + scratch
                  + "/reports.cpp && c++ -Wall -Wextra -Werror -fsyntax-only -I" + in_tree("") + " "
                  + scratch + "/reports.cpp && exec " + scratch + "/reports";
  for (auto& [command, read] :
       {std::pair("python3 " + python, python), std::pair(compiles, source)}) {
    auto file
      = write("reports.yaml", "name: reports\ntasks:\n  worker:\n    command: " + command + "\n");
    auto ran = troupe({"submit", file, "--wait", "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    auto job = value_of(ran.out, "job");
    auto series = parsed(troupe({"metrics", job, "--name", "loss", "--json"}));
    ASSERT_EQ(series["tasks"][0]["metrics"].size(), 1u) << series;
    auto loss = series["tasks"][0]["metrics"][0];
    EXPECT_EQ(loss["name"], "loss");
    EXPECT_NEAR(loss["newest"].get<double>(), 1.0 / 3, 1e-6);
    EXPECT_EQ(loss["samples"].back()[2], 30);
    auto table = troupe({"metrics", job, "--name", "loss"}).out;
    EXPECT_NE(table.find("0.333333"), std::string::npos) << table;
    auto all = troupe({"metrics", job}).out;
    EXPECT_EQ(all.find("system/mine"), std::string::npos) << all;
    EXPECT_EQ(all.find("two"), std::string::npos) << all;
    auto files = troupe({"lineage", "downstream", read}).out;
    EXPECT_NE(files.find("read by execution"), std::string::npos) << files;
  }
}

} // namespace troupe::e2e
