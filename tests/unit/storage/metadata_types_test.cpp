// What a type may become: the rules of ML Metadata.
#include "storage/metadata/query.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

using properties = std::map<std::string, value_kind, std::less<>>;

class Types : public metadata_test {
protected:
  static node_type named(const std::string& name, properties all = {},
                         node_kind kind = artifact_kind) {
    node_type x;
    x.kind = kind;
    x.name = name;
    x.properties = std::move(all);
    return x;
  }

  errc put_types(std::vector<node_type> all, type_evolution rule = {}) {
    change_set set;
    set.types = std::move(all);
    set.evolution = rule;
    return write(std::move(set));
  }

  node_type stored(uint64_t id) { return *metadata_->look().types().find(id); }
};

TEST_F(Types, AreFoundByNameIdAndExternalId) {
  auto model = named("Model", {{"a", value_kind::integer}});
  model.description = "what a training makes";
  model.external_id = "registry/model";
  model.base = "Model";
  ASSERT_EQ(put_types({model, named("Train", {}, execution_kind)}), errc::ok) << text_;
  EXPECT_EQ(receipt_.types, (std::vector<uint64_t>{1, 2}));
  reopen();
  model.id = 1;
  auto view = metadata_->look();
  const auto& all = view.types();
  EXPECT_EQ(*all.find(1), model);
  EXPECT_EQ(all.find(artifact_kind, "Model")->id, 1u);
  EXPECT_EQ(all.by_external_id(artifact_kind, "registry/model")->id, 1u);
  EXPECT_EQ(all.find(execution_kind, "Model"), nullptr);
  EXPECT_EQ(all.by_external_id(artifact_kind, "other"), nullptr);
  EXPECT_EQ(all.by_external_id(artifact_kind, ""), nullptr);
  EXPECT_EQ(all.find(9), nullptr);
  EXPECT_EQ(all.all(artifact_kind).size(), 1u);
  EXPECT_TRUE(all.all(context_kind).empty());
}

TEST_F(Types, PutAgainAreTheSame) {
  auto x = named("Model", {{"a", value_kind::integer}});
  ASSERT_EQ(put_types({x}), errc::ok);
  auto sequence = metadata_->sequence();
  ASSERT_EQ(put_types({x, x}), errc::ok);
  EXPECT_EQ(receipt_.types, (std::vector<uint64_t>{1, 1}));
  EXPECT_EQ(metadata_->sequence(), sequence);
  // The same name of another kind is another type.
  ASSERT_EQ(put_types({named("Model", {}, execution_kind), named("Model", {}, context_kind)}),
            errc::ok);
  EXPECT_EQ(receipt_.types, (std::vector<uint64_t>{2, 3}));
}

TEST_F(Types, GrowAsTheCallerAllowsAndNeverShrink) {
  const properties a{{"a", value_kind::integer}};
  const properties b{{"b", value_kind::text}};
  const properties both{{"a", value_kind::integer}, {"b", value_kind::text}};
  ASSERT_EQ(put_types({named("T", a)}), errc::ok);
  auto refused = [&](const properties& all, type_evolution rule, std::string_view why) {
    EXPECT_EQ(put_types({named("T", all)}, rule), errc::already_exists);
    EXPECT_NE(text_.find(why), std::string::npos) << text_;
    EXPECT_EQ(stored(1).properties, a);
  };
  refused(both, {}, "has no property b");
  refused({}, {}, "has the property a too");
  refused(b, {true, false}, "has the property a too");
  refused(b, {false, true}, "has no property b");
  refused({{"a", value_kind::real}}, {true, true}, "its property a is INT");
  ASSERT_EQ(put_types({named("T")}, {false, true}), errc::ok) << text_;
  EXPECT_EQ(stored(1).properties, a);
  ASSERT_EQ(put_types({named("T", b)}, {true, true}), errc::ok) << text_;
  EXPECT_EQ(receipt_.types, std::vector<uint64_t>{1});
  EXPECT_EQ(stored(1).properties, both);
  reopen();
  EXPECT_EQ(stored(1).properties, both);
}

TEST_F(Types, OfOtherVersionsAreOthers) {
  auto first = named("T", {{"a", value_kind::integer}});
  auto second = named("T", {{"a", value_kind::text}});
  second.version = "2";
  ASSERT_EQ(put_types({first, second}), errc::ok) << text_;
  EXPECT_EQ(receipt_.types, (std::vector<uint64_t>{1, 2}));
  auto view = metadata_->look();
  const auto& all = view.types();
  EXPECT_EQ(all.find(artifact_kind, "T")->id, 1u);
  EXPECT_EQ(all.find(artifact_kind, "T", "2")->id, 2u);
  EXPECT_EQ(all.find(artifact_kind, "T", "3"), nullptr);
  EXPECT_EQ(all.named(artifact_kind, "T").size(), 2u);
  // A name is taken in its type only, and a filter by a type's name means all versions.
  EXPECT_EQ(put(make(artifact_kind, 1, "m")), 1u);
  EXPECT_EQ(put(make(artifact_kind, 2, "m")), 2u);
  EXPECT_EQ(matching(metadata_->look(), artifact_kind, "type = 'T'", 10)->size(), 2u);
  EXPECT_EQ(matching(metadata_->look(), artifact_kind, "name = 'm'", 10)->size(), 2u);
}

TEST_F(Types, KeepTheirBase) {
  auto x = named("T");
  x.base = "Dataset";
  ASSERT_EQ(put_types({x}), errc::ok) << text_;
  ASSERT_EQ(put_types({named("T")}), errc::ok) << "nothing said, nothing changed";
  EXPECT_EQ(stored(1).base, "Dataset");
  x.base = "Model";
  EXPECT_EQ(put_types({x}), errc::already_exists);
  x.base = "Train";
  EXPECT_EQ(put_types({x}), errc::invalid) << "a base of executions";
  ASSERT_EQ(put_types({named("U")}), errc::ok);
  auto later = named("U");
  later.base = "Metrics";
  EXPECT_EQ(put_types({later}), errc::ok) << text_;
  EXPECT_EQ(stored(2).base, "Metrics");
}

TEST_F(Types, AreCheckedTogether) {
  ASSERT_EQ(put_types({named("T", {{"a", value_kind::integer}})}), errc::ok);
  auto before = dump();
  EXPECT_EQ(put_types({named("New"), named("T", {{"a", value_kind::text}})}), errc::already_exists);
  EXPECT_EQ(put_types({named("New"), named("")}), errc::invalid);
  EXPECT_EQ(put_types({named("New", {{"", value_kind::text}})}), errc::invalid);
  EXPECT_EQ(put_types({named("a\tb")}), errc::invalid);
  auto x = named("X");
  auto y = named("Y");
  x.external_id = y.external_id = "same";
  EXPECT_EQ(put_types({x, y}), errc::already_exists);
  EXPECT_EQ(dump(), before);
  EXPECT_EQ(metadata_->look().types().find(artifact_kind, "New"), nullptr);
  ASSERT_EQ(put_types({named("New")}), errc::ok);
  EXPECT_EQ(receipt_.types, std::vector<uint64_t>{2}) << "no number was lost";
}

TEST_F(Types, MayComeWithTheirNodes) {
  change_set set;
  set.types = {named("T", {{"a", value_kind::integer}})};
  node_put x;
  x.type_name = "T";
  x.what.properties = {{"a", int64_t{1}}};
  set.nodes = {x};
  ASSERT_EQ(write(set), errc::ok) << text_;
  EXPECT_EQ(get(artifact_kind, 1).type, 1u);
  // What is there already is not written again when its type grows.
  ASSERT_EQ(put_types({named("T", {{"b", value_kind::text}})}, {true, true}), errc::ok);
  EXPECT_EQ(get(artifact_kind, 1).version, 1u);
  change_set other;
  other.nodes = {x};
  other.nodes[0].type_name = "Unknown";
  EXPECT_EQ(write(other), errc::not_found);
}

} // namespace
} // namespace troupe::storage
