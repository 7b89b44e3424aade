// The audit finds each record that is gone, damaged or out of place, and nothing in a sound store.
#include "storage/metadata/audit.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/record.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

class Audit : public metadata_test {
protected:
  void SetUp() override {
    auto model = type(artifact_kind, "Model", {{"n", value_kind::integer}});
    auto train = type(execution_kind, "Train");
    auto study = type(context_kind, "Study");
    change_set set;
    set.nodes = {make(artifact_kind, model, "m"), make(execution_kind, train),
                 make(context_kind, study, "s"), make(context_kind, study, "t")};
    set.nodes[0].what.properties = {{"n", int64_t{3}}};
    set.nodes[0].what.external_id = "e";
    set.nodes[0].what.uri = "u";
    set.nodes[0].what.hash = std::string(64, 'a');
    set.nodes[1].what.fingerprint = "f";
    set.events = {{node_ref::put(1), node_ref::put(0), event_type::output}};
    set.links = {{link_kind::attribution, node_ref::put(2), node_ref::put(0)},
                 {link_kind::association, node_ref::put(2), node_ref::put(1)},
                 {link_kind::parent, node_ref::put(3), node_ref::put(2)}};
    set.subscriptions = {{subscription_step::add, {"sub", artifact_kind, "id > 0"}}};
    set.claims = {{claim_step::take, "consumer", 1, 1, 7}};
    ASSERT_EQ(write(set), errc::ok) << text_;
    node_put change;
    change.what.id = 1;
    change.mask = {"uri"};
    change.what.uri = "v";
    ASSERT_EQ(put(change), 1u);
  }

  std::vector<std::string> findings() {
    std::vector<std::string> out;
    auto all = audit_metadata(memory_, [&](const std::string& x) { out.push_back(x); });
    EXPECT_TRUE(all);
    EXPECT_EQ(all->findings, out.size());
    audit_ = *all;
    return out;
  }

  std::vector<std::pair<std::string, std::string>> all_pairs() {
    std::vector<std::pair<std::string, std::string>> out;
    EXPECT_TRUE(memory_.scan("", "", no_limit, [&](auto key, auto value) {
      out.emplace_back(key, value);
      return true;
    }));
    return out;
  }

  void put_back(const std::string& key, const std::string& value) {
    batch x;
    x.put(key, value);
    ASSERT_TRUE(memory_.commit(x, durability::synced));
  }

  metadata_audit audit_;
};

TEST_F(Audit, FindsNothingInASoundStore) {
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(audit_.types, 3u);
  EXPECT_EQ(audit_.nodes, 4u);
  EXPECT_EQ(audit_.versions, 1u);
  EXPECT_EQ(audit_.events, 1u);
  EXPECT_EQ(audit_.links, 3u);
  EXPECT_EQ(audit_.changes, 5u);
  memory_store empty;
  auto none = audit_metadata(empty, [](const std::string& x) { ADD_FAILURE() << x; });
  ASSERT_TRUE(none);
  EXPECT_EQ(none->nodes, 0u);
}

// Subscriptions and claims may be gone by right.
TEST_F(Audit, FindsWhateverIsGone) {
  for (const auto& [key, value] : all_pairs()) {
    if (key.starts_with(subscriptions_prefix()) || key.starts_with("mk"))
      continue;
    batch gone;
    gone.erase(key);
    ASSERT_TRUE(memory_.commit(gone, durability::synced));
    EXPECT_FALSE(findings().empty()) << hex(key);
    put_back(key, value);
  }
  EXPECT_TRUE(findings().empty());
}

TEST_F(Audit, FindsWhateverIsDamaged) {
  for (const auto& [key, value] : all_pairs()) {
    if (key.starts_with("mi"))
      continue; // its value says nothing
    auto bad = value;
    bad.back() = static_cast<char>(bad.back() ^ 1);
    put_back(key, bad);
    EXPECT_FALSE(findings().empty()) << hex(key);
    put_back(key, value);
  }
}

TEST_F(Audit, FindsWhatLeadsNowhereAndSaysWhat) {
  auto nowhere = event_key(execution_kind, 1, event_type::input, 9);
  put_back(nowhere, encode(nowhere, event{1, 9, event_type::input, {}, 0, 1}));
  auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0], "an event of the execution 1 leads to the artifact 9, which is missing");
  batch gone;
  gone.erase(nowhere);
  ASSERT_TRUE(memory_.commit(gone, durability::synced));
  put_back("mit\x41zzzzzzzz12345678", "");
  EXPECT_EQ(findings().size(), 1u) << "an index key too many";
}

} // namespace
} // namespace troupe::storage
