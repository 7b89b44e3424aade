// Who polls for changes of the record: plain code, with a clock of the test.
#include "actors/lineage/subscribers.hpp"
#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using storage::change_set;
using storage::node_kind;

class Subscribers : public ::testing::Test {
protected:
  Subscribers() {
    change_set types;
    types.types = {{node_kind::artifact, 0, "Model", {}, {}, {}, {}, {}},
                   {node_kind::artifact, 0, "Data", {}, {}, {}, {}, {}}};
    EXPECT_TRUE(facts->write(types));
    facts->observe([this](uint64_t sequence, const storage::change_record& what) {
      told.changed(sequence, what);
    });
  }

  void add(const std::string& type, size_t count = 1) {
    change_set set;
    for (size_t i = 0; i < count; ++i)
      set.nodes.push_back({{}, type});
    EXPECT_TRUE(facts->write(set));
  }

  void subscribe(const std::string& name, const std::string& filter = "type = 'Model'") {
    change_set set;
    set.subscriptions
      = {{storage::subscription_step::add, {name, node_kind::artifact, filter, {1, 0}}}};
    EXPECT_TRUE(facts->write(set));
  }

  // What the poll was answered with; empty: it waits.
  using answered = std::shared_ptr<std::optional<result<record_changes_msg>>>;

  answered poll(bool wait, const record_changes_msg& done = {}) {
    next_changes_msg x;
    x.subscription = "s";
    x.sequence = done.sequence;
    x.index = done.index;
    x.wait = wait;
    x.limit = 10'000;
    auto out = std::make_shared<std::optional<result<record_changes_msg>>>();
    more = told.poll(x, now, [out](result<record_changes_msg> news) { *out = std::move(news); });
    return out;
  }

  storage::memory_store disk;
  storage::commit_inline writer{disk};
  system_clock time;
  std::unique_ptr<storage::metadata> facts = *storage::metadata::open(disk, writer, time);
  subscribers told{[this] { return facts->look(); }};
  time_point now{};
  bool more = false;
};

TEST_F(Subscribers, AnOlderPollLearnsThatItIsOver) {
  subscribe("s");
  auto first = poll(true);
  auto second = poll(true);
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ((*first)->error().code, errc::aborted);
  EXPECT_FALSE(second->has_value());
  add("Model");
  ASSERT_TRUE(second->has_value());
  EXPECT_EQ((**second)->changes.size(), 1u);
}

TEST_F(Subscribers, APollThatDoesNotWaitIsAnsweredWhenAllWasRead) {
  for (int i = 0; i < 2'500; ++i)
    add("Data");
  add("Model");
  subscribe("s");
  auto answer = poll(false);
  auto steps = 0;
  for (; more && !answer->has_value(); ++steps)
    more = told.catch_up();
  EXPECT_GT(steps, 0) << "it holds up others for one step at a time";
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((**answer)->changes.size(), 1u);
}

TEST_F(Subscribers, AreToldSoManyBeforeTheyAcknowledge) {
  subscribe("s");
  add("Model", unacknowledged_max + 5);
  auto answer = poll(false);
  while (more)
    more = told.catch_up();
  size_t all = 0;
  record_changes_msg last;
  while (answer->has_value() && !(**answer)->changes.empty()) {
    all += (**answer)->changes.size();
    EXPECT_LE((**answer)->changes.size(), unacknowledged_max);
    last.sequence = (**answer)->sequence;
    last.index = (**answer)->index;
    answer = poll(false, last);
    while (more && !answer->has_value())
      more = told.catch_up();
  }
  EXPECT_EQ(all, unacknowledged_max + 5);
}

TEST_F(Subscribers, WhoDoesNotAskIsForgottenAndGoesOnWhereItWas) {
  subscribe("s");
  add("Model");
  auto first = poll(false);
  EXPECT_EQ((**first)->changes.size(), 1u);
  now += forgotten_after;
  EXPECT_TRUE(told.expire(now).empty());
  add("Model");
  auto again = poll(false);
  while (more && !again->has_value())
    more = told.catch_up();
  EXPECT_EQ((**again)->changes.size(), 2u) << "it acknowledged nothing";
}

TEST_F(Subscribers, AWaitingPollIsAnsweredInTimeAndThePlaceOfOneThatMissedNothingIsKept) {
  subscribe("s");
  auto waiting = poll(true);
  now += poll_time;
  EXPECT_TRUE(told.expire(now).empty()) << "it is not far behind";
  ASSERT_TRUE(waiting->has_value());
  EXPECT_TRUE((**waiting)->changes.empty());
  for (int i = 0; i < 10'100; ++i)
    add("Data");
  waiting = poll(true);
  while (more)
    more = told.catch_up();
  auto places = told.expire(now);
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].what.name, "s");
  EXPECT_GT(places[0].what.next.sequence, 10'000u);
}

} // namespace
} // namespace troupe
