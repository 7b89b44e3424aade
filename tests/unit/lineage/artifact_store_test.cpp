// The actor of the metadata store, its messages, and what subscribers are told.
#include "actors/lineage/artifact_store.hpp"
#include "actors/lineage/record_messages.hpp"
#include "runtime/actor_error.hpp"
#include "storage/commit_queue.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"

#include <caf/all.hpp>
#include <gtest/gtest.h>

#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using storage::change_set;
using storage::node_kind;
using storage::node_ref;

class ArtifactStore : public ::testing::Test {
protected:
  ArtifactStore() {
    auto opened = storage::metadata::open(disk_, writer_, time_);
    EXPECT_TRUE(opened);
    records_ = std::move(*opened);
    store_ = spawn_artifact_store(system_, {records_.get(), &disk_, [this](const auto& where) {
                                              copied_ = where;
                                              return result<void>{};
                                            }});
    change_set types;
    types.types = {
      {node_kind::artifact, 0, "Model", {}, {}, {}, {}, {{"accuracy", storage::value_kind::real}}},
      {node_kind::artifact, 0, "Data", {}, {}, {}, {}, {}},
      {node_kind::execution, 0, "Train", {}, {}, {}, {}, {}}};
    EXPECT_TRUE(write(types));
  }

  ~ArtifactStore() override { kill(); }

  void kill() {
    caf::scoped_actor self{system_};
    self->monitor(store_);
    caf::anon_send_exit(store_, caf::exit_reason::kill);
    self->receive([](const caf::down_msg&) {});
  }

  template <class Answer, class Request>
  result<Answer> ask(Request x) {
    caf::scoped_actor self{system_};
    result<Answer> got{errc::internal, "no answer"};
    self->request(store_, 10s, std::move(x))
      .receive([&](Answer& answer) { got = std::move(answer); },
               [&](const caf::error& why) { got = reason_of(why); });
    return got;
  }

  result<storage::receipt> write(const change_set& set) {
    auto written = ask<records_written_msg>(message_of(set));
    if (!written)
      return written.error();
    return receipt_of(*written);
  }

  uint64_t add(const std::string& type, const std::string& uri) {
    change_set set;
    set.nodes.push_back({{}, type});
    set.nodes[0].what.uri = uri;
    auto written = write(set);
    EXPECT_TRUE(written) << written.error().text;
    return written ? written->ids[0] : 0;
  }

  errc subscribe(const std::string& name, const std::string& filter,
                 storage::subscription_step step = storage::subscription_step::add) {
    change_set set;
    set.subscriptions = {{step, {name, node_kind::artifact, filter, {}}}};
    auto written = write(set);
    return written ? errc::ok : written.error().code;
  }

  result<record_changes_msg> next(const std::string& name, const record_changes_msg& done = {},
                                  bool wait = false, uint32_t limit = 100) {
    next_changes_msg x;
    x.subscription = name;
    x.sequence = done.sequence;
    x.index = done.index;
    x.wait = wait;
    x.limit = limit;
    return ask<record_changes_msg>(x);
  }

  // "/1 /2"
  static std::string uris(const record_changes_msg& x) {
    std::string out;
    for (const auto& each : x.changes)
      out.append(out.empty() ? "" : " ").append(each->now->uri);
    return out;
  }

  system_clock time_;
  storage::memory_store disk_;
  storage::commit_queue writer_{disk_};
  std::unique_ptr<storage::metadata> records_;
  std::string copied_;
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  artifact_store_api store_;
};

TEST_F(ArtifactStore, WritesAnExecutionWithWhatItReadAndMade) {
  change_set set;
  set.nodes = {{{}, "Data"}, {{}, "Model"}, {{}, "Train"}};
  set.nodes[0].what.uri = "/d";
  set.nodes[1].what.uri = "/m";
  set.nodes[1].what.properties = {{"accuracy", 0.5}};
  set.nodes[1].what.custom = {{"n", int64_t{-3}},
                              {"yes", true},
                              {"what", storage::json_text{"[1]"}},
                              {"any", storage::any_bytes{"url", std::string("\0x", 2)}}};
  set.nodes[2].what.kind = node_kind::execution;
  set.nodes[2].what.state = storage::node_state::complete;
  set.events = {{node_ref::put(2), node_ref::put(0), storage::event_type::input, {"data"}, 0},
                {node_ref::put(2), node_ref::put(1), storage::event_type::output, {"m", 2}, 0}};
  auto written = write(set);
  ASSERT_TRUE(written) << written.error().text;

  get_graph_msg question;
  question.ids = {written->ids[1]};
  question.way = lineage_way::upstream;
  auto answer = ask<record_graph_msg>(question);
  ASSERT_TRUE(answer) << answer.error().text;
  auto graph = graph_of(*answer);
  ASSERT_TRUE(graph) << graph.error().text;
  ASSERT_EQ(graph->graph.nodes.size(), 3u);
  auto kept = records_->look().get(node_kind::artifact, written->ids[1]);
  ASSERT_TRUE(kept);
  EXPECT_EQ(graph->graph.nodes[0].what, *kept);
  EXPECT_EQ(kept->custom, set.nodes[1].what.custom);
  EXPECT_EQ(graph->types.find(kept->type)->name, "Model");
  ASSERT_EQ(graph->graph.events.size(), 2u);
  EXPECT_EQ(graph->graph.events[0].path, set.events[1].path);
}

TEST_F(ArtifactStore, RefusesWhatTheStoreRefusesAndChangesNothing) {
  auto before = records_->sequence();
  change_set set;
  set.nodes = {{{}, "Model"}, {{}, "No such type"}};
  auto written = write(set);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().text.find("No such type"), std::string::npos);
  write_records_msg strange;
  strange.nodes.push_back(std::make_unique<node_put_msg>());
  strange.nodes[0]->what = std::make_unique<record_node_msg>();
  strange.nodes[0]->what->kind = static_cast<record_kind>(9);
  EXPECT_EQ(ask<records_written_msg>(std::move(strange)).error().code, errc::invalid);
  EXPECT_EQ(records_->sequence(), before);
}

TEST_F(ArtifactStore, PagesFitIntoAnAnswer) {
  change_set set;
  for (int i = 0; i < 40; ++i) {
    set.nodes.push_back({{}, "Data"});
    set.nodes.back().what.custom = {{"text", std::string(60'000, 'x')}};
    set.nodes.back().what.uri.append("/").append(std::to_string(i));
  }
  ASSERT_TRUE(write(set));
  list_records_msg question;
  std::vector<std::string> seen;
  size_t pages = 0;
  do {
    auto page = ask<record_page_msg>(question);
    ASSERT_TRUE(page) << page.error().text;
    ASSERT_FALSE(page->nodes.empty());
    for (const auto& each : page->nodes)
      seen.push_back(each->uri);
    question.token = page->next;
    ++pages;
  } while (!question.token.empty());
  EXPECT_GT(pages, 3u);
  ASSERT_EQ(seen.size(), 40u);
  EXPECT_EQ(seen[0], "/0");
  EXPECT_EQ(seen[39], "/39");
}

TEST_F(ArtifactStore, AListAndAGraphShowThePast) {
  auto first = add("Data", "/1");
  auto then = records_->sequence();
  add("Data", "/2");
  list_records_msg question;
  question.as_of = then;
  auto page = ask<record_page_msg>(question);
  ASSERT_TRUE(page) << page.error().text;
  ASSERT_EQ(page->nodes.size(), 1u);
  EXPECT_EQ(page->nodes[0]->id, first);
  EXPECT_EQ(page->sequence, then);
}

TEST_F(ArtifactStore, TellsEachChangeUntilItIsAcknowledged) {
  ASSERT_EQ(subscribe("s", "type = 'Model'"), errc::ok);
  add("Model", "/1");
  add("Data", "/2");
  add("Model", "/3");
  auto first = next("s", {}, false, 1);
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_EQ(uris(*first), "/1");
  EXPECT_EQ(uris(*next("s")), "/1 /3");
  auto both = next("s", *first);
  EXPECT_EQ(uris(*both), "/3");
  EXPECT_EQ(uris(*next("s", *both)), "");
  EXPECT_EQ(uris(*next("s")), "");
}

TEST_F(ArtifactStore, ASubscriberThatComesBackGoesOnWhereItAcknowledged) {
  ASSERT_EQ(subscribe("s", ""), errc::ok);
  add("Model", "/1");
  add("Model", "/2");
  auto first = next("s", {}, false, 1);
  ASSERT_TRUE(next("s", *first));
  kill(); // another actor, as after the master's death
  records_.reset();
  records_ = std::move(*storage::metadata::open(disk_, writer_, time_));
  store_ = spawn_artifact_store(system_, {records_.get(), &disk_, {}});
  EXPECT_EQ(uris(*next("s")), "/2");
}

TEST_F(ArtifactStore, APollThatWaitsIsAnsweredByTheChange) {
  ASSERT_EQ(subscribe("s", "type = 'Model'"), errc::ok);
  caf::scoped_actor self{system_};
  next_changes_msg poll;
  poll.subscription = "s";
  poll.wait = true;
  auto answer = self->request(store_, 10s, poll);
  add("Data", "/no");
  add("Model", "/yes");
  std::string got;
  std::move(answer).receive([&](record_changes_msg& x) { got = uris(x); },
                            [](const caf::error&) { FAIL(); });
  EXPECT_EQ(got, "/yes");
}

TEST_F(ArtifactStore, OneThatIsRemovedOrWasNeverThereIsSaid) {
  EXPECT_EQ(next("s").error().code, errc::not_found);
  ASSERT_EQ(subscribe("s", ""), errc::ok);
  ASSERT_TRUE(next("s"));
  ASSERT_EQ(subscribe("s", "", storage::subscription_step::remove), errc::ok);
  EXPECT_EQ(next("s").error().code, errc::not_found);
  ASSERT_EQ(subscribe("s", "type = 'Data'"), errc::ok);
  add("Model", "/1");
  add("Data", "/2");
  EXPECT_EQ(uris(*next("s")), "/2");
}

TEST_F(ArtifactStore, ClaimsWorkOnceForEachVersion) {
  auto id = add("Model", "/1");
  auto take = [&](uint64_t holder, uint64_t lost) {
    change_set set;
    set.claims = {{storage::claim_step::take, "pusher", id, 1, holder, 0, lost}};
    return write(set);
  };
  auto first = take(7, 0);
  ASSERT_TRUE(first) << first.error().text;
  ASSERT_EQ(first->claims.size(), 1u);
  EXPECT_EQ(first->claims[0].attempt, 1u);
  auto second = take(8, 0);
  EXPECT_TRUE(!second || second->claims[0].holder == 7u);
  auto after = take(8, 7);
  ASSERT_TRUE(after) << after.error().text;
  EXPECT_EQ(after->claims[0].attempt, 2u);
}

TEST_F(ArtifactStore, ChecksAndCopies) {
  add("Model", "/1");
  auto checked = ask<records_checked_msg>(check_records_msg{});
  ASSERT_TRUE(checked) << checked.error().text;
  EXPECT_EQ(checked->nodes, 1u);
  EXPECT_EQ(checked->findings_all, 0u);
  backup_store_msg copy;
  copy.directory = "/there";
  ASSERT_TRUE(ask<done_msg>(copy));
  EXPECT_EQ(copied_, "/there");
}

} // namespace
} // namespace troupe
