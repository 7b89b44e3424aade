#include "tests/unit/jobs/tony_support.hpp"

namespace troupe::testing_tony {
namespace {

// ---- TonY's defaults and meaning ----

TEST(TonyFile, HasTonysDefaults) {
  auto job = read({});
  ASSERT_TRUE(job) << job.error().text;
  auto& spec = job->spec;
  EXPECT_EQ(spec.name, "TensorFlowApplication");
  EXPECT_EQ(spec.framework, framework::tensorflow);
  EXPECT_EQ(spec.directory, "/data");
  EXPECT_EQ(spec.attempts_max, 1u);
  EXPECT_EQ(spec.timeout_ns + spec.placement_timeout_ns + spec.register_timeout_ns, 0u);
  EXPECT_FALSE(spec.each_when_ready);
  ASSERT_EQ(spec.tasks.size(), 2u);
  auto& worker = type_of(spec, "worker");
  EXPECT_EQ(worker.cpus, 1u);
  EXPECT_EQ(worker.memory, 0u) << "TonY's 2g is no limit that the user asked for";
  EXPECT_EQ(worker.role, task_role::tracked);
  EXPECT_TRUE(worker.go_on);
  auto& ps = type_of(spec, "ps");
  EXPECT_EQ(ps.role, task_role::untracked);
  EXPECT_FALSE(ps.go_on);
  EXPECT_TRUE(notes_of(*job).empty());
}

TEST(TonyFile, StopsWithTheChief) {
  auto job = read({{"tony.chief.instances", "1"}, {"tony.tensorboard.instances", "1"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_FALSE(type_of(job->spec, "chief").go_on);
  EXPECT_TRUE(type_of(job->spec, "worker").go_on);
  EXPECT_EQ(type_of(job->spec, "tensorboard").role, task_role::sidecar);
}

TEST(TonyFile, ReadsTheGroupOfTensorBoard) {
  auto job = read({{app + "tensorboard-log-dir", "/logs"},
                   {"tony.tensorboard.instances", "1"},
                   {"tony.tensorboard.vcores", "3"},
                   {"tony.tensorboard.memory", "1g"},
                   {"tony.tensorboard.gpus", "1"}});
  ASSERT_TRUE(job) << job.error().text;
  auto& board = type_of(job->spec, "tensorboard");
  EXPECT_EQ(board.cpus, 3u);
  EXPECT_EQ(board.memory, 1u << 30);
  EXPECT_EQ(board.accelerators, 1u);
  auto none = read({{app + "tensorboard-log-dir", "/logs"}, {"tony.tensorboard.instances", "0"}});
  ASSERT_TRUE(none) << none.error().text;
  EXPECT_EQ(none->spec.tasks.size(), 2u);
  EXPECT_EQ(notes_of(*none).size(), 1u);
}

TEST(TonyFile, RefusesResourcesThatCannotBeShipped) {
  const std::string key = "tony.containers.resources";
  EXPECT_TRUE(has(error_of({{key, "hdfs://host/x"}}), {key, "another file system"}));
  EXPECT_TRUE(has(error_of({{key, "a::b::c"}}), {key, "PATH::NAME"}));
  EXPECT_TRUE(has(error_of({{key, "::b"}}), {key, "names no file"}));
  EXPECT_TRUE(has(error_of({{key, "a::x/y"}}), {"x/y", "without '/'"}));
  EXPECT_TRUE(has(error_of({{key, "a,b/a"}}), {"\"a\"", "comes twice"}));
}

TEST(TonyFile, FillsAndChecksTheStages) {
  auto job = read({{"tony.prep.instances", "1"},
                   {"tony.load.instances", "1"},
                   {app + "prepare-stage", "prep, load,ps"},
                   {app + "training-stage", "worker"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(type_of(job->spec, "worker").after, (std::vector<std::string>{"prep", "load"}))
    << "it waits for tracked types only";
  EXPECT_TRUE(has(error_of({{app + "prepare-stage", "ps"}, {app + "training-stage", "worker,ps"}}),
                  {"tony.xml:7", "ps is in both stages"}));
  EXPECT_TRUE(has(error_of({{"tony.prep.instances", "1"},
                            {app + "prepare-stage", "prep"},
                            {app + "training-stage", "worker"}}),
                  {"ps is in neither stage"}));
  EXPECT_TRUE(has(error_of({{app + "prepare-stage", "pds"}}), {"\"pds\"", "tony.pds.instances"}));
}

TEST(TonyFile, RefusesTypesThatWaitForEachOther) {
  EXPECT_TRUE(has(error_of({{"tony.a.instances", "1"},
                            {"tony.b.instances", "1"},
                            {"tony.a.depends-on", "b"},
                            {"tony.b.depends-on", "a"}}),
                  {"tony.xml", "comes after itself"}));
  EXPECT_TRUE(has(error_of({{"tony.worker.depends-on", "prap"}}), {"\"prap\""}));
  EXPECT_TRUE(has(error_of({{"tony.worker.depends-on", "ps"}}), {"not tracked"}));
}

TEST(TonyFile, ChecksTheRulesOfEnds) {
  EXPECT_TRUE(has(error_of({{app + "dependency.ps.timeout.after.A", "5"}}),
                  {"set tony.application.group.A"}));
  EXPECT_TRUE(
    has(error_of({{app + "group.A", "wroker"}, {app + "dependency.ps.timeout.after.A", "5"}}),
        {"\"wroker\""}));
  EXPECT_TRUE(
    has(error_of({{app + "group.A", "worker"}, {app + "dependency.ps.timeout.after.A", "0"}}),
        {"from 1"}));
  EXPECT_TRUE(has(error_of({{app + "group.A", "worker"},
                            {app + "dependency.ps.timeout.after.A.ignored", "true"}}),
                  {"time-out that is not set"}));
  EXPECT_TRUE(has(error_of({{app + "group.A", "ps"}, {app + "dependency.ps.timeout.after.A", "5"}}),
                  {"waits for that type itself"}));
  auto unused = read({{app + "group.A", "worker"}});
  ASSERT_TRUE(unused) << unused.error().text;
  EXPECT_TRUE(has(notes_of(*unused).at(0), {"group.A has no effect: no tony.application.dep"}));
}

TEST(TonyFile, LimitsWhatTheJobAsksFor) {
  const std::string most = "tony.task.max-total-";
  EXPECT_TRUE(read({{most + "instances", "3"}, {most + "gpus", "-1"}, {most + "vcores", "3"}}));
  EXPECT_TRUE(has(error_of({{most + "vcores", "2"}}), {"more vcores"}));
  EXPECT_TRUE(read({{most + "memory", "6g"}}));
  EXPECT_TRUE(has(error_of({{most + "memory", "6143m"}}), {"more memory"})) << "2g each";
  EXPECT_TRUE(has(error_of({{most + "fpgas", "2"}}), {"does not count"}));
  EXPECT_TRUE(read({{"tony.worker.max-instances", "2"}, {"tony.ps.max-instances", "-1"}}));
}

TEST(TonyFile, HasNoTimeOutWhereTheValueSaysSo) {
  auto job = read({{"tony.container.registration.timeout", "-1"},
                   {"tony.container.allocation.timeout", "-1"},
                   {app + "timeout", "0"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_GT(job->spec.register_timeout_ns, 1'000'000'000 * second / 10);
  EXPECT_EQ(job->spec.placement_timeout_ns, 0u);
  EXPECT_EQ(job->spec.timeout_ns, 0u);
}

TEST(TonyFile, ReadsSizesAsTonyDoes) {
  for (auto& [text, bytes] : std::vector<std::pair<std::string, uint64_t>>{
         {"2g", 2ull << 30}, {"512m", 512ull << 20}, {"2048", 2ull << 30}, {"1G", 1ull << 30}}) {
    auto job = read({{"tony.worker.memory", text}});
    ASSERT_TRUE(job) << job.error().text;
    EXPECT_EQ(type_of(job->spec, "worker").memory, bytes) << text;
  }
  for (auto* bad :
       {"", "g", "-1g", "1.5g", "0", "2t", "2 g", "99999999999999999999", "9999999999g"})
    EXPECT_TRUE(has(error_of({{"tony.worker.memory", bad}}), {"tony.worker.memory is", "2g"}))
      << bad;
}

TEST(TonyFile, RefusesBadValuesWithPlaceAndMend) {
  EXPECT_TRUE(has(error_of({{"tony.worker.instances", "two"}}), {"tony.xml:3: ", "from 0 to"}));
  EXPECT_TRUE(has(error_of({{"tony.worker.instances", "-1"}}), {"from 0 to"}));
  EXPECT_TRUE(has(error_of({{"tony.worker.vcores", "0"}}), {"from 1 to"}));
  EXPECT_TRUE(
    has(error_of({{app + "fail-on-worker-failure-enabled", "maybe"}}), {"true or false"}));
  EXPECT_TRUE(has(error_of({{app + "distributed-mode", "GNAG"}}), {"GANG or FCFS"}));
  EXPECT_TRUE(has(error_of({{app + "framework", "caffe"}}), {"\"caffe\"", "pytorch"}));
  EXPECT_TRUE(has(error_of({{app + "framework", "horovod"}, {"tony.driver.instances", "1"}}),
                  {"debug mode only", "tony.horovod.driver.mode.debug"}));
  EXPECT_TRUE(has(error_of({{app + "framework", "horovod"}, {"tony.driver.command", "serve"}}),
                  {"debug mode only"}));
  EXPECT_TRUE(
    has(error_of({{app + "framework", "horovod"}, {"tony.horovod.driver.mode.debug", "true"}}),
        {"tony.driver.command"}));
  EXPECT_TRUE(has(error_of({{app + "framework", "standalone"}}), {"exactly one task"}));
  EXPECT_TRUE(has(error_of({{"tony.containers.envs", "=1"}}), {"names no variable"}));
  EXPECT_TRUE(has(error_of({{"tony.am.retry-count", "-1"}}), {"from 0"}));
  EXPECT_TRUE(has(error_of({{"tony.containers.command", ""}}), {"no command", "-executes"}));
  EXPECT_TRUE(has(error_of({{"tony.worker.instances", "0"}, {"tony.ps.instances", "0"}}),
                  {"no tasks", "tony.worker.instances"}));
}

// ---- keys that do nothing ----

TEST(TonyFile, NamesTheNearestOfAKeyThatNobodyKnows) {
  EXPECT_TRUE(has(error_of({{"tony.worker.instnces", "2"}}), {"mean \"tony.worker.instances\""}));
  EXPECT_TRUE(has(error_of({{app + "distributed-mod", "x"}}), {"\"" + app + "distributed-mode\""}));
  EXPECT_TRUE(has(error_of({{"tony.am.retry-cuont", "x"}}), {"\"tony.am.retry-count\""}));
  EXPECT_TRUE(has(error_of({{app + "retry-count", "4"}}), {"mean \"tony.am.retry-count\"?"}));
  EXPECT_TRUE(has(error_of({{"tony.Worker.instances", "x"}}), {"unknown key"}));
  EXPECT_TRUE(has(error_of({{"tony.task.memory", "x"}}), {"unknown key"}));
  EXPECT_TRUE(has(error_of({{"tony." + std::string(100'000, 'k'), "x"}}), {"unknown key"}));
}

TEST(TonyFile, SaysWhyAKeyIsNotHonoured) {
  auto job = read({{"tony.evaluator.memory", "4g"},
                   {"fs.defaultFS", "hdfs://x"},
                   {app + "untracked.jobtypes", "ps,evaluator"},
                   {app + "name", "my job/1"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_TRUE(has(fate_of(*job, "tony.evaluator.memory").why, {"tony.evaluator.instances"}));
  EXPECT_TRUE(has(fate_of(*job, "fs.defaultFS").why, {"no key of TonY's"}));
  EXPECT_FALSE(fate_of(*job, "fs.defaultFS").honoured);
  EXPECT_TRUE(fate_of(*job, app + "untracked.jobtypes").honoured);
  EXPECT_EQ(job->spec.name, "my_job_1");
  auto notes = notes_of(*job);
  ASSERT_EQ(notes.size(), 4u);
  EXPECT_TRUE(has(notes[2], {"untracked.jobtypes has no effect in part: ", "evaluator"}));
  EXPECT_TRUE(has(notes[3], {"my_job_1"}));
}

TEST(TonyFile, AppliesOverrides) {
  auto options = at_path();
  options.overrides = {"tony.worker.instances=5", "tony.am.retry-count=1"};
  auto job = parse_tony_file(xml_of(plain()), options);
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(type_of(job->spec, "worker").instances, 5u);
  EXPECT_EQ(job->spec.attempts_max, 2u);
  EXPECT_TRUE(fate_of(*job, "tony.am.retry-count").honoured);
  for (auto* bad : {"nonsense", "tony.worker.instances=x", "tony.worker.instnces=1", "=1"}) {
    options.overrides = {bad};
    EXPECT_TRUE(has(error_of(parse_tony_file(xml_of(plain()), options)), {"--set "})) << bad;
  }
}

TEST(TonyFile, ReplacesTheKeysInValues) {
  auto job = read({{"tony.worker.command", "${tool} --out ${HOME} ${TROUPE_BIN}"},
                   {"tool", "${where}/train"},
                   {"where", "/opt"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(type_of(job->spec, "worker").command, shell("/opt/train --out ${HOME} /opt/bin"));
  EXPECT_TRUE(has(error_of({{"a", "${b}"}, {"b", "x${a}"}}), {"more than 20 ${...}"}));
}

// ---- the file ----

TEST(TonyFile, ReadsWhatHadoopReads) {
  auto job = parse_tony_file(R"(<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="configuration.xsl"?>
<!-- a comment -->
<configuration>
  <property name="tony.ps.instances" value="1"/>
  <property>
    <description>how many</description>
    <name> tony.worker.instances </name>
    <value>
      2
    </value>
    <final>true</final>
  </property>
  <property>
    <name>tony.containers.command</name>
    <value><![CDATA[a && b < c]]> &amp; d</value>
  </property>
  <property><name>tony.yarn.queue</name></property>
  <property><name>tony.worker.memory</name></property>
</configuration>)",
                             at_path());
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_EQ(type_of(job->spec, "worker").instances, 2u);
  EXPECT_EQ(type_of(job->spec, "ps").command, shell("a && b < c & d"));
  EXPECT_EQ(fate_of(*job, "tony.worker.memory").why, "it has no value");
}

TEST(TonyFile, RefusesWhatIsNoConfiguration) {
  const std::string head = "<configuration>\n<property><name>a</name><value>1</value></property>\n";
  const std::string tail = "\n</configuration>";
  EXPECT_TRUE(has(error_of_text(""), {"tony.xml:1", "not well-formed"}));
  EXPECT_TRUE(has(error_of_text(head + "<property>"), {"tony.xml:3", "not well-formed"}));
  EXPECT_TRUE(has(error_of_text("<project></project>"), {"<project>", "<configuration>"}));
  EXPECT_TRUE(has(error_of_text(head + "<property><name>a</name></property>" + tail),
                  {"tony.xml:3", "\"a\" comes twice"}));
  EXPECT_TRUE(has(error_of_text(head + "<property><value>a</value></property>" + tail),
                  {"tony.xml:3", "no name"}));
  EXPECT_TRUE(has(error_of_text(head + "<xi:include href='/etc/passwd'/>" + tail),
                  {"tony.xml:3", "<xi:include> is not a property"}));
  EXPECT_TRUE(has(error_of_text(head + "<property><name><b/></name></property>" + tail), {"<b>"}));
  EXPECT_TRUE(has(error_of_text(head + "<property><nam>x</nam></property>" + tail), {"the rest"}));
  EXPECT_TRUE(has(error_of_text(head + "text" + tail), {"text between"}));
  EXPECT_TRUE(has(error_of_text(head + '\0' + tail), {"zero byte"}));
  EXPECT_TRUE(has(error_of_text(std::string(2 << 20, ' ')), {"1 MiB"}));
}

TEST(TonyFile, FollowsNoEntities) {
  EXPECT_TRUE(has(error_of_text("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n"
                                "<configuration>&a;</configuration>"),
                  {"tony.xml:1", "DOCTYPE"}));
  // A bomb of values: each line is small, what they stand for is not.
  settings bomb{{"a", std::string(500'000, 'x')}};
  for (int i = 0; i < 1000; ++i)
    bomb.emplace_back(std::to_string(i), "${a}${a}");
  EXPECT_TRUE(has(error_of(bomb), {"4 MiB"}));
  EXPECT_TRUE(has(error_of({{"a", std::string(100'000, 'x')},
                            {"b", "${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}"}}),
                  {"1 MiB"}));
}

TEST(TonyFile, SurvivesEveryTruncationAndMutation) {
  auto all = plain();
  all.emplace_back(app + "group.A", "worker");
  all.emplace_back(app + "dependency.ps.timeout.after.A", "5");
  auto text = xml_of(all);
  for (size_t i = 0; i <= text.size(); ++i) {
    (void)parse_tony_file(std::string_view{text}.substr(0, i), at_path());
    for (auto c : {'<', '>', '&', '"', '\0', '\xff', '\n', '/', '$', '0'}) {
      auto changed = text;
      changed.insert(i, 1, c);
      (void)parse_tony_file(changed, at_path());
    }
  }
}

TEST(TonyFile, SaysNothingThatATerminalObeys) {
  auto job = read({{"a&#27;[2J", "1"}});
  ASSERT_TRUE(job) << job.error().text;
  EXPECT_TRUE(has(notes_of(*job).at(0), {"a?[2J has no effect"}));
  EXPECT_TRUE(has(error_of({{"tony.worker.memory", "a&#10;&#27;b"}}), {"\"a??b\""}));
}

TEST(TonyFile, BoundsTheTypesOfAJob) {
  settings many;
  for (int i = 0; i < 100; ++i)
    many.emplace_back(std::string{"tony.t"}.append(std::to_string(i)).append(".instances"), "1");
  EXPECT_TRUE(has(error_of(many), {"more than 64 task types"}));
}

} // namespace
} // namespace troupe::testing_tony
