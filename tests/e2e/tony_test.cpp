// TonY's end-to-end scenarios on real processes, from TonY's own files. TonY's tests look at the
// exit code; these look at which task did what as well.
//
// TonY's test (TestTonyE2E)                         | the test here
// --------------------------------------------------+---------------------------------------------
// testSingleNodeTrainingShouldPass                  | one_task_passes_or_fails
// testSingleNodeTrainingShouldFail                  | one_task_passes_or_fails
// testPSWorkerTrainingShouldPass                    | a_parameter_server_and_its_workers
// testPSWorkerTrainingShouldFail                    | a_parameter_server_and_its_workers
// testPSWorkerTrainingShouldFailMissedHeartbeat     | a_node_that_misses_its_heartbeats
// testPSSkewedWorkerTrainingShouldPass              | a_worker_that_comes_late_is_waited_for
// testPSWorkerTrainingPyTorchShouldPass             | pytorch_knows_its_ranks
// testAMCrashTonyShouldFail                         | a_master_that_crashes_fails_nothing: passes
// master exception (testAMThrowExceptionShouldFail) | a_master_that_crashes_fails_nothing: passes
// prepare and training stages                       | training_starts_when_preparing_has_ended
// testAMStopsJobAfterWorker0Killed                  | worker_0_killed_stops_the_job
// testNullAMRpcClient (client closed at the end)    | a_client_sees_every_task_and_leaves
// testNonChiefWorkerFail                            | a_worker_that_is_no_chief_fails
// testTonyResourcesFlag (resources of a type)       | a_type_is_shipped_its_own_resources
// testTensorBoardPortSetOnlyOnChiefWorker           | a_board_has_its_port_and_the_chief_has_none
// attached TensorBoard, no TB_PORT in chief         | a_board_has_its_port_and_the_chief_has_none
// standalone pass                                   | one_task_passes_or_fails
// standalone with 2 instances fails                 | what_is_refused_says_why
// testTaskCompletionNotificationDelayed             | an_end_that_is_told_late_is_a_good_one
// testTonyClientCallbackHandler                     | a_client_sees_every_task_and_leaves
// PS crash stops master                             | a_parameter_server_and_its_workers
// sidecar crash passes                              | a_board_has_its_port_and_the_chief_has_none
// Horovod driver crash fails                        | horovod_meets_at_a_driver_of_the_job
// Horovod pass                                      | horovod_meets_at_the_clusters_rendezvous
// Horovod debug driver                              | horovod_meets_at_a_driver_of_the_job
// allocation timeout                                | no_room_in_time_fails_the_job
// master startup timeout                            | an_end_that_is_told_late_is_a_good_one: a
//                                                   |   client waits for the master that all share
// group dependency timeout                          | types_that_have_to_end_after_others
// group dependency timeout, ignored                 | types_that_have_to_end_after_others
// group dependency timeout, ignored, with PS        | types_that_have_to_end_after_others
// group dependency timeout, ignored, but failed     | types_that_have_to_end_after_others
// lost connection to master (disabled in TonY)      | an_end_that_is_told_late_is_a_good_one
// testTonyFinalConf (final config merge)            | the_final_configuration
// final config with a missing classpath             | the_final_configuration
// none: TonY never tests a retry                    | a_retry_resumes_from_what_was_saved
#include "tests/e2e/cluster.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

namespace troupe::e2e {

namespace {

using keys = std::vector<std::pair<std::string, std::string>>;

std::string escaped(const std::string& text) {
  std::string out;
  for (auto c : text)
    if (c == '<')
      out.append("&lt;");
    else if (c == '&')
      out.append("&amp;");
    else
      out.append(1, c);
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

class tony : public cluster {
protected:
  std::string file(const keys& all) const {
    std::string text{"<configuration>\n"};
    for (auto& [name, value] : all) {
      text.append("<property><name>").append(name).append("</name><value>");
      text.append(escaped(value)).append("</value></property>\n");
    }
    return write("tony.xml", text.append("</configuration>\n"));
  }

  std::string submit_keys(const keys& all) const { return submit(file(all)); }

  // Runs the job to its end.
  outcome run(const keys& all) const { return troupe({"submit", file(all), "--wait"}); }

  // What a task has printed.
  std::string log(const std::string& job, const std::string& task) const {
    return troupe({"logs", job, "--task", task}).out;
  }

  // The value of a key of one task of the job.
  std::string of_task(const std::string& job, const std::string& task,
                      const std::string& key) const {
    auto all = job_json(job);
    auto name = all.find("\"task\": \"" + task + "\"");
    auto begin = all.rfind("\"exit_code\"", name); // the first key of a task
    return name == std::string::npos ? std::string{} : value_of(all.substr(begin), key);
  }

  bool failed_because(const std::string& job, const std::string& why) const {
    auto failed = becomes(job, "failed");
    auto reason = value_of(job_json(job), "reason");
    EXPECT_NE(reason.find(why), std::string::npos) << reason;
    return failed;
  }
};

// A line for the file `seen` of the scratch directory, in which the file of the job lies.
const std::string tells = "echo $JOB_NAME $TASK_INDEX $$ >> seen; ";

TEST_F(tony, one_task_passes_or_fails) {
  start_nodes(1, 2);
  keys one{{"tony.worker.instances", "1"},
           {"tony.execution.envs", "ENV_CHECK=ENV_CHECK"},
           {"tony.worker.command", "echo $ENV_CHECK $JOB_NAME $TASK_INDEX $TASK_NUM $IS_CHIEF"}};
  EXPECT_EQ(run(one).code, 0);
  EXPECT_EQ(log("1", "worker:0"), "ENV_CHECK worker 0 1 true\n");
  auto failed = run({{"tony.worker.instances", "1"}, {"tony.worker.command", "exit 1"}});
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "task worker:0 on node-1 exited with code 1");
  one.emplace_back("tony.application.framework", "standalone");
  EXPECT_EQ(run(one).code, 0);
  EXPECT_EQ(log("3", "worker:0"), "ENV_CHECK worker 0 1 true\n");
}

TEST_F(tony, a_parameter_server_and_its_workers) {
  start_nodes(3, 2);
  keys gang{{"tony.ps.instances", "1"},
            {"tony.worker.instances", "2"},
            {"tony.ps.command", "exec sleep 1000"},
            {"tony.worker.command", "echo $TF_CONFIG $CLUSTER_SPEC"}};
  EXPECT_EQ(run(gang).code, 0);
  EXPECT_EQ(of_task("1", "ps:0", "state"), "killed");
  EXPECT_EQ(of_task("1", "worker:1", "state"), "succeeded");
  auto told = log("1", "worker:1");
  EXPECT_PRED2(has, told, R"({"cluster":{"ps":["127.0.0.1:)");
  EXPECT_PRED2(has, told, R"("task":{"type":"worker","index":1}})");
  gang[3].second = "exit 1";
  auto failed = run(gang);
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "task worker:0"); // the chief: others may fail
  gang[2].second = "exit 7";
  gang[3].second = tells + "exec sleep 1000";
  failed = run(gang);
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "task ps:0");
  EXPECT_PRED2(has, failed.err, "code 7");
  for (auto& line : seen())
    EXPECT_FALSE(lives(process_in(line))) << line; // a worker that got so far
}

TEST_F(tony, a_node_that_misses_its_heartbeats) {
  start_nodes(2, 1);
  auto job = submit_keys(
    {{"tony.worker.instances", "2"}, {"tony.worker.command", tells + "exec sleep 1000"}});
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  auto node = of_task(job, "worker:0", "node");
  signal_node(node, SIGSTOP);
  EXPECT_TRUE(failed_because(job, "task worker:0 on " + node + " was lost"));
  signal_node(node, SIGCONT);
  for (auto& line : seen())
    EXPECT_TRUE(eventually([&] { return !lives(process_in(line)); })) << line;
}

TEST_F(tony, a_worker_that_comes_late_is_waited_for) {
  start_nodes(2, 1);
  keys gang{{"tony.worker.instances", "2"}, {"tony.worker.command", tells}};
  ASSERT_EQ(run(gang).code, 0);
  auto late = fork_server_of("node-2");
  ASSERT_GT(late, 1);
  ASSERT_EQ(::kill(late, SIGSTOP), 0);
  auto job = submit_keys(gang);
  EXPECT_TRUE(eventually([&] {
    return of_task(job, "worker:0", "state") == "registered"
           || of_task(job, "worker:1", "state") == "registered";
  }));
  EXPECT_EQ(value_of(job_json(job), "state"), "starting");
  EXPECT_EQ(seen().size(), 2u); // none starts without the other
  ASSERT_EQ(::kill(late, SIGCONT), 0);
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(seen().size(), 4u);
}

TEST_F(tony, pytorch_knows_its_ranks) {
  start_nodes(2, 1);
  auto ran = run({{"tony.application.framework", "pytorch"},
                  {"tony.worker.instances", "2"},
                  {"tony.worker.command", "echo $RANK/$WORLD/$WORLD_SIZE/$LOCAL_RANK; "
                                          "[ $INIT_METHOD = tcp://$MASTER_ADDR:$MASTER_PORT ] && "
                                          "echo $INIT_METHOD"}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto first = log("1", "worker:0"), second = log("1", "worker:1");
  EXPECT_EQ(first.substr(0, 8), "0/2/2/0\n");
  EXPECT_EQ(second.substr(0, 8), "1/2/2/1\n");
  EXPECT_EQ(first.substr(8, 16), "tcp://127.0.0.1:");
  EXPECT_EQ(first.substr(8), second.substr(8)); // they meet at one place
}

TEST_F(tony, a_master_that_crashes_fails_nothing) {
  start_nodes(1, 2);
  auto job = submit_keys(
    {{"tony.worker.instances", "1"}, {"tony.worker.command", tells + "read line < gate"}});
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  for (auto signal : {SIGKILL, SIGABRT}) { // gone at once, and as after an exception
    auto before = master_process();
    ASSERT_EQ(::kill(before, signal), 0);
    ASSERT_TRUE(eventually([&] {
      auto now = master_process();
      return now > 1 && now != before;
    }));
  }
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(tony, training_starts_when_preparing_has_ended) {
  start_nodes(1, 4);
  auto ran = run({{"tony.chief.instances", "1"},
                  {"tony.etl.instances", "2"},
                  {"tony.worker.instances", "1"},
                  {"tony.application.prepare-stage", "etl"},
                  {"tony.containers.command", tells}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto lines = seen();
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(lines[i].starts_with("etl"), i < 2) << lines[i];
  ran = run({{"tony.etl.instances", "1"},
             {"tony.worker.instances", "1"},
             {"tony.application.training-stage", "worker"},
             {"tony.etl.command", "exit 3"},
             {"tony.worker.command", tells}});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(seen().size(), 4u); // what was to come after a failure never started
}

TEST_F(tony, worker_0_killed_stops_the_job) {
  start_nodes(1, 3);
  auto job = submit_keys({{"tony.ps.instances", "1"},
                          {"tony.worker.instances", "2"},
                          {"tony.containers.command", tells + "exec sleep 1000"}});
  ASSERT_TRUE(eventually([&] { return seen().size() == 3; }));
  for (auto& line : seen())
    if (line.starts_with("worker 0")) {
      ASSERT_EQ(::kill(process_in(line), SIGKILL), 0);
    }
  EXPECT_TRUE(failed_because(job, "task worker:0 on node-1 exited with code 137"));
  for (auto& line : seen())
    EXPECT_FALSE(lives(process_in(line))) << line;
}

TEST_F(tony, a_client_sees_every_task_and_leaves) {
  start_nodes(2, 2);
  auto ran = run({{"tony.ps.instances", "1"},
                  {"tony.worker.instances", "1"},
                  {"tony.ps.command", "exec sleep 1000"},
                  {"tony.worker.command", "true"}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto starting = ran.out.find("job 1 starting"), running = ran.out.find("job 1 running");
  auto worker = ran.out.find("task worker:0"), server = ran.out.find("task ps:0");
  auto end = ran.out.find("job 1 succeeded");
  EXPECT_LT(starting, running) << ran.out;
  EXPECT_LT(running, worker) << ran.out;
  EXPECT_LT(worker, server) << ran.out; // it is stopped when the worker has ended
  EXPECT_LT(server, end) << ran.out;
  EXPECT_LT(end, std::string::npos) << ran.out;
  auto all = job_json("1");
  size_t tasks = 0;
  for (auto at = all.find("\"task\": "); at != std::string::npos;
       at = all.find("\"task\": ", at + 1))
    ++tasks;
  EXPECT_EQ(tasks, 2u);
  EXPECT_EQ(of_task("1", "worker:0", "state"), "succeeded");
  EXPECT_EQ(of_task("1", "ps:0", "state"), "killed");
  EXPECT_TRUE(eventually([&] { // nobody is left who would talk to it
    return executors_of("node-1").empty() && executors_of("node-2").empty();
  }));
}

TEST_F(tony, a_worker_that_is_no_chief_fails) {
  start_nodes(1, 3);
  keys gang{{"tony.worker.instances", "3"},
            {"tony.worker.command", "[ $TASK_INDEX != 1 ] || exit 5"}};
  EXPECT_EQ(run(gang).code, 0); // as in TonY, unless ...
  EXPECT_EQ(of_task("1", "worker:1", "state"), "failed");
  EXPECT_EQ(of_task("1", "worker:1", "exit_code"), "5");
  EXPECT_EQ(of_task("1", "worker:2", "state"), "succeeded");
  gang[1].second = "[ $TASK_INDEX = 1 ] && exit 5; exec sleep 1000";
  gang.emplace_back("tony.application.fail-on-worker-failure-enabled", "true");
  auto failed = run(gang);
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "task worker:1 on node-1 exited with code 5");
}

TEST_F(tony, what_is_refused_says_why) {
  start_nodes(1, 2);
  auto refused = [&](keys more, const std::string& why) {
    more.emplace_back("tony.worker.command", "true");
    auto ran = run(more);
    EXPECT_EQ(ran.code, 2);
    EXPECT_PRED2(has, ran.err, why);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  };
  refused({{"tony.worker.instances", "2"}, {"tony.application.framework", "standalone"}},
          "exactly one task");
  refused({{"tony.worker.instances", "2"},
           {"tony.application.framework", "horovod"},
           {"tony.driver.command", "true"}},
          "debug mode only");
  EXPECT_EQ(troupe({"jobs", "--json"}).out, "[]\n");
}

TEST_F(tony, a_type_is_shipped_its_own_resources) {
  start_nodes(1, 2);
  std::filesystem::create_directory(scratch + "/src");
  write("src/train.sh", "cat $1\n");
  write("data.txt", "rows\n");
  auto ran = run({{"tony.ps.instances", "1"},
                  {"tony.worker.instances", "1"},
                  {"tony.containers.resources", "src::."},
                  {"tony.worker.resources", "data.txt::renamed.txt"},
                  {"tony.worker.command", "until [ -e " + scratch
                                            + "/listed ]; do sleep 0.02; done; "
                                              "sh train.sh renamed.txt"},
                  {"tony.ps.command", "ls; : > " + scratch + "/listed; exec sleep 1000"}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(log("1", "worker:0"), "rows\n");
  EXPECT_EQ(log("1", "ps:0"), "train.sh\n"); // those of all, and its own
}

// What gloo does in Horovod: each rank puts its address, and gets those of the others.
const std::string meets = R"(
import os, time, urllib.error, urllib.request
e = os.environ
where = e["HOROVOD_GLOO_RENDEZVOUS_ADDR"], e["HOROVOD_GLOO_RENDEZVOUS_PORT"]
base = "http://%s:%s/global/" % where
def ask(method, key, body=None):
    try:
        request = urllib.request.Request(base + key, data=body, method=method)
        return urllib.request.urlopen(request, timeout=20).read().decode()
    except urllib.error.HTTPError as no:
        return None
    except urllib.error.URLError:  # a driver that comes later
        return None
while ask("PUT", e["HOROVOD_RANK"], e["TASK_INDEX"].encode()) is None:
    time.sleep(0.01)
met = []
for rank in range(int(e["HOROVOD_SIZE"])):
    while (found := ask("GET", str(rank))) is None:
        time.sleep(0.01)
    met.append(found)
ask("DELETE", e["HOROVOD_RANK"])
print("rank", e["HOROVOD_RANK"], "met", *met)
)";

// A driver as a user could have one: a server of the same protocol at the port that it was given.
const std::string drives = R"(
import http.server, os, sys
values = {}
class store(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200 if self.path in values else 404, values.get(self.path, b""))
    def do_PUT(self):
        values[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)
    def do_DELETE(self):
        self.answer(200)
print("slots", os.environ["CLUSTER_WORKER_LIST"], flush=True)
if len(sys.argv) > 1:
    sys.exit(6)
port = int(os.environ["HOROVOD_GLOO_RENDEZVOUS_PORT"])
http.server.ThreadingHTTPServer(("", port), store).serve_forever()
)";

TEST_F(tony, horovod_meets_at_the_clusters_rendezvous) {
  start_nodes(2, 2);
  auto ran = run({{"tony.application.framework", "horovod"},
                  {"tony.worker.instances", "3"},
                  {"tony.worker.command", "exec python3 " + write("meets.py", meets)}});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (auto rank : {"0", "1", "2"}) // all nodes are one host: the ranks are the indices
    EXPECT_EQ(log("1", std::string{"worker:"} + rank),
              std::string{"rank "} + rank + " met 0 1 2\n");
}

TEST_F(tony, horovod_meets_at_a_driver_of_the_job) {
  start_nodes(2, 2);
  auto driver = "exec python3 " + write("drives.py", drives);
  keys gang{{"tony.application.framework", "horovod"},
            {"tony.horovod.driver.mode.debug", "true"},
            {"tony.worker.instances", "2"},
            {"tony.worker.command", "exec python3 " + write("meets.py", meets)},
            {"tony.driver.command", driver}};
  auto ran = run(gang);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(log("1", "worker:1"), "rank 1 met 0 1\n");
  EXPECT_TRUE(log("1", "driver:0").starts_with("slots 127.0.0.1:2\n"));
  EXPECT_EQ(of_task("1", "driver:0", "state"), "killed"); // when the ranks had ended
  gang.back().second = driver + " crash";
  ran = run(gang);
  EXPECT_EQ(ran.code, 1);
  EXPECT_PRED2(has, ran.err, "task driver:0");
  EXPECT_PRED2(has, ran.err, "code 6");
}

TEST_F(tony, a_board_has_its_port_and_the_chief_has_none) {
  start_nodes(1, 8);
  // The server is stopped when the others have ended: they wait until it has said it.
  const std::string says = "echo port ${TB_PORT:-none}; [ $JOB_NAME != ps ] || { : > served; "
                           "exec sleep 1000; }; until [ -e served ]; do sleep 0.02; done";
  keys gang{{"tony.chief.instances", "1"},
            {"tony.ps.instances", "1"},
            {"tony.worker.instances", "1"},
            {"tony.containers.command", says}};
  EXPECT_EQ(run(gang).code, 0);
  EXPECT_EQ(log("1", "worker:0"), "port none\n");
  EXPECT_EQ(log("1", "ps:0"), "port none\n");
  EXPECT_GT(std::atoi(log("1", "chief:0").substr(5).c_str()), 0);
  // A board of its own, that notes what it is told and crashes.
  std::filesystem::create_directory(scratch + "/bin");
  auto board = write("bin/tensorboard", "#!/bin/sh\necho \"$@\" port $TB_PORT\nexit 1\n");
  std::filesystem::permissions(board, std::filesystem::perms::owner_all);
  gang.emplace_back("tony.execution.envs", "PATH=" + scratch + "/bin:/usr/bin:/bin");
  gang.emplace_back("tony.application.tensorboard-log-dir", "/some/logs");
  gang[3].second = says + "; [ $JOB_NAME != chief ] || read line < gate";
  auto job = submit_keys(gang);
  EXPECT_TRUE(eventually([&] { return of_task(job, "tensorboard:0", "state") == "failed"; }));
  EXPECT_EQ(value_of(job_json(job), "state"), "running"); // a sidecar's end means nothing
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(log(job, "chief:0"), "port none\n");
  auto shown = log(job, "tensorboard:0");
  auto port = shown.substr(std::min(shown.size(), shown.rfind(' ') + 1));
  EXPECT_GT(std::atoi(port.c_str()), 0) << shown;
  EXPECT_EQ(shown, "--logdir /some/logs --host 127.0.0.1 --port " + port.substr(0, port.size() - 1)
                     + " port " + port);
}

TEST_F(tony, an_end_that_is_told_late_is_a_good_one) {
  start_nodes(1, 2);
  auto job = submit_keys(
    {{"tony.worker.instances", "1"}, {"tony.worker.command", tells + "read line < gate"}});
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 1; }));
  auto supervisor = node_process("master");
  auto master = master_process();
  ASSERT_EQ(::kill(supervisor, SIGSTOP), 0); // so that nobody starts the next one yet
  ASSERT_EQ(::kill(master, SIGKILL), 0);
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(eventually([&] { return !lives(process_in(seen()[0])); }));
  auto next = file({{"tony.worker.instances", "1"}, {"tony.worker.command", "true"}});
  start_process("waits", {"--dir", directory, "submit", next, "--wait"});
  ASSERT_EQ(::kill(supervisor, SIGCONT), 0);
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(value_of(job_json(job), "attempt"), "1");
  EXPECT_TRUE(becomes("2", "succeeded")); // its client waited for a master
}

TEST_F(tony, no_room_in_time_fails_the_job) {
  start_nodes(1, 2);
  auto holder = submit_keys(
    {{"tony.worker.instances", "2"}, {"tony.worker.command", tells + "read line < gate"}});
  ASSERT_TRUE(becomes(holder, "running"));
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  auto late = run({{"tony.worker.instances", "1"},
                   {"tony.worker.command", tells},
                   {"tony.container.allocation.timeout", "1000"}});
  EXPECT_EQ(late.code, 1);
  EXPECT_PRED2(has, late.err, "no room was found within 1 s");
  EXPECT_EQ(seen().size(), 2u);
  EXPECT_EQ(value_of(job_json(holder), "state"), "running");
}

TEST_F(tony, types_that_have_to_end_after_others) {
  start_nodes(3, 2);
  keys gang{{"tony.chief.instances", "1"},
            {"tony.chief.command", "true"},
            {"tony.worker.instances", "1"},
            {"tony.worker.command", "exec sleep 1000"},
            {"tony.application.group.A", "chief"},
            {"tony.application.dependency.worker.timeout.after.A", "1"}};
  auto failed = run(gang);
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "the tasks of type worker did not end within 1 s");
  gang.emplace_back("tony.application.dependency.worker.timeout.after.A.ignored", "true");
  EXPECT_EQ(run(gang).code, 0);
  EXPECT_EQ(of_task("2", "worker:0", "state"), "killed");
  auto with_server = gang;
  with_server.emplace_back("tony.ps.instances", "1");
  with_server.emplace_back("tony.ps.command", "exec sleep 1000");
  EXPECT_EQ(run(with_server).code, 0);
  EXPECT_EQ(of_task("3", "ps:0", "state"), "killed");
  // The worker is no longer awaited, but what is fails.
  gang.emplace_back("tony.evaluator.instances", "1");
  gang.emplace_back("tony.evaluator.command", "sleep 2; exit 4"); // as long as it works
  gang.emplace_back("tony.application.stop-on-failure-jobtypes", "evaluator");
  failed = run(gang);
  EXPECT_EQ(failed.code, 1);
  EXPECT_PRED2(has, failed.err, "task evaluator:0");
  EXPECT_PRED2(has, failed.err, "code 4");
}

TEST_F(tony, the_final_configuration) {
  auto path = file({{"tony.worker.instances", "1"},
                    {"tony.containers.command", "ls"},
                    {"tony.worker.command", "overridden"},
                    {"tony.containers.envs", "TEST1=old,TEST2=test"},
                    {"tony.execution.envs", "TEST1=test"},
                    {"tony.ps.instances", "1"},
                    {"tony.application.hadoop.classpath", "no/such/path"}});
  auto shown = troupe({"submit", path, "--dry-run", "--set", "tony.worker.command=cat"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_PRED2(has, shown.out, R"(name: "worker", command: [ "/bin/bash", "-c", "cat" ])");
  EXPECT_PRED2(has, shown.out, R"(name: "ps", command: [ "/bin/bash", "-c", "ls" ])");
  EXPECT_PRED2(has, shown.out,
               R"({ name: "TEST1", value: "test" }, { name: "TEST2", value: "test" })");
  EXPECT_PRED2(has, shown.err, "tony.application.hadoop.classpath has no effect: ");
}

TEST_F(tony, a_retry_resumes_from_what_was_saved) {
  start_nodes(1, 2);
  auto step = std::string{"saved=$TROUPE_CHECKPOINTS/step; mkdir -p $TROUPE_CHECKPOINTS; "}
              + "echo attempt $ATTEMPT_NUMBER from $(cat $saved 2>/dev/null || echo 0) >> seen; "
              + "[ -e $saved ] && exit 0; echo 41 > $saved; exit 9";
  keys one{{"tony.worker.instances", "1"}, {"tony.worker.command", step}};
  EXPECT_EQ(run(one).code, 1); // TonY's default: no retry
  one.emplace_back("tony.am.retry-count", "1");
  auto ran = run(one);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(seen(), (std::vector<std::string>{"attempt 0 from 0", "attempt 0 from 0",
                                              "attempt 1 from 41"}));
  EXPECT_EQ(value_of(job_json("2"), "attempt"), "2");
  EXPECT_PRED2(has, troupe({"job", "2", "--why"}).out, "exited with code 9");
}

} // namespace troupe::e2e
