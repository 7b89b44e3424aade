// What people see of jobs: metrics over time, output, history, usage; and what is purged.
#include "tests/e2e/parsed.hpp"

#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>

namespace troupe::e2e {
namespace {

// Reports two metrics and ends; on attempt 1 with code 7.
const std::string reports
  = "for i in 1 2 3; do echo \"metric loss 0.$((9 - i)) $i\" >&$TROUPE_METRICS_FD; "
    "echo \"step $i of attempt $TROUPE_ATTEMPT\"; done; "
    "echo 'metric progress 1 3' >&$TROUPE_METRICS_FD; [ $TROUPE_ATTEMPT = 2 ] || exit 7";

json metric(const json& series, const std::string& name) {
  for (auto& each : series["tasks"][0]["metrics"])
    if (each["name"] == name)
      return each;
  return {};
}

} // namespace

TEST_F(cluster, metrics_of_each_attempt_stay_to_be_seen) {
  start_nodes(1, 2);
  ASSERT_EQ(troupe({"submit", job_of(reports), "--wait"}).code, 0);
  for (auto* attempt : {"1", "2"}) {
    auto series = parsed(troupe({"metrics", "1", "--attempt", attempt, "--json"}));
    auto loss = metric(series, "loss");
    ASSERT_FALSE(loss.is_null()) << series;
    EXPECT_EQ(loss["newest"], 0.6);
    EXPECT_EQ(loss["samples"].back()[2], 3);
    EXPECT_FALSE(metric(series, "system/cpu_seconds").is_null()) << series;
  }
  auto table = troupe({"metrics", "1", "--task", "worker:0", "--name", "loss"});
  EXPECT_NE(table.out.find("loss"), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find("system/"), std::string::npos) << table.out;
  EXPECT_EQ(troupe({"metrics", "1", "--task", "worker:9"}).code, 2);
  EXPECT_EQ(troupe({"metrics", "7"}).code, 2);
}

TEST_F(cluster, logs_are_searched_and_have_their_tasks_name) {
  start_nodes(1, 2);
  const std::string prints = "printf 'one\\ntwo'; printf ' parts\\n'";
  auto job = submit(job_of(prints, 2));
  ASSERT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(troupe({"logs", job, "--grep", "^two.*s$"}).out,
            "worker:0| two parts\nworker:1| two parts\n");
  EXPECT_EQ(troupe({"logs", job, "--grep", "o.e", "--fixed"}).out, "");
  EXPECT_EQ(troupe({"logs", job, "--follow", "--task", "worker:1"}).out, "one\ntwo parts\n");
  EXPECT_EQ(troupe({"logs", job, "--task", "worker:1", "--json"}).out,
            "{\"attempt\":1,\"task\":\"worker:1\",\"text\":\"one\"}\n"
            "{\"attempt\":1,\"task\":\"worker:1\",\"text\":\"two parts\"}\n");
  EXPECT_EQ(troupe({"logs", job, "--grep", "("}).code, 2);
  EXPECT_EQ(troupe({"logs", job, "--attempt", "9"}).code, 2);
  auto tried = submit(job_of(prints + "; [ $TROUPE_ATTEMPT = 2 ]"));
  ASSERT_TRUE(becomes(tried, "succeeded"));
  EXPECT_EQ(troupe({"logs", tried, "--task", "worker:0", "--attempt", "1"}).out,
            "one\ntwo parts\n");
}

TEST_F(cluster, history_and_usage_outlive_the_master) {
  start_nodes(1, 2);
  ASSERT_EQ(troupe({"submit", job_of(reports), "--wait"}).code, 0);
  ASSERT_EQ(troupe({"submit", job_of("exit 3", 1, 1), "--wait"}).code, 1);
  auto usage = [&] { return parsed(troupe({"usage", "--json"}))["usage"]; };
  ASSERT_TRUE(eventually([&] { return !usage().empty() && usage()[0]["tasks"] == 3; }));
  auto before = usage();
  EXPECT_EQ(before[0]["jobs"], 2);
  EXPECT_GT(before[0]["task_seconds"], 0);
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  EXPECT_EQ(usage(), before);
  auto failed = parsed(troupe({"jobs", "--state", "failed", "--json"}));
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["job"], 2);
  EXPECT_EQ(parsed(troupe({"jobs", "--limit", "1", "--json"}))[0]["job"], 2);
  EXPECT_EQ(parsed(troupe({"jobs", "--queue", "none", "--json"})).size(), 0u);
  auto* me = ::getpwuid(::getuid());
  ASSERT_TRUE(me);
  for (auto& user : {std::to_string(me->pw_uid), std::string{me->pw_name}})
    EXPECT_EQ(parsed(troupe({"jobs", "--user", user, "--json"})).size(), 2u) << user;
  EXPECT_EQ(before[0]["name"], std::to_string(me->pw_uid));
  auto table = troupe({"usage"}).out;
  EXPECT_NE(table.find(std::string{me->pw_name}.append(1, ' ')), std::string::npos) << table;
  EXPECT_EQ(troupe({"jobs", "--state", "lost"}).code, 2);
  EXPECT_EQ(troupe({"jobs", "--since", "soon"}).code, 2);
  auto attempts = parsed(troupe({"job", "1", "--attempts", "--json"}));
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0]["tasks"][0]["exit_code"], 7);
  EXPECT_EQ(attempts[1]["state"], "succeeded");
  EXPECT_EQ(parsed(troupe({"job", "2", "--config"}))["attempts_max"], 1);
}

TEST_F(cluster, usage_by_queue_is_what_the_tasks_declared_while_they_ran) {
  start_nodes(1, 4);
  auto of_queue = [&](const std::string& queue, int tasks, int cpus) {
    return submit(write(queue + ".yaml",
                        "name: counted\nqueue: " + queue + "\ntasks:\n  worker:\n    instances: "
                          + std::to_string(tasks) + "\n    cpus: " + std::to_string(cpus)
                          + "\n    memory: 16 MiB\n    command: until [ -e " + scratch
                          + "/go ]; do sleep 0.02; done\n"));
  };
  auto usage = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"usage", "--json"});
    return parsed(troupe(options))["usage"];
  };
  std::map<std::string, std::string> jobs{{"wide", of_queue("wide", 1, 2)},
                                          {"many", of_queue("many", 2, 1)}};
  for (auto& [queue, job] : jobs)
    ASSERT_TRUE(becomes(job, "running"));
  auto running = [&] { return usage({"--by", "user"})[0]["task_seconds"].get<double>(); };
  auto now = running();
  EXPECT_TRUE(eventually([&] { return running() > now; })); // they count before they end
  EXPECT_EQ(usage({"--since", local_time_in(7200)}), json::array());
  write("go", "");
  std::map<std::string, double> seconds;
  for (auto& [queue, job] : jobs) {
    ASSERT_TRUE(becomes(job, "succeeded"));
    auto attempts = parsed(troupe({"job", job, "--attempts", "--json"}));
    for (auto& task : attempts[0]["tasks"])
      seconds[queue] += (task["ended_ns"].get<double>() - task["started_ns"].get<double>()) / 1e9;
  }
  ASSERT_TRUE(eventually([&] { return usage({"--by", "user"})[0]["tasks"] == 3; }));
  auto by_queue = usage({"--by", "queue", "--since", "1 h"});
  ASSERT_EQ(by_queue.size(), 2u) << by_queue;
  for (auto& row : by_queue) {
    auto queue = row["name"].get<std::string>();
    auto wide = queue == "wide";
    EXPECT_EQ(row["jobs"], 1);
    EXPECT_EQ(row["tasks"], wide ? 1 : 2);
    auto expected = seconds[queue];
    EXPECT_NEAR(row["task_seconds"].get<double>(), expected, 1e-3) << queue;
    EXPECT_NEAR(row["cpu_seconds"].get<double>(), expected * (wide ? 2 : 1), 1e-3) << queue;
    EXPECT_NEAR(row["memory_byte_seconds"].get<double>() / (16 << 20), expected, 1e-3) << queue;
    EXPECT_EQ(row["accelerator_seconds"], 0.0);
  }
  EXPECT_NEAR(running(), seconds["wide"] + seconds["many"], 1e-3);
  EXPECT_EQ(usage({"--since", local_time_in(7200)}), json::array());
  auto table = troupe({"usage", "--by", "queue"}).out;
  EXPECT_NE(table.find("\nwide "), std::string::npos) << table;
  EXPECT_NE(table.find("\nmany "), std::string::npos) << table;
  EXPECT_EQ(troupe({"usage", "--by", "node"}).code, 2);
  EXPECT_EQ(troupe({"usage", "--since", "soon"}).code, 2);
}

TEST_F(cluster, jobs_that_ended_are_purged_with_their_directories) {
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "2", "--keep-jobs", "1"}).code, 0);
  for (auto* job : {"1", "2", "3"})
    ASSERT_TRUE(becomes(submit(job_of("true")), "succeeded")) << job;
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0); // a master that starts looks at once
  ASSERT_TRUE(eventually([&] { return troupe({"job", "1"}).code == 2; }));
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(directory + "/jobs/2"); }));
  EXPECT_FALSE(std::filesystem::exists(directory + "/jobs/1"));
  EXPECT_TRUE(eventually([&] { return parsed(troupe({"jobs", "--json"})).size() == 1; }));
  EXPECT_EQ(troupe({"logs", "3"}).code, 0);
}

TEST_F(cluster, jobs_are_kept_for_as_long_as_up_says) {
  for (auto* option : {"--keep-for", "--grow-after", "--heartbeat"}) {
    auto refused = troupe({"up", "--nodes", "1", option, "a while"});
    EXPECT_EQ(refused.code, 2) << refused.err;
    EXPECT_NE(refused.err.find(std::string{option} + " is \"a while\", not a time"),
              std::string::npos)
      << refused.err;
  }
  constexpr int64_t kept_s = 10;
  ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "4", "--keep-for", "10 s"}).code, 0);
  auto runs = submit(job_of(waits_at_gate));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  auto old = submit(job_of("true"));
  ASSERT_TRUE(becomes(old, "succeeded"));
  auto ended_s = std::stoll(value_of(job_json(old), "ended_ns")) / 1'000'000'000;
  ASSERT_TRUE(eventually([&] { return std::time(nullptr) > ended_s + kept_s + 1; }));
  EXPECT_EQ(troupe({"job", old}).code, 0); // looked for every 30 s
  auto young = submit(job_of("echo hello"));
  ASSERT_TRUE(becomes(young, "succeeded"));
  ASSERT_TRUE(becomes(submit(job_of("true")), "succeeded")); // the newest stays in any case
  auto used = parsed(troupe({"usage", "--json"}))["usage"][0]["jobs"];
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0); // a master that starts looks at once
  ASSERT_TRUE(eventually([&] { return troupe({"job", old}).code == 2; }));
  EXPECT_EQ(troupe({"logs", young}).out, "hello\n");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(directory + "/jobs/" + old); }));
  EXPECT_EQ(troupe({"logs", old}).code, 2);
  EXPECT_EQ(troupe({"job", old, "--attempts"}).code, 2);
  EXPECT_EQ(parsed(troupe({"usage", "--json"}))["usage"][0]["jobs"], used);
  ASSERT_TRUE(open_gate()); // it is older than that, and has not ended
  EXPECT_TRUE(becomes(runs, "succeeded"));
}

} // namespace troupe::e2e
