// Behaviours of ML Metadata's store that the other tests do not show: tests/parity/lineage.md has
// the list.
#include "storage/metadata/lineage.hpp"
#include "storage/metadata/query.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

class Parity : public metadata_test {
protected:
  Parity() {
    for (auto kind : node_kinds)
      types_[kind] = type(kind, "T", {{"a", value_kind::integer}, {"b", value_kind::text}});
  }

  node_put put_of(node_kind kind, const std::string& name = {}) {
    return make(kind, types_[kind], name);
  }

  std::string found(const std::string& filter, node_kind kind = artifact_kind,
                    bool newest_first = false, size_t page = 100) {
    list_request wanted{kind, filter, list_order::created, newest_first, page, {}};
    std::string out;
    do {
      auto some = list_nodes(metadata_->look(), wanted);
      if (!some)
        return some.error().text;
      for (const auto& x : some->nodes)
        out.append(out.empty() ? "" : " ").append(std::to_string(x.id));
      wanted.page_token = some->next;
      out.append(some->next.empty() ? "" : " |");
    } while (!wanted.page_token.empty());
    return out;
  }

  std::map<node_kind, uint64_t> types_;
};

TEST_F(Parity, EveryKindIsListedByTypeNameAndVersion) {
  for (auto kind : node_kinds) {
    change_set set;
    auto& versioned = set.types.emplace_back();
    versioned.kind = kind;
    versioned.name = "T";
    versioned.version = "2";
    ASSERT_EQ(write(set), errc::ok);
    auto second = receipt_.types[0];
    ASSERT_EQ(put(put_of(kind, "x")), 1u);
    ASSERT_EQ(put(make(kind, second, "x")), 2u) << text_;
    ASSERT_EQ(put(put_of(kind, "y")), 3u);
    EXPECT_EQ(found("type_id = " + std::to_string(types_[kind]), kind), "1 3");
    EXPECT_EQ(found("type_id = " + std::to_string(second), kind), "2");
    EXPECT_EQ(found("type = 'T' AND name = 'x'", kind), "1 2");
    EXPECT_EQ(found("type = 'Unknown'", kind), "");
    EXPECT_EQ(metadata_->look().named(kind, second, "x")->value().id, 2u);
    EXPECT_FALSE(metadata_->look().named(kind, second, "y")->has_value());
  }
}

TEST_F(Parity, ListsOfIdsUrisAndExternalIdsSkipWhatIsNotThere) {
  for (const auto* uri : {"a", "b", "a", ""}) {
    auto x = put_of(artifact_kind);
    x.what.uri = uri;
    if (*uri == 'b')
      x.what.external_id = "ext";
    ASSERT_NE(put(x), 0u);
  }
  EXPECT_EQ(found("id IN (1, 99, 3, 3)"), "1 3");
  EXPECT_EQ(found("id IN (98, 99)"), "");
  EXPECT_EQ(found("uri IN ('a', 'nothing', 'a')"), "1 3");
  EXPECT_EQ(found("uri = ''"), "4");
  EXPECT_EQ(found("external_id IN ('ext', 'other')"), "2");
  EXPECT_EQ(found("external_id IN ('other', '')"), "");
}

// More than a hundred are as many as there are.
TEST_F(Parity, PagesHaveNoHiddenBound) {
  change_set set;
  for (int i = 0; i < 110; ++i)
    set.nodes.push_back(put_of(context_kind, std::to_string(i)));
  ASSERT_EQ(write(set), errc::ok);
  auto pages = [&](size_t size) {
    list_request wanted{context_kind, "type = 'T'", list_order::id, false, size, {}};
    std::vector<size_t> out;
    do {
      auto page = *list_nodes(metadata_->look(), wanted);
      out.push_back(page.nodes.size());
      wanted.page_token = page.next;
    } while (!wanted.page_token.empty());
    return out;
  };
  EXPECT_EQ(pages(100), (std::vector<size_t>{100, 10}));
  EXPECT_EQ(pages(102), (std::vector<size_t>{102, 8}));
  EXPECT_EQ(pages(55), (std::vector<size_t>{55, 55})) << "no empty page at the end";
}

TEST_F(Parity, MasksOfExecutionsAndContexts) {
  auto run = put_of(execution_kind, "r");
  run.what.state = node_state::running;
  run.what.external_id = "e";
  run.what.custom = {{"kept", int64_t{1}}, {"dropped", int64_t{2}}};
  ASSERT_EQ(put(run), 1u);
  node_put change;
  change.what.kind = execution_kind;
  change.what.id = 1;
  change.what.state = node_state::complete;
  change.what.external_id = "not in the mask";
  change.what.properties = {{"a", int64_t{5}}};
  change.mask = {"last_known_state", "properties.a", "custom_properties.dropped"};
  ASSERT_EQ(put(change), 1u) << text_;
  auto now = get(execution_kind, 1);
  EXPECT_EQ(now.state, node_state::complete);
  EXPECT_EQ(now.external_id, "e");
  EXPECT_EQ(now.properties, (property_map{{"a", int64_t{5}}}));
  EXPECT_EQ(now.custom, (property_map{{"kept", int64_t{1}}}));
  change.mask = {"external_id", "state"};
  change.what.external_id.clear();
  change.what.state = node_state::none;
  ASSERT_EQ(put(change), 1u);
  EXPECT_EQ(get(execution_kind, 1).external_id, "");
  EXPECT_EQ(get(execution_kind, 1).state, node_state::none);
  EXPECT_FALSE(*metadata_->look().by_external_id(execution_kind, "e"));

  ASSERT_EQ(put(put_of(context_kind, "old")), 1u);
  node_put renamed;
  renamed.what.kind = context_kind;
  renamed.what.id = 1;
  renamed.what.name = "new";
  renamed.mask = {"name", "custom_properties"};
  ASSERT_EQ(put(renamed), 1u) << text_;
  EXPECT_EQ(metadata_->look().named(context_kind, types_[context_kind], "new")->value().id, 1u);
  EXPECT_FALSE(metadata_->look().named(context_kind, types_[context_kind], "old")->has_value());
  renamed.what.name.clear();
  EXPECT_EQ(put(renamed), 0u) << "a context has a name";
  // A mask is for what is there: a new node is taken whole.
  auto fresh = put_of(context_kind, "fresh");
  fresh.what.custom = {{"x", true}};
  fresh.mask = {"nothing"};
  ASSERT_EQ(put(fresh), 2u) << text_;
  EXPECT_EQ(get(context_kind, 2).custom.size(), 1u);
}

TEST_F(Parity, CustomPropertiesMayChangeTheirKindAndDeclaredOnesNever) {
  auto x = put_of(context_kind, "c");
  x.what.properties = {{"a", int64_t{1}}};
  x.what.custom = {{"z", int64_t{1}}};
  ASSERT_EQ(put(x), 1u);
  x.what.id = 1;
  x.what.custom = {{"z", std::string("text")}};
  ASSERT_EQ(put(x), 1u) << text_;
  x.what.properties = {{"a", std::string("text")}};
  EXPECT_EQ(put(x), 0u);
  EXPECT_NE(text_.find("unmatched property type"), std::string::npos) << text_;
  x.mask = {"properties.a"};
  EXPECT_EQ(put(x), 0u);
}

TEST_F(Parity, TheNameOfAnArtifactOrExecutionNeverChanges) {
  for (auto kind : {artifact_kind, execution_kind}) {
    ASSERT_EQ(put(put_of(kind, "first")), 1u);
    auto x = put_of(kind, "second");
    x.what.id = 1;
    EXPECT_EQ(put(x), 0u);
    EXPECT_NE(text_.find("never changes"), std::string::npos) << text_;
    x.mask = {"name"};
    EXPECT_EQ(put(x), 1u);
    EXPECT_EQ(get(kind, 1).name, "first");
  }
}

TEST_F(Parity, SetsShareContextsAndArtifactsAsTold) {
  auto publish = [&](on_existing context_rule, on_existing artifact_rule) {
    change_set set;
    set.nodes = {put_of(execution_kind), put_of(artifact_kind), put_of(context_kind, "study")};
    set.nodes[1].what.external_id = "thing";
    set.nodes[1].what.uri = std::to_string(metadata_->sequence());
    set.nodes[1].existing = artifact_rule;
    set.nodes[2].what.properties = {{"b", std::to_string(metadata_->sequence())}};
    set.nodes[2].existing = context_rule;
    set.events = {{node_ref::put(0), node_ref::put(1), event_type::output}};
    set.links = {{link_kind::association, node_ref::put(2), node_ref::put(0)},
                 {link_kind::attribution, node_ref::put(2), node_ref::put(1)}};
    return write(set);
  };
  using enum on_existing;
  ASSERT_EQ(publish(refuse, refuse), errc::ok) << text_;
  auto first = get(context_kind, 1);
  EXPECT_EQ(publish(refuse, update), errc::already_exists);
  EXPECT_EQ(publish(keep, refuse), errc::already_exists);
  ASSERT_EQ(publish(keep, update), errc::ok) << text_;
  EXPECT_EQ(get(context_kind, 1), first) << "what is shared is left as it is";
  EXPECT_EQ(get(artifact_kind, 1).version, 2u);
  EXPECT_EQ(found("contexts_a.name = 'study'", execution_kind), "1 2");
  EXPECT_EQ(found("contexts_a.name = 'study'"), "1");
  EXPECT_EQ(metadata_->look().links(link_kind::attribution, true, 1)->size(), 1u);
}

TEST_F(Parity, TheSameArtifactTwiceInOneSetIsOne) {
  change_set set;
  set.nodes = {put_of(artifact_kind), put_of(artifact_kind), put_of(context_kind, "c")};
  for (size_t i : {0u, 1u}) {
    set.nodes[i].what.external_id = "e";
    set.nodes[i].what.uri = "u";
    set.nodes[i].existing = on_existing::update;
    set.links.push_back({link_kind::attribution, node_ref::put(2), node_ref::put(i)});
  }
  ASSERT_EQ(write(set), errc::ok) << text_;
  EXPECT_EQ(receipt_.ids, (std::vector<uint64_t>{1, 1, 1}));
  EXPECT_EQ(get(artifact_kind, 1).version, 1u);
  EXPECT_EQ(metadata_->look().links(link_kind::attribution, true, 1)->size(), 1u);
}

TEST_F(Parity, QuestionsWithinAContext) {
  ASSERT_EQ(put(put_of(context_kind, "it's \"this\"")), 1u);
  for (int i = 0; i < 5; ++i) {
    change_set set;
    set.nodes = {put_of(execution_kind), put_of(artifact_kind)};
    set.nodes[0].what.state = i % 2 == 0 ? node_state::complete : node_state::running;
    set.links = {{link_kind::association, node_ref::stored(1), node_ref::put(0)},
                 {link_kind::attribution, node_ref::stored(1), node_ref::put(1)}};
    ASSERT_EQ(write(set), errc::ok);
  }
  ASSERT_NE(put(put_of(execution_kind)), 0u);
  EXPECT_EQ(found("contexts_a.id = 1", execution_kind, true, 2), "5 4 | 3 2 | 1");
  EXPECT_EQ(found("contexts_a.id = 1", artifact_kind, true, 1), "5 | 4 | 3 | 2 | 1");
  EXPECT_EQ(found("contexts_a.id = 1 AND last_known_state = COMPLETE", execution_kind), "1 3 5");
  EXPECT_EQ(
    found("contexts_0.name = \"it's \\\"this\\\"\" AND contexts_0.type = 'T'", artifact_kind),
    "1 2 3 4 5");
  EXPECT_EQ(found("contexts_a.id = 99", execution_kind), "");
}

TEST_F(Parity, LayersOfMoreThanAHundredAreComplete) {
  change_set set;
  set.nodes.push_back(put_of(artifact_kind));
  for (size_t i = 0; i < 200; ++i) {
    set.nodes.push_back(put_of(execution_kind));
    set.events.push_back({node_ref::put(i + 1), node_ref::put(0), event_type::input});
  }
  set.nodes.push_back(put_of(artifact_kind));
  for (size_t i = 0; i < 200; ++i)
    set.events.push_back({node_ref::put(i + 1), node_ref::put(201), event_type::output});
  ASSERT_EQ(write(set), errc::ok);
  lineage_request wanted;
  wanted.from = {{artifact_kind, 1}};
  wanted.direction = lineage_direction::downstream;
  auto graph = lineage(metadata_->look(), wanted);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->nodes.size(), 202u);
  EXPECT_EQ(graph->events.size(), 400u);
  wanted.hops_max = 1;
  EXPECT_EQ(lineage(metadata_->look(), wanted)->nodes.size(), 201u);
}

} // namespace
} // namespace troupe::storage
