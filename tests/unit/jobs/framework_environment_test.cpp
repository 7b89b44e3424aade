// What each task is told, beside files that hold what TonY and torchrun document.
#include "actors/jobs/framework_environment.hpp"
#include "actors/jobs/job_rules.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace troupe {
namespace {

using lines = std::set<std::string>;

// One file of tests/golden/frameworks: a gang, and the lines that its tasks should see.
struct golden {
  framework kind = framework::MAX;
  cluster_spec_msg spec;
  std::map<std::string, lines> tasks; // by "type:index"
};

void read_head(const std::string& line, golden& out) {
  std::istringstream words{line};
  std::string key;
  std::string word;
  words >> key;
  auto& spec = out.spec;
  if (key == "framework") {
    words >> word;
    for (auto each : EnumValuesframework())
      if (word == EnumNameframework(each))
        out.kind = each;
    EXPECT_EQ(word, EnumNameframework(out.kind));
  } else if (key == "job") {
    words >> spec.task->job;
  } else if (key == "attempt") {
    words >> spec.task->attempt >> word >> spec.attempts_max;
  } else if (key == "mode") {
    words >> word;
    spec.each_when_ready = word == "fcfs";
  } else if (key == "tracked_elsewhere") {
    uint32_t more = 0;
    words >> more;
    spec.tasks_tracked += more;
  } else if (key == "member") {
    auto member = std::make_unique<cluster_member_msg>();
    words >> member->type >> member->index >> member->host >> member->port >> word;
    member->role = word == "tracked"     ? task_role::tracked
                   : word == "untracked" ? task_role::untracked
                                         : task_role::sidecar;
    spec.tasks_tracked += member->role == task_role::tracked ? 1 : 0;
    spec.members.push_back(std::move(member));
  } else {
    ADD_FAILURE() << "unknown line: " << line;
  }
  EXPECT_TRUE(words) << line;
}

golden read_golden(const std::filesystem::path& path) {
  golden out;
  out.spec.task = std::make_unique<task_id_msg>();
  std::ifstream in{path};
  std::string line;
  lines* task = nullptr;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#')
      continue;
    if (line[0] == '[')
      task = &out.tasks[line.substr(1, line.size() - 2)];
    else if (task)
      EXPECT_TRUE(task->insert(line).second) << "twice: " << line;
    else
      read_head(line, out);
  }
  return out;
}

// `- line` is missing, `+ line` is too much.
std::string difference(const lines& expected, const lines& seen) {
  std::string out;
  for (auto& x : expected)
    if (!seen.contains(x))
      out += "\n- " + x;
  for (auto& x : seen)
    if (!expected.contains(x))
      out += "\n+ " + x;
  return out;
}

lines seen_by(const cluster_member_msg& member, golden& gang) {
  gang.spec.task->type = member.type;
  gang.spec.task->index = member.index;
  lines out;
  for (auto& [name, value] : framework_environment(gang.kind, gang.spec))
    out.insert(std::string{name}.append("=").append(value));
  return out;
}

TEST(FrameworkEnvironment, IsThatOfTheGoldenFilesForEveryTask) {
  std::set<framework> kinds;
  for (auto& file : std::filesystem::directory_iterator{"tests/golden/frameworks"}) {
    auto gang = read_golden(file.path());
    kinds.insert(gang.kind);
    EXPECT_EQ(gang.tasks.size(), gang.spec.members.size()) << file << " leaves out a task";
    for (auto& member : gang.spec.members) {
      auto name = member->type + ":" + std::to_string(member->index);
      auto differs = difference(gang.tasks[name], seen_by(*member, gang));
      EXPECT_TRUE(differs.empty()) << file << " [" << name << "]" << differs;
    }
  }
  for (auto kind : EnumValuesframework())
    EXPECT_TRUE(kinds.contains(kind)) << EnumNameframework(kind);
}

TEST(FrameworkEnvironment, TheJobsOwnVariablesWinUnlessTheyTellTasksApart) {
  auto gang = read_golden("tests/golden/frameworks/pytorch_two_hosts_ps.env");
  gang.spec.task->type = "worker";
  gang.spec.task->index = 3;
  // MASTER_PORT came with the environment of the node, the others from the job.
  environment_variables out{{"MASTER_ADDR", "trainer.example"},
                            {"MASTER_PORT", "29500"},
                            {"RANK", "0"},
                            {"LOCAL_RANK", "0"},
                            {"EPOCHS", "3"}};
  add_framework_environment(gang.kind, gang.spec, {"MASTER_ADDR", "RANK", "LOCAL_RANK", "EPOCHS"},
                            out);
  EXPECT_EQ(out["MASTER_ADDR"], "trainer.example");
  EXPECT_EQ(out["MASTER_PORT"], "7101");
  EXPECT_EQ(out["RANK"], "3");
  EXPECT_EQ(out["LOCAL_RANK"], "1");
  EXPECT_EQ(out["EPOCHS"], "3");
}

TEST(FrameworkEnvironment, TheChiefHasAPortForAUiUnlessASidecarHas) {
  auto gang = read_golden("tests/golden/frameworks/tensorflow_gang.env");
  gang.spec.task->type = "chief";
  EXPECT_FALSE(wants_ui_port(gang.kind, gang.spec));
  gang.spec.members.pop_back();
  EXPECT_TRUE(wants_ui_port(gang.kind, gang.spec));
  EXPECT_FALSE(wants_ui_port(framework::troupe, gang.spec));
  gang.spec.task->type = "worker";
  EXPECT_FALSE(wants_ui_port(gang.kind, gang.spec));
}

job_spec_msg job_of(framework kind, const std::vector<std::string>& types) {
  job_spec_msg out;
  out.framework = kind;
  for (auto& name : types) {
    auto type = std::make_unique<task_type_msg>();
    type->name = name;
    out.tasks.push_back(std::move(type));
  }
  return out;
}

std::string refusal(const job_spec_msg& job) {
  auto checked = check_rules(job);
  return checked ? "" : checked.error().text;
}

TEST(FrameworkRules, RefuseWhatCouldNotRunWithTheReason) {
  EXPECT_EQ(refusal(job_of(framework::tensorflow, {"chief"})), "");
  auto horovod = job_of(framework::horovod, {"worker", "driver"});
  EXPECT_NE(refusal(horovod).find("untracked"), std::string::npos);
  horovod.tasks[1]->role = task_role::untracked;
  EXPECT_EQ(refusal(horovod), "");
  EXPECT_NE(refusal(job_of(framework::horovod, {"chief"})).find("\"worker\""), std::string::npos);
  EXPECT_NE(refusal(job_of(static_cast<framework>(99), {"worker"})).find("unknown"),
            std::string::npos);

  auto torch = job_of(framework::pytorch, {"worker", "ps"});
  EXPECT_EQ(refusal(torch), "");
  torch.each_when_ready = true;
  EXPECT_NE(refusal(torch).find("fcfs"), std::string::npos);
  EXPECT_NE(refusal(job_of(framework::pytorch, {"trainer"})).find("\"worker\""), std::string::npos);
  torch = job_of(framework::pytorch, {"worker", "ps"});
  torch.tasks[0]->role = task_role::untracked;
  EXPECT_NE(refusal(torch).find("\"worker\""), std::string::npos);

  EXPECT_EQ(refusal(job_of(framework::mxnet, {"scheduler", "server", "worker"})), "");
  EXPECT_NE(refusal(job_of(framework::mxnet, {"server", "worker"})).find("\"scheduler\""),
            std::string::npos);

  auto alone = job_of(framework::standalone, {"head"});
  EXPECT_EQ(refusal(alone), "");
  alone.tasks[0]->instances = 2;
  EXPECT_NE(refusal(alone).find("exactly one task"), std::string::npos);
  EXPECT_NE(refusal(job_of(framework::standalone, {"head", "tail"})).find("exactly one task"),
            std::string::npos);
}

} // namespace
} // namespace troupe
