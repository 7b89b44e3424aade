// Subscriptions, claims and the feed of changes.
#include "storage/metadata/change_feed.hpp"
#include "tests/support/metadata_fixture.hpp"

#include <algorithm>

namespace troupe::storage {
namespace {

class ChangeFeed : public metadata_test {
protected:
  ChangeFeed() {
    model_ = type(artifact_kind, "Model", {{"n", value_kind::integer}});
    data_ = type(artifact_kind, "Data");
    study_ = type(context_kind, "Study");
    listen();
  }

  // As a process that starts: what was told before is forgotten.
  void listen() {
    told_.clear();
    feed_ = std::make_unique<change_feed>(
      [this](const std::string& who, const told_change& what) { told_[who].push_back(what); },
      [this](const std::string& who, const error& reason) {
        complaints_.push_back(who + ": " + reason.text);
      });
    metadata_->observe([this](uint64_t sequence, const change_record& what) {
      feed_->changed(metadata_->look(), sequence, what);
    });
  }

  errc step(subscription_step which, subscription what) {
    change_set set;
    set.subscriptions = {{which, std::move(what)}};
    return write(std::move(set));
  }

  subscription stored(const std::string& name) {
    auto all = *metadata_->look().subscriptions();
    auto found
      = std::find_if(all.begin(), all.end(), [&](const auto& x) { return x.name == name; });
    EXPECT_NE(found, all.end());
    return found == all.end() ? subscription() : *found;
  }

  void attach(const std::string& name, uint64_t credits) {
    ASSERT_TRUE(feed_->attach(stored(name)));
    feed_->grant(name, credits);
    catch_up();
  }

  void catch_up(size_t at_once = 1000) {
    for (;;) {
      auto more = feed_->catch_up(metadata_->look(), at_once);
      ASSERT_TRUE(more) << more.error().text;
      if (!*more)
        return;
    }
  }

  uint64_t add(uint64_t type, int64_t n = 0) {
    auto x = make(artifact_kind, type);
    if (type == model_)
      x.what.properties = {{"n", n}};
    return put(x);
  }

  void change(uint64_t id, const std::string& uri) {
    auto x = make(artifact_kind, 0);
    x.what.id = id;
    x.what.uri = uri;
    x.mask = {"uri"};
    ASSERT_EQ(put(x), id);
  }

  std::string seen(const std::string& who) {
    std::string out;
    for (const auto& x : told_[who])
      out.append(out.empty() ? "" : " ")
        .append(std::to_string(x.now->id))
        .append(".")
        .append(std::to_string(x.now->version));
    return out;
  }

  errc claim_of(claim_step which, uint64_t artifact, uint64_t version, uint64_t holder,
                uint64_t attempt = 0, uint64_t lost = 0) {
    change_set set;
    set.claims = {{which, "trainer", artifact, version, holder, attempt, lost}};
    return write(std::move(set));
  }

  uint64_t model_ = 0;
  uint64_t data_ = 0;
  uint64_t study_ = 0;
  std::unique_ptr<change_feed> feed_;
  std::map<std::string, std::vector<told_change>> told_;
  std::vector<std::string> complaints_;
};

TEST_F(ChangeFeed, TellsWhatMatchesInOrder) {
  ASSERT_EQ(step(subscription_step::add, {"all", artifact_kind}), errc::ok) << text_;
  ASSERT_EQ(step(subscription_step::add, {"models", artifact_kind, "type = 'Model'"}), errc::ok);
  ASSERT_EQ(step(subscription_step::add, {"big", artifact_kind, "properties.n > 2"}), errc::ok);
  for (const auto* name : {"all", "models", "big"})
    attach(name, 100);
  add(model_, 1);
  add(data_);
  add(model_, 3);
  change(1, "u");
  EXPECT_EQ(seen("all"), "1.1 2.1 3.1 1.2");
  EXPECT_EQ(seen("models"), "1.1 3.1 1.2");
  EXPECT_EQ(seen("big"), "3.1");
  EXPECT_EQ(told_["all"][3].what, change_kind::updated);
  EXPECT_EQ(told_["all"][3].now->uri, "u");
}

TEST_F(ChangeFeed, AContextIsAChangeOfWhatIsPutInIt) {
  ASSERT_EQ(step(subscription_step::add, {"s", artifact_kind, "contexts_a.name = 'study'"}),
            errc::ok);
  attach("s", 100);
  add(model_);
  ASSERT_EQ(put(make(context_kind, study_, "study")), 1u);
  EXPECT_EQ(seen("s"), "");
  ASSERT_EQ(put_link(link_kind::attribution, 1, 1), errc::ok);
  EXPECT_EQ(seen("s"), "1.1");
  EXPECT_EQ(told_["s"][0].what, change_kind::linked);
  change_set together;
  together.nodes = {make(artifact_kind, model_)};
  together.links = {{link_kind::attribution, node_ref::stored(1), node_ref::put(0)}};
  ASSERT_EQ(write(together), errc::ok);
  EXPECT_EQ(seen("s"), "1.1 2.1") << "told once";
}

TEST_F(ChangeFeed, GoesOnWhereItWasAcknowledged) {
  ASSERT_EQ(step(subscription_step::add, {"s", artifact_kind}), errc::ok);
  attach("s", 100);
  for (int i = 0; i < 5; ++i)
    add(model_, i);
  auto third = told_["s"][2].at;
  ASSERT_EQ(step(subscription_step::acknowledge, {"s", artifact_kind, {}, {third.sequence, 1}}),
            errc::ok);
  reopen();
  listen();
  add(data_);
  attach("s", 100);
  EXPECT_EQ(seen("s"), "4.1 5.1 6.1");
  add(data_);
  EXPECT_EQ(seen("s"), "4.1 5.1 6.1 7.1");
}

TEST_F(ChangeFeed, WhoIsSlowCostsOthersNothingAndMissesNothing) {
  ASSERT_EQ(step(subscription_step::add, {"slow", artifact_kind}), errc::ok);
  ASSERT_EQ(step(subscription_step::add, {"fast", artifact_kind}), errc::ok);
  attach("slow", 2);
  attach("fast", 100);
  change_set four;
  for (int i = 0; i < 4; ++i)
    four.nodes.push_back(make(artifact_kind, model_));
  ASSERT_EQ(write(four), errc::ok);
  change(1, "u");
  change(1, "v");
  EXPECT_EQ(seen("slow"), "1.1 2.1");
  EXPECT_EQ(seen("fast"), "1.1 2.1 3.1 4.1 1.2 1.3");
  feed_->grant("slow", 3);
  catch_up(1);
  EXPECT_EQ(seen("slow"), "1.1 2.1 3.1 4.1 1.2") << "in the middle of a change, and of the past";
  EXPECT_EQ(told_["slow"][4].now->uri, "u");
  add(data_);
  feed_->grant("slow", 100);
  catch_up(1);
  add(data_);
  EXPECT_EQ(seen("slow"), "1.1 2.1 3.1 4.1 1.2 1.3 5.1 6.1");
}

// Its filter has too much to try: it stays behind, and nobody else misses anything.
TEST_F(ChangeFeed, WhoseFilterFailsCostsOthersNothing) {
  ASSERT_EQ(step(subscription_step::add,
                 {"bad", artifact_kind, "contexts_a.name = contexts_b.external_id"}),
            errc::ok)
    << text_;
  ASSERT_EQ(step(subscription_step::add, {"good", artifact_kind}), errc::ok);
  attach("bad", 100);
  attach("good", 100);
  metadata_->observe([this](uint64_t sequence, const change_record& what) {
    feed_->changed(metadata_->look(), sequence, what);
  });
  change_set wide;
  wide.nodes.push_back(make(artifact_kind, model_));
  for (int i = 0; i < 1001; ++i) {
    wide.nodes.push_back(make(context_kind, study_, std::to_string(i)));
    wide.links.push_back(
      {link_kind::attribution, node_ref::put(wide.nodes.size() - 1), node_ref::put(0)});
  }
  ASSERT_EQ(write(wide), errc::ok) << text_;
  add(data_);
  EXPECT_EQ(seen("good"), "1.1 2.1");
  ASSERT_EQ(complaints_.size(), 1u);
  EXPECT_TRUE(complaints_[0].starts_with("bad: "));
  EXPECT_TRUE(feed_->catch_up(metadata_->look()));
  EXPECT_EQ(complaints_.size(), 2u);
  EXPECT_EQ(seen("bad"), "");
  add(data_);
  EXPECT_EQ(seen("good"), "1.1 2.1 3.1");
}

TEST_F(ChangeFeed, BeginsWithTheNextChangeOrWhereItIsTold) {
  add(model_);
  add(model_);
  ASSERT_EQ(step(subscription_step::add, {"next", artifact_kind}), errc::ok);
  ASSERT_EQ(step(subscription_step::add, {"all", artifact_kind, {}, {1, 0}}), errc::ok);
  attach("next", 9);
  attach("all", 9);
  add(model_);
  EXPECT_EQ(seen("next"), "3.1");
  EXPECT_EQ(seen("all"), "1.1 2.1 3.1");
}

TEST_F(ChangeFeed, SubscriptionsAreKeptAndChecked) {
  ASSERT_EQ(step(subscription_step::add, {"s", artifact_kind, "id > 3"}), errc::ok);
  auto place = stored("s").next;
  add(model_);
  EXPECT_EQ(step(subscription_step::add, {"s", artifact_kind, "id > 3"}), errc::ok);
  EXPECT_EQ(stored("s").next, place) << "it goes on";
  EXPECT_EQ(step(subscription_step::add, {"s", artifact_kind, "id > 4"}), errc::already_exists);
  EXPECT_EQ(step(subscription_step::add, {"s", execution_kind, "id > 3"}), errc::already_exists);
  EXPECT_EQ(step(subscription_step::add, {"t", artifact_kind, "id >"}), errc::invalid);
  EXPECT_EQ(step(subscription_step::add, {"", artifact_kind}), errc::invalid);
  EXPECT_EQ(step(subscription_step::acknowledge, {"t", artifact_kind, {}, {1, 0}}),
            errc::not_found);
  EXPECT_EQ(step(subscription_step::acknowledge, {"s", artifact_kind, {}, {999, 0}}),
            errc::invalid);
  EXPECT_EQ(step(subscription_step::acknowledge, {"s", artifact_kind, {}, {1, 0}}), errc::ok);
  EXPECT_EQ(stored("s").next, place) << "never back";
  EXPECT_EQ(step(subscription_step::remove, {"s", artifact_kind}), errc::ok);
  EXPECT_TRUE(metadata_->look().subscriptions()->empty());
  auto sequence = metadata_->sequence();
  EXPECT_EQ(step(subscription_step::remove, {"s", artifact_kind}), errc::ok);
  EXPECT_EQ(metadata_->sequence(), sequence) << "no change of the metadata";
}

TEST_F(ChangeFeed, WorkStartsOnceAndAgainOnlyAfterAFailure) {
  ASSERT_EQ(add(model_), 1u);
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 10), errc::ok) << text_;
  EXPECT_EQ(receipt_.claims.at(0).attempt, 1u);
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 10), errc::ok) << "said again";
  EXPECT_EQ(receipt_.claims.at(0).attempt, 1u);
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 11), errc::refused);
  EXPECT_EQ(claim_of(claim_step::finish, 1, 1, 11, 1), errc::refused);
  // Its holder is lost: the next one has the next attempt, and the old one may say nothing more.
  reopen();
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 11, 0, 10), errc::ok) << text_;
  EXPECT_EQ(receipt_.claims.at(0).attempt, 2u);
  EXPECT_EQ(claim_of(claim_step::finish, 1, 1, 10, 1), errc::refused);
  EXPECT_EQ(claim_of(claim_step::fail, 1, 1, 11, 2), errc::ok);
  EXPECT_EQ(claim_of(claim_step::fail, 1, 1, 11, 2), errc::ok) << "said again";
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 12), errc::ok);
  EXPECT_EQ(receipt_.claims.at(0).attempt, 3u);
  EXPECT_EQ(claim_of(claim_step::finish, 1, 1, 12, 3), errc::ok);
  EXPECT_EQ(claim_of(claim_step::take, 1, 1, 13), errc::already_exists);
  EXPECT_EQ(claim_of(claim_step::fail, 1, 1, 12, 3), errc::refused);
  // Another version is other work.
  EXPECT_EQ(claim_of(claim_step::take, 1, 2, 13), errc::invalid);
  change(1, "u");
  EXPECT_EQ(claim_of(claim_step::take, 1, 2, 13), errc::ok);
  EXPECT_EQ(claim_of(claim_step::take, 9, 1, 13), errc::invalid);
  EXPECT_EQ(claim_of(claim_step::take, 1, 2, 0), errc::invalid);
  EXPECT_EQ(metadata_->look().claims("trainer")->size(), 2u);
}

TEST_F(ChangeFeed, AClaimEndsTogetherWithWhatWasMade) {
  ASSERT_EQ(add(data_), 1u);
  ASSERT_EQ(claim_of(claim_step::take, 1, 1, 10), errc::ok);
  change_set made;
  made.nodes = {make(artifact_kind, model_, "made")};
  made.claims = {{claim_step::finish, "trainer", 1, 1, 99, 1, 0}};
  EXPECT_EQ(write(made), errc::refused);
  EXPECT_FALSE(*metadata_->look().named(artifact_kind, model_, "made"));
  made.claims[0].holder = 10;
  EXPECT_EQ(write(made), errc::ok) << text_;
  EXPECT_EQ(metadata_->look().claims("trainer")->at(0).state, claim_state::done);
}

} // namespace
} // namespace troupe::storage
