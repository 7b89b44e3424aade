#include "actors/cluster/interfaces.hpp"
#include "actors/jobs/task_executor.hpp"
#include "tests/support/two_nodes.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <future>
#include <sstream>

namespace troupe {
namespace {

using namespace std::chrono_literals;

// What the fake agent was told, and what it answers.
struct agent_notes {
  std::mutex mutex;
  executor_register_msg registered;
  task_report_msg newest;
  bool refuse = false;
  bool stop = false;
  bool ui = false;          // the task shows one
  uint32_t generations = 0; // later ones that its gang comes to
  duration grace{};
  testing::events seen; // "register", "state N", "metric NAME"
};

cluster_spec_msg gang_of_two(const executor_register_msg& in) {
  cluster_spec_msg out;
  out.task = std::make_unique<task_id_msg>(*in.task);
  out.rank = 1;
  out.world_size = 2;
  for (uint16_t i = 0; i < 2; ++i) {
    auto member = std::make_unique<cluster_member_msg>();
    member->type = "worker";
    member->index = i;
    member->host = "10.0.0.1";
    member->port = static_cast<uint16_t>(i == 1 ? in.port : 7000);
    out.members.push_back(std::move(member));
  }
  return out;
}

agent_executor_api::behavior_type fake_agent(agent_executor_api::pointer,
                                             std::shared_ptr<agent_notes> notes) {
  return {[notes](const executor_register_msg& in) -> caf::result<executor_orders_msg> {
            std::lock_guard hold{notes->mutex};
            if (notes->refuse)
              return fail(errc::refused, "attempt 3 is newer");
            executor_orders_msg out;
            out.spec = std::make_unique<cluster_spec_msg>(gang_of_two(in));
            out.spec->ui = notes->ui;
            out.spec->regroups = notes->generations != 0;
            out.spec->secret = 0xabc;
            if (in.awaits_next) {
              out.spec->generation = std::min(in.generation + 1, notes->generations);
              return out;
            }
            notes->registered = in;
            notes->seen.add("register");
            return out;
          },
          [notes](const executor_report_msg& in) -> caf::result<executor_orders_msg> {
            std::lock_guard hold{notes->mutex};
            if (notes->refuse)
              return fail(errc::refused, "attempt 3 is newer");
            notes->newest = *in.report;
            notes->seen.add("state " + std::string{EnumNametask_state(in.report->state)});
            if (in.report->awaits_next)
              notes->seen.add("awaits");
            for (auto& each : in.report->progress)
              notes->seen.add("metric " + each->name);
            executor_orders_msg out;
            out.stop = notes->stop;
            out.grace_ns = static_cast<uint64_t>(notes->grace.count());
            return out;
          }};
}

// One life of the agent's node.
struct agent_node : testing::test_node {
  agent_node(incarnation life, const std::string& endpoint, std::shared_ptr<agent_notes> notes)
    : test_node("agent-1", life) {
    auto actor = system.spawn(fake_agent, std::move(notes));
    owned.push_back(caf::actor_cast<caf::actor>(actor));
    link.publish<agent_executor_api>("agent/executors", actor);
    auto listening = carrier->listen(endpoint);
    EXPECT_TRUE(listening);
  }
};

class TaskExecutor : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(guard);
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); // as the executor's process is
    endpoint = "local:" + scratch.path + "/agent.sock";
    options.agent_endpoint = endpoint;
    options.agent_node = "agent-1";
    options.job = 7;
    options.attempt = 2;
    options.type = "worker";
    options.index = 1;
    options.output_directory = scratch.path + "/output";
    options.report_every = 10ms;
    options.task.directory = scratch.path;
    options.task.log_file = scratch.path + "/task.log";
    options.task.environment = {{"PATH", "/usr/bin:/bin"}, {"TROUPE_SECRET", "hush"}};
    script("exit 0");
  }

  void script(const std::string& text) { options.task.command = {"sh", "-c", text}; }

  void start_agent(uint64_t life = 1) {
    agent = std::make_unique<agent_node>(incarnation{life}, endpoint, notes);
  }

  void start() {
    executor = std::make_unique<task_executor>(options, time, *guard);
    code = std::async(std::launch::async, [this] {
      auto ended = executor->run();
      return ended ? *ended : -1;
    });
  }

  int end_code() {
    if (code.wait_for(30s) != std::future_status::ready) {
      ADD_FAILURE() << "the executor does not end";
      executor->stop();
    }
    return code.get();
  }

  task_report_msg newest() {
    std::lock_guard hold{notes->mutex};
    return notes->newest;
  }

  std::string text_of_file(const std::string& name) {
    std::ifstream in{scratch.path + "/" + name};
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }

  result<task_guard> guard = task_guard::start();
  scratch_directory scratch;
  std::string endpoint;
  system_clock time;
  task_executor_options options;
  std::shared_ptr<agent_notes> notes = std::make_shared<agent_notes>();
  std::unique_ptr<agent_node> agent;
  std::unique_ptr<task_executor> executor;
  std::future<int> code;
};

TEST_F(TaskExecutor, RegistersRunsReportsAndEndsWithTheCommandsCode) {
  script("echo metric loss 0.5 9 >&$TROUPE_METRICS_FD; env | grep -E 'TROUPE|OMP' | sort; exit 3");
  options.cpus_declared = 4;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 3);
  auto last = newest();
  EXPECT_EQ(last.state, task_state::failed);
  EXPECT_EQ(last.exit_code, 3);
  EXPECT_NE(last.reason.find("exit code 3"), std::string::npos);
  // Troupe's own measurements are beside it.
  auto loss = std::ranges::find(last.progress, "loss", [](auto& x) { return x->name; });
  ASSERT_NE(loss, last.progress.end());
  EXPECT_EQ((*loss)->step, 9u);
  EXPECT_EQ(last.task->job, 7u);
  EXPECT_EQ(last.task->attempt, 2u);
  auto port = std::to_string(notes->registered.port);
  auto seen = text_of_file("task.log");
  for (auto& each :
       {std::string{"TROUPE_JOB=7\n"}, std::string{"TROUPE_ATTEMPT=2\n"},
        std::string{"TROUPE_TASK_TYPE=worker\n"}, std::string{"TROUPE_TASK_INDEX=1\n"},
        std::string{"TROUPE_RANK=1\n"}, std::string{"TROUPE_WORLD_SIZE=2\n"},
        "TROUPE_MEMBERS=10.0.0.1:7000,10.0.0.1:" + port + "\n", std::string{"TROUPE_SECRET=hush\n"},
        "TROUPE_OUTPUT=" + options.output_directory + "\n",
        "TROUPE_LOG_LEVEL_FILE=" + scratch.path + "/task.level\n",
        "TROUPE_CHECKPOINTS=" + scratch.path + "/checkpoints" + "\n",
        std::string{"OMP_WAIT_POLICY=passive\n"}, std::string{"OMP_NUM_THREADS=4\n"},
        std::string{"TROUPE_METRICS_FD="}})
    EXPECT_NE(seen.find(each), std::string::npos) << each << " is not in\n" << seen;
}

TEST_F(TaskExecutor, TellsTheFilesWithTheExit) {
  script("echo made > $TROUPE_OUTPUT/made; exit 3");
  start_agent();
  start();
  EXPECT_EQ(end_code(), 3);
  auto last = newest();
  auto path = options.output_directory + "/made";
  auto made = std::ranges::find(last.files, path, [](auto& x) { return x->path; });
  ASSERT_NE(made, last.files.end());
  EXPECT_EQ((*made)->size, 5u);
  EXPECT_EQ((*made)->hash.size(), 64u);
}

TEST_F(TaskExecutor, HashingIsBoundedAndNoTimeOfTheCommand) {
  script("truncate -s 1T $TROUPE_OUTPUT/vast"); // would take an hour
  options.timeout = 3s;
  options.hash_limit = 4s;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  auto last = newest();
  auto path = options.output_directory + "/vast";
  auto vast = std::ranges::find(last.files, path, [](auto& x) { return x->path; });
  ASSERT_NE(vast, last.files.end());
  EXPECT_EQ((*vast)->hash, "");
}

TEST_F(TaskExecutor, ACommandThatIsStoppedDoesNotWaitForHashes) {
  script("truncate -s 1T $TROUPE_OUTPUT/vast; echo metric loss 1 9 >&$TROUPE_METRICS_FD; sleep 60");
  options.hash_limit = 10min;
  start_agent();
  start();
  EXPECT_TRUE(notes->seen.wait_for("metric loss"));
  executor->stop();
  EXPECT_EQ(end_code(), 143);
  EXPECT_EQ(newest().state, task_state::killed);
}

TEST_F(TaskExecutor, TheCommandInheritsTheListeningSocketThatWasRegistered) {
  script("readlink /proc/self/fd/$TROUPE_LISTEN_FD; cat /proc/net/tcp");
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  std::stringstream hex;
  hex << std::uppercase << std::hex << std::setw(4) << std::setfill('0') << notes->registered.port;
  auto seen = text_of_file("task.log");
  EXPECT_TRUE(seen.starts_with("socket:["));
  EXPECT_NE(seen.find(":" + hex.str() + " 00000000:0000 0A"), std::string::npos) << "not listening";
}

TEST_F(TaskExecutor, TheCommandOfAFrameworkGetsItsVariablesAndAPortToBind) {
  script("env | grep -vE '^TROUPE_(SECRET|OUTPUT)'; cat /proc/net/tcp /proc/net/tcp6");
  options.framework = framework::pytorch;
  options.task.environment["MASTER_ADDR"] = "left-by-the-node";
  options.task.environment["INIT_METHOD"] = "of-the-job";
  options.set_by_job = {"INIT_METHOD"};
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  auto seen = text_of_file("task.log");
  for (auto* each :
       {"\nRANK=1\n", "\nWORLD_SIZE=2\n", "\nMASTER_ADDR=10.0.0.1\n", "\nMASTER_PORT=7000\n",
        "\nINIT_METHOD=of-the-job\n", "\nTROUPE_RANK=1\n", "\nTORCHELASTIC_RESTART_COUNT=1\n"})
    EXPECT_NE(('\n' + seen).find(each), std::string::npos) << each << " is not in\n" << seen;
  EXPECT_EQ(seen.find("TROUPE_LISTEN_FD"), std::string::npos);
  std::stringstream hex;
  hex << std::uppercase << std::hex << std::setw(4) << std::setfill('0') << notes->registered.port;
  EXPECT_EQ(seen.find(":" + hex.str() + " 0000"), std::string::npos)
    << "it is the command's to use";
}

TEST_F(TaskExecutor, TheChiefOfAFrameworkGetsASecondPort) {
  script("echo $TB_PORT");
  options.framework = framework::tensorflow;
  options.index = 0;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  auto port = std::atoi(text_of_file("task.log").c_str());
  EXPECT_GT(port, 0);
  EXPECT_NE(port, notes->registered.port);
  EXPECT_EQ(newest().ui_port, port);
}

TEST_F(TaskExecutor, AUiHasAPortOfItsOwnThatIsReported) {
  script("echo $TROUPE_UI_HOST:$TROUPE_UI_PORT");
  notes->ui = true;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  auto last = newest();
  EXPECT_NE(last.ui_port, 0);
  EXPECT_NE(last.ui_port, last.port);
  EXPECT_EQ(text_of_file("task.log"), last.host + ":" + std::to_string(last.ui_port) + "\n");
}

TEST_F(TaskExecutor, LaterGenerationsAreAnnouncedToTheCommandAndAcknowledged) {
  script("until grep -qs GENERATION=3 $TROUPE_GENERATION_FILE; do sleep 0.01; done; "
         "cat $TROUPE_GENERATION_FILE; stat -c %a $TROUPE_GENERATION_FILE");
  notes->generations = 3;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 0);
  auto port = std::to_string(notes->registered.port);
  EXPECT_EQ(text_of_file("task.log"), "TROUPE_GENERATION=3\nTROUPE_RANK=1\nTROUPE_WORLD_SIZE=2\n"
                                      "TROUPE_MEMBERS=10.0.0.1:7000,10.0.0.1:"
                                        + port + "\nTROUPE_SECRET=0000000000000abc\n600\n");
  EXPECT_EQ(newest().generation, 3u);
}

TEST_F(TaskExecutor, ThatItsCommandWaitsForALaterGenerationIsReported) {
  script("echo awaits 0 >&$TROUPE_METRICS_FD; sleep 100");
  start_agent();
  start();
  ASSERT_TRUE(notes->seen.wait_for("awaits"));
  executor->stop();
  EXPECT_EQ(end_code(), 143);
  EXPECT_FALSE(newest().awaits_next);
}

TEST_F(TaskExecutor, AMissingProgramIsReportedByItsName) {
  options.task.command = {"no-such-program-here"};
  start_agent();
  start();
  EXPECT_EQ(end_code(), 127);
  EXPECT_EQ(newest().state, task_state::failed);
  EXPECT_NE(newest().reason.find("'no-such-program-here'"), std::string::npos);
  EXPECT_EQ(newest().cause, exit_class::user_error);
}

TEST_F(TaskExecutor, ATaskThatTheNodeCannotStartIsNoErrorOfTheJob) {
  script("true");
  options.task.log_file = scratch.path + "/absent/task.log";
  start_agent();
  start();
  EXPECT_EQ(end_code(), 127);
  EXPECT_EQ(newest().state, task_state::failed);
  EXPECT_NE(newest().reason.find("/absent/task.log"), std::string::npos) << newest().reason;
  EXPECT_EQ(newest().cause, exit_class::infrastructure);
}

TEST_F(TaskExecutor, AnOrderToStopEndsTheCommandAsKilled) {
  script("trap '' TERM; echo metric deaf 1 1 >&$TROUPE_METRICS_FD; while :; do sleep 100; done");
  start_agent();
  start();
  ASSERT_TRUE(notes->seen.wait_for("metric deaf"));
  {
    std::lock_guard hold{notes->mutex};
    notes->stop = true;
    notes->grace = 20ms;
  }
  EXPECT_EQ(end_code(), 137);
  EXPECT_EQ(newest().state, task_state::killed);
  EXPECT_EQ(newest().exit_code, 137);
}

TEST_F(TaskExecutor, StopBeforeTheAgentIsThereEndsWithoutARun) {
  options.last_word_timeout = 50ms; // a node that goes down does not wait for the orphan timeout
  start();
  executor->stop();
  EXPECT_EQ(end_code(), 143);
  EXPECT_EQ(text_of_file("task.log"), "");
}

TEST_F(TaskExecutor, AnAgentThatRefusesTheAttemptEndsIt) {
  script("trap '' TERM; echo metric deaf 1 1 >&$TROUPE_METRICS_FD; while :; do sleep 100; done");
  start_agent();
  start();
  ASSERT_TRUE(notes->seen.wait_for("metric deaf"));
  {
    std::lock_guard hold{notes->mutex};
    notes->refuse = true;
  }
  EXPECT_EQ(end_code(), 137);
}

TEST_F(TaskExecutor, TheTaskGoesOnWhileTheAgentRestarts) {
  script(
    "echo metric a 1 1 >&$TROUPE_METRICS_FD; while ! test -e go; do sleep 0.01; done;"
    "echo metric b 1 1 >&$TROUPE_METRICS_FD; while ! test -e end; do sleep 0.01; done; exit 5");
  start_agent(1);
  start();
  ASSERT_TRUE(notes->seen.wait_for("metric a"));
  agent.reset();
  EXPECT_TRUE(std::ofstream{scratch.path + "/go"});
  notes = std::make_shared<agent_notes>();
  start_agent(2);
  ASSERT_TRUE(notes->seen.wait_for("register"));
  ASSERT_TRUE(notes->seen.wait_for("metric b"));
  EXPECT_EQ(newest().state, task_state::running) << "it must not start twice, nor end";
  EXPECT_TRUE(std::ofstream{scratch.path + "/end"});
  EXPECT_EQ(end_code(), 5);
  EXPECT_EQ(newest().exit_code, 5);
}

TEST_F(TaskExecutor, AnExitWhileTheAgentIsAwayIsReportedWhenItIsBack) {
  script("echo metric a 1 1 >&$TROUPE_METRICS_FD; while ! test -e go; do sleep 0.01; done; exit 6");
  start_agent(1);
  start();
  ASSERT_TRUE(notes->seen.wait_for("metric a"));
  agent.reset();
  EXPECT_TRUE(std::ofstream{scratch.path + "/go"});
  EXPECT_EQ(code.wait_for(200ms), std::future_status::timeout) << "the exit is not acknowledged";
  notes = std::make_shared<agent_notes>();
  start_agent(2);
  EXPECT_EQ(end_code(), 6);
  EXPECT_EQ(newest().state, task_state::failed);
  EXPECT_EQ(newest().exit_code, 6);
}

// It is asked first, and has its grace.
TEST_F(TaskExecutor, ACommandThatIsOverItsTimeIsAskedToEndAndHasFailed) {
  script("trap 'echo saved > kept; exit 0' TERM; while :; do sleep 0.01; done");
  options.timeout = 300ms;
  options.stop_grace = 1h;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 124);
  EXPECT_EQ(newest().state, task_state::failed);
  EXPECT_EQ(newest().exit_code, 124);
  EXPECT_EQ(newest().reason, "ran longer than its time-out of 0.3 s");
  EXPECT_EQ(text_of_file("kept"), "saved\n");
}

TEST_F(TaskExecutor, ACommandThatIsDeafToItsTimeOutEndsWithItsWholeGroup) {
  script("trap '' TERM; sh -c 'while :; do sleep 100; done' & echo $! > child;"
         "while :; do sleep 100; done");
  options.timeout = 300ms;
  options.stop_grace = 20ms;
  start_agent();
  start();
  EXPECT_EQ(end_code(), 124);
  EXPECT_EQ(newest().exit_code, 124);
  auto child = std::stoi("0" + text_of_file("child"));
  ASSERT_GT(child, 0);
  EXPECT_NE(::kill(child, 0), 0);
}

TEST_F(TaskExecutor, WithoutAnAgentForTheOrphanTimeoutTheCommandIsStopped) {
  script("while :; do sleep 100; done");
  options.orphan_timeout = 300ms;
  start_agent();
  start();
  ASSERT_TRUE(notes->seen.wait_for("state running"));
  agent.reset();
  EXPECT_EQ(end_code(), 143);
}

} // namespace
} // namespace troupe
