// Nodes that are taken away for a while: drained, moved off, in a maintenance window, resumed.
#include "tests/e2e/parsed.hpp"

#include <csignal>

namespace troupe::e2e {

class nodes : public cluster {
protected:
  json node(const std::string& name) const {
    for (auto& each : parsed(troupe({"nodes", "--json"})))
      if (each["name"] == name)
        return each;
    return {};
  }

  // Where the job's first task is; empty: nowhere.
  std::string where(const std::string& job) const { return value_of(job_json(job), "node"); }
};

namespace {

// Is stopped in its first attempt; the later ones wait for the gate.
const std::string moves = "echo $TROUPE_ATTEMPT >> seen\n"
                          "[ $TROUPE_ATTEMPT = 1 ] && exec sleep 1000\n"
                          "read line < gate";

} // namespace

TEST_F(nodes, a_drain_that_moves_sends_the_gang_elsewhere_and_is_not_charged) {
  start_nodes(2, 1);
  auto job = submit(job_of(moves, 1, 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto busy = where(job);
  ASSERT_EQ(troupe({"drain", busy, "--move", "--reason", "it gets new disks"}).code, 0);
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  ASSERT_TRUE(becomes(job, "running"));
  EXPECT_NE(where(job), busy);
  auto why = troupe({"job", job, "--why"}).out;
  EXPECT_NE(why.find("(preempted): node " + busy + " drains: it gets new disks"), std::string::npos)
    << why;
  EXPECT_EQ(node(busy)["tasks"], 0);
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
}

TEST_F(nodes, a_maintenance_window_opens_moves_the_gang_and_closes) {
  start_nodes(2, 1);
  auto job = submit(job_of(moves, 1, 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto busy = where(job);
  ASSERT_EQ(troupe({"drain", busy, "--at", local_time_in(3), "--for", "5 s", "--move", "--reason",
                    "a new kernel"})
              .code,
            0);
  auto window = node(busy);
  auto opens = window["drain_from_ns"].get<int64_t>();
  auto closes = window["drain_until_ns"].get<int64_t>();
  EXPECT_EQ(closes - opens, 5'000'000'000);
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0); // its successor keeps the appointment
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  auto next = submit(job_of("true")); // the other node is taken: it waits for the window's end
  auto attempts = parsed(troupe({"job", job, "--attempts", "--json"}));
  EXPECT_GE(attempts[1]["tasks"][0]["started_ns"], opens);
  EXPECT_NE(attempts[1]["tasks"][0]["node"], busy);
  ASSERT_TRUE(becomes(next, "succeeded"));
  attempts = parsed(troupe({"job", next, "--attempts", "--json"}));
  EXPECT_EQ(attempts[0]["tasks"][0]["node"], busy);
  EXPECT_GE(attempts[0]["tasks"][0]["started_ns"], closes);
  auto after = node(busy);
  EXPECT_EQ(after["draining"], false);
  EXPECT_EQ(after["reason"], "");
  EXPECT_EQ(after["drain_until_ns"], 0);
  ASSERT_TRUE(open_gate());
  EXPECT_TRUE(becomes(job, "succeeded"));
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(nodes, a_drain_for_a_while_begins_at_once_and_a_gang_without_room_waits_it_out) {
  start_nodes(1, 1);
  auto job = submit(job_of(waits_once, 1, 1));
  ASSERT_TRUE(becomes(job, "running"));
  ASSERT_EQ(troupe({"drain", "node-1", "--for", "2 s", "--move"}).code, 0);
  auto closes = node("node-1")["drain_until_ns"];
  EXPECT_TRUE(becomes(job, "succeeded"));
  auto attempts = parsed(troupe({"job", job, "--attempts", "--json"}));
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_GE(attempts[1]["tasks"][0]["started_ns"], closes);
}

TEST_F(nodes, resume_calls_a_window_off_and_ends_a_drain) {
  start_nodes(1, 1);
  ASSERT_EQ(troupe({"drain", "node-1", "--at", local_time_in(3600), "--move"}).code, 0);
  EXPECT_EQ(node("node-1")["draining"], false); // it has not begun
  EXPECT_EQ(troupe({"submit", job_of("true"), "--wait"}).code, 0);
  ASSERT_EQ(troupe({"resume", "node-1"}).code, 0);
  EXPECT_EQ(node("node-1")["drain_from_ns"], 0);
  ASSERT_EQ(troupe({"drain", "node-1"}).code, 0);
  EXPECT_EQ(node("node-1")["draining"], true);
  auto waits = submit(job_of("true"));
  EXPECT_EQ(value_of(job_json(waits), "state"), "queued");
  ASSERT_EQ(troupe({"resume", "node-1"}).code, 0);
  EXPECT_TRUE(becomes(waits, "succeeded"));
  EXPECT_EQ(troupe({"resume", "node-1"}).code, 0); // it takes tasks: nothing to do
}

TEST_F(nodes, a_drain_that_makes_no_sense_is_refused_and_changes_nothing) {
  start_nodes(1, 1);
  auto before = node("node-1");
  struct {
    std::vector<std::string> options;
    std::string says;
  } cases[] = {
    {{"no-such-node"}, "there is no node"},
    {{"node-1", "--at", "tomorrow"}, "'tomorrow' is no time"},
    {{"node-1", "--at", "2026-02-31 02:00"}, "is no time"},
    {{"node-1", "--at", "9999-01-01 02:00"}, "is no time"},
    {{"node-1", "--at", "2001-01-01 02:00", "--for", "1 h"}, "is over before it begins"},
    {{"node-1", "--for", "2 fortnights"}, "--for is \"2 fortnights\", whose unit is unknown"},
    {{"node-1", "--for", "-1 h"}, "--for is \"-1 h\", which is negative"},
    {{"node-1", "--for", "0 s"}, "is over before it begins"},
    {{"node-1", "--reason", std::string(100'000, 'x')}, "the reason to drain node \"node-1\""},
    {{}, "NODE is required"},
  };
  for (auto& each : cases) {
    auto words = each.options;
    words.insert(words.begin(), "drain");
    auto refused = troupe(words);
    EXPECT_EQ(refused.code, 2) << each.says << ": " << refused.err;
    EXPECT_NE(refused.err.find(each.says), std::string::npos) << refused.err;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  }
  EXPECT_EQ(troupe({"resume", "no-such-node"}).code, 2);
  EXPECT_EQ(node("node-1"), before);
}

} // namespace troupe::e2e
