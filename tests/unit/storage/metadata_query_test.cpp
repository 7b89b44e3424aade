// Lists, filters and lineage of the metadata store.
#include "storage/metadata/lineage.hpp"
#include "storage/metadata/query.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

std::string ids_of(const std::vector<node>& all) {
  std::string out;
  for (const auto& x : all)
    out.append(out.empty() ? "" : " ").append(std::to_string(x.id));
  return out;
}

class Query : public metadata_test {
protected:
  Query() {
    model_ = type(artifact_kind, "Model",
                  {{"accuracy", value_kind::real},
                   {"epoch", value_kind::integer},
                   {"by", value_kind::text},
                   {"good", value_kind::boolean}});
    data_ = type(artifact_kind, "Data");
    train_ = type(execution_kind, "Train");
    study_ = type(context_kind, "Study");
  }

  // Artifacts 1 to 6, executions 1 and 2, contexts 1 and 2.
  void fill() {
    change_set set;
    for (int64_t i = 1; i <= 4; ++i) {
      auto x = make(artifact_kind, model_, "m" + std::string(1, static_cast<char>('0' + i)));
      x.what.properties = {{"accuracy", 0.1 * static_cast<double>(i)}, {"epoch", i - 3}};
      x.what.custom = {{"a b:c", i}};
      x.what.uri = "file:///m" + std::to_string(i);
      if (i != 2)
        x.what.state = i == 1 ? node_state::pending : node_state::live;
      set.nodes.push_back(x);
    }
    set.nodes[1].what.properties["by"] = std::string("o'neil");
    set.nodes[2].what.properties["good"] = true;
    set.nodes[3].what.external_id = "ext";
    set.nodes[3].what.hash = std::string(64, 'd');
    set.nodes.push_back(make(artifact_kind, data_, "m1"));
    set.nodes.push_back(make(artifact_kind, data_));
    auto first = make(execution_kind, train_, "first");
    first.what.state = node_state::complete;
    first.what.fingerprint = "fp";
    set.nodes.push_back(first);
    set.nodes.push_back(make(execution_kind, train_, "second"));
    set.nodes.push_back(make(context_kind, study_, "s1"));
    set.nodes.push_back(make(context_kind, study_, "s2"));
    set.events = {{node_ref::put(6), node_ref::put(4), event_type::input},
                  {node_ref::put(6), node_ref::put(0), event_type::output},
                  {node_ref::put(7), node_ref::put(0), event_type::input},
                  {node_ref::put(7), node_ref::put(1), event_type::output}};
    set.links = {{link_kind::attribution, node_ref::put(8), node_ref::put(0)},
                 {link_kind::attribution, node_ref::put(8), node_ref::put(4)},
                 {link_kind::attribution, node_ref::put(9), node_ref::put(0)},
                 {link_kind::association, node_ref::put(8), node_ref::put(6)},
                 {link_kind::parent, node_ref::put(9), node_ref::put(8)}};
    ASSERT_EQ(write(set), errc::ok) << text_;
  }

  std::string found(const std::string& filter, node_kind kind = artifact_kind,
                    uint64_t as_of = latest) {
    auto page = list_nodes(metadata_->look(as_of), {kind, filter});
    return page ? ids_of(page->nodes) : page.error().text;
  }

  std::string refused(const std::string& filter, node_kind kind = artifact_kind) {
    auto page = list_nodes(metadata_->look(), {kind, filter});
    if (page)
      return "understood";
    EXPECT_EQ(page.error().code, errc::invalid);
    return page.error().text;
  }

  std::string walked(lineage_request wanted) {
    auto graph = lineage(metadata_->look(), wanted);
    if (!graph)
      return std::string(name_of(graph.error().code));
    std::string out;
    for (const auto& x : graph->nodes)
      out.append(1, static_cast<char>(x.what.kind))
        .append(std::to_string(x.what.id))
        .append(":")
        .append(std::to_string(x.hops))
        .append(" ");
    return out.append("| ").append(std::to_string(graph->events.size()));
  }

  uint64_t model_ = 0;
  uint64_t data_ = 0;
  uint64_t train_ = 0;
  uint64_t study_ = 0;
};

TEST_F(Query, FiltersReadEveryAttribute) {
  fill();
  EXPECT_EQ(found(""), "1 2 3 4 5 6");
  EXPECT_EQ(found("id = 3"), "3");
  EXPECT_EQ(found("3 = id"), "3");
  EXPECT_EQ(found("id >= 5"), "5 6");
  EXPECT_EQ(found("type = 'Data'"), "5 6");
  EXPECT_EQ(found("type_id = " + std::to_string(data_)), "5 6");
  EXPECT_EQ(found("type = 'Nothing'"), "");
  EXPECT_EQ(found("type_id = 2.0 AND id < 5.5"), "5") << "a real number is compared";
  EXPECT_EQ(found("id = 3.0"), "3");
  EXPECT_EQ(found("name = 'm1'"), "1 5");
  EXPECT_EQ(found("name = 'm1' AND type = 'Model'"), "1");
  EXPECT_EQ(found("name IS NULL"), "6");
  EXPECT_EQ(found("name != 'm1'"), "2 3 4") << "a node without a name has no other one";
  EXPECT_EQ(found("uri = 'file:///m2'"), "2");
  EXPECT_EQ(found("uri LIKE '%m_'"), "1 2 3 4");
  EXPECT_EQ(found("uri like 'file:///m3'"), "3");
  EXPECT_EQ(found("uri NOT LIKE 'file%'"), "5 6");
  EXPECT_EQ(found("external_id = 'ext'"), "4");
  EXPECT_EQ(found("hash = '" + std::string(64, 'd') + "'"), "4");
  EXPECT_EQ(found("fingerprint = 'fp'", execution_kind), "1");
  EXPECT_EQ(found("state = LIVE"), "3 4");
  EXPECT_EQ(found("state != LIVE"), "1 2 5 6") << "no state is another one";
  EXPECT_EQ(found("NOT (state = LIVE)"), "1");
  EXPECT_EQ(found("state IN (LIVE, PENDING)"), "1 3 4");
  EXPECT_EQ(found("state NOT IN (LIVE)"), "1 2 5 6");
  EXPECT_EQ(found("state IS NULL"), "2 5 6");
  EXPECT_EQ(found("last_known_state = COMPLETE", execution_kind), "1");
  EXPECT_EQ(found("version = 1 AND id < 2"), "1");
  EXPECT_EQ(found("create_time_since_epoch >= 1000 AND id = 1"), "1");
  EXPECT_EQ(found("last_update_time_since_epoch < 1000"), "");
}

TEST_F(Query, FiltersReadProperties) {
  fill();
  EXPECT_EQ(found("properties.accuracy.double_value > 0.25"), "3 4");
  EXPECT_EQ(found("properties.accuracy > 0.25"), "3 4");
  EXPECT_EQ(found("0.25 > properties.accuracy.double_value"), "1 2");
  EXPECT_EQ(found("properties.accuracy.double_value = 0.4"), "4");
  EXPECT_EQ(found("properties.accuracy.double_value <= 1"), "1 2 3 4");
  EXPECT_EQ(found("properties.epoch.int_value < 0"), "1 2");
  EXPECT_EQ(found("properties.epoch.int_value >= -1"), "2 3 4");
  EXPECT_EQ(found("properties.epoch.int_value = 0"), "3");
  EXPECT_EQ(found("properties.epoch.double_value = 0"), "") << "it is of another kind";
  EXPECT_EQ(found("properties.by.string_value = \"o'neil\""), "2");
  EXPECT_EQ(found("properties.by = 'o\\'neil'"), "2");
  EXPECT_EQ(found("properties.good.bool_value"), "3");
  EXPECT_EQ(found("properties.good.bool_value = false"), "");
  EXPECT_EQ(found("custom_properties.`a b:c`.int_value IN (2, 4)"), "2 4");
  EXPECT_EQ(found("properties.nothing.int_value = 1"), "");
  EXPECT_EQ(found("NOT properties.by IN (1)"), "") << "other kinds are never compared";
  EXPECT_EQ(found("properties.by IS NULL AND type = 'Model'"), "1 3 4");
  EXPECT_EQ(found("properties.epoch * 2 + 1 = -1"), "2");
  EXPECT_EQ(found("id / 2 = 1.5"), "3");
  EXPECT_EQ(found("id / 0 = 1"), "");
  EXPECT_EQ(found("uri = 'properties.a.b'"), "") << "a text is no name";
}

TEST_F(Query, FiltersReadNeighbours) {
  fill();
  EXPECT_EQ(found("contexts_a.name = 's1'"), "1 5");
  EXPECT_EQ(found("contexts_a.name = 's1' AND contexts_b.name = 's2'"), "1");
  EXPECT_EQ(found("contexts_a.name = 's1' AND contexts_a.name = 's2'"), "") << "one is not two";
  EXPECT_EQ(found("contexts_a.name = 's1' OR contexts_b.name = 's2'"), "1 5");
  EXPECT_EQ(found("contexts_a.type = 'Study' AND name = 'm1'"), "1 5");
  EXPECT_EQ(found("contexts_a.id = 2 AND type = 'Model'"), "1");
  EXPECT_EQ(found("contexts_a.name = 's1'", execution_kind), "1");
  EXPECT_EQ(found("contexts_a.id IS NULL"), "2 3 4 6");
  EXPECT_EQ(found("events_x.type = OUTPUT"), "1 2");
  EXPECT_EQ(found("events_x.type = INPUT AND events_x.execution_id = 2"), "1");
  EXPECT_EQ(found("events_0.artifact_id = 1", execution_kind), "1 2");
  EXPECT_EQ(found("artifacts_a.name = 'm1' AND artifacts_a.type = 'Data'", context_kind), "1");
  EXPECT_EQ(found("executions_a.last_known_state = COMPLETE", context_kind), "1");
  EXPECT_EQ(found("parent_contexts_a.name = 's1'", context_kind), "2");
  EXPECT_EQ(found("child_contexts_a.name = 's2'", context_kind), "1");
}

TEST_F(Query, RefusesWhatIsNoFilter) {
  fill();
  for (const auto* bad : {"name == 'a'",
                          "name = ",
                          "name = 'a",
                          "(id = 1",
                          "id = 1)",
                          "id IN ()",
                          "id IN 1",
                          "type_id",
                          "'a'",
                          "state",
                          "id = 'a'",
                          "name = 1",
                          "state = 'LIVE'",
                          "state = 1",
                          "state = RUNNING",
                          "state < LIVE",
                          "state IN LIVE",
                          "nothing",
                          "contexts_a",
                          "contexts.id = 1",
                          "contexts_a.nothing = 1",
                          "properties",
                          "properties.a.b = 1",
                          "id.x = 1",
                          "0:b = 1",
                          "artifacts_a.id = 1",
                          "events_a.artifact_id = 1",
                          "last_known_state = RUNNING",
                          "id LIKE 'x'",
                          "name LIKE 1",
                          "NOT id",
                          "id AND id = 1",
                          "-name = 1",
                          "id = 99999999999999999999",
                          "id = 1 id",
                          "name IS 'x'",
                          "name NOT 'x'",
                          "id # 1"})
    EXPECT_NE(refused(bad), "understood") << bad;
  EXPECT_NE(refused("contexts_a.id = 1", context_kind), "understood");
  EXPECT_NE(refused("uri = 'x'", execution_kind), "understood");
  EXPECT_NE(refused("name = 'x' AND foo = 3").find("byte 15"), std::string::npos)
    << refused("name = 'x' AND foo = 3");
  EXPECT_NE(refused(std::string(200, '(') + "id = 1").find("nested deeper"), std::string::npos);
  EXPECT_NE(refused(std::string(20'000, ' ')).find("20000 bytes"), std::string::npos);
  std::string long_sum = "id = 1";
  for (int i = 0; i < 300; ++i)
    long_sum.append("+1");
  EXPECT_NE(refused(long_sum).find("operators"), std::string::npos);
  auto pattern = std::string("name LIKE '").append(2000, '%').append("'");
  EXPECT_NE(refused(pattern).find("1024 bytes"), std::string::npos);
}

TEST_F(Query, PagesGoOnWhereTheyEnded) {
  for (int i = 0; i < 25; ++i)
    ASSERT_NE(put(make(artifact_kind, i % 2 == 0 ? model_ : data_)), 0u);
  for (const auto* filter : {"", "type = 'Model'", "id >= 3 AND id < 20", "state IS NULL"})
    for (auto order : {list_order::id, list_order::created, list_order::updated})
      for (auto descending : {false, true}) {
        list_request wanted{artifact_kind, filter, order, descending, 1000, {}};
        auto all = list_nodes(metadata_->look(), wanted);
        ASSERT_TRUE(all);
        EXPECT_TRUE(all->next.empty());
        wanted.page_size = 3;
        std::vector<node> seen;
        do {
          auto page = list_nodes(metadata_->look(), wanted);
          ASSERT_TRUE(page) << page.error().text;
          EXPECT_LE(page->nodes.size(), 3u);
          EXPECT_FALSE(page->nodes.empty());
          seen.insert(seen.end(), page->nodes.begin(), page->nodes.end());
          wanted.page_token = page->next;
        } while (!wanted.page_token.empty());
        EXPECT_EQ(ids_of(seen), ids_of(all->nodes)) << filter;
        auto ids = ids_of(all->nodes);
        auto sorted = all->nodes;
        std::sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
          return descending ? a.id > b.id : a.id < b.id;
        });
        EXPECT_EQ(ids, ids_of(sorted));
      }
}

TEST_F(Query, ByUpdatesTheNewestChangeIsLast) {
  fill();
  node_put change;
  change.what.id = 2;
  change.mask = {"uri"};
  change.what.uri = "new";
  ASSERT_EQ(put(change), 2u);
  list_request wanted{artifact_kind, {}, list_order::updated, true, 2, {}};
  EXPECT_EQ(ids_of(list_nodes(metadata_->look(), wanted)->nodes), "2 6");
  wanted.filter = "type = 'Model'";
  EXPECT_EQ(ids_of(list_nodes(metadata_->look(), wanted)->nodes), "2 4");
}

TEST_F(Query, RefusesAPageThatIsNone) {
  fill();
  list_request wanted{artifact_kind, {}, list_order::id, false, 2, {}};
  auto token = list_nodes(metadata_->look(), wanted)->next;
  auto code = [&](list_request x) {
    auto page = list_nodes(metadata_->look(), x);
    return page ? errc::ok : page.error().code;
  };
  wanted.page_token = token;
  EXPECT_EQ(code(wanted), errc::ok);
  wanted.descending = true;
  EXPECT_EQ(code(wanted), errc::invalid);
  wanted.descending = false;
  wanted.filter = "id > 0";
  EXPECT_EQ(code(wanted), errc::invalid);
  for (const auto* bad : {"x", "00", "zz"}) {
    wanted.page_token = bad;
    EXPECT_EQ(code(wanted), errc::invalid);
  }
  wanted = {};
  wanted.page_size = 0;
  EXPECT_EQ(code(wanted), errc::invalid);
  wanted.page_size = page_max + 1;
  EXPECT_EQ(code(wanted), errc::invalid);
}

TEST_F(Query, ListsThePast) {
  fill();
  auto then = metadata_->sequence();
  node_put change;
  change.what.id = 1;
  change.mask = {"properties.accuracy", "state", "uri"};
  change.what.properties = {{"accuracy", 0.9}};
  change.what.uri = "moved";
  ASSERT_EQ(put(change), 1u);
  ASSERT_EQ(put(make(artifact_kind, data_)), 7u);
  EXPECT_EQ(found("properties.accuracy.double_value = 0.1"), "");
  EXPECT_EQ(found("properties.accuracy.double_value = 0.1", artifact_kind, then), "1");
  EXPECT_EQ(found("uri = 'moved'", artifact_kind, then), "");
  EXPECT_EQ(found("type = 'Data'", artifact_kind, then), "5 6");
  EXPECT_EQ(found("", artifact_kind, then), "1 2 3 4 5 6");
}

// d5 -> x1 -> m1 -> x2 -> m2
TEST_F(Query, LineageGoesHopByHop) {
  fill();
  using enum lineage_direction;
  auto from = [](node_kind kind, uint64_t id, lineage_direction way, uint32_t hops = 100) {
    lineage_request out;
    out.from = {{kind, id}};
    out.direction = way;
    out.hops_max = hops;
    return out;
  };
  EXPECT_EQ(walked(from(artifact_kind, 1, both, 0)), "A1:0 | 0");
  EXPECT_EQ(walked(from(artifact_kind, 1, both, 1)), "A1:0 X2:1 X1:1 | 2");
  EXPECT_EQ(walked(from(artifact_kind, 1, both)), "A1:0 X2:1 X1:1 A2:2 A5:2 | 4");
  EXPECT_EQ(walked(from(artifact_kind, 1, upstream)), "A1:0 X1:1 A5:2 | 2");
  EXPECT_EQ(walked(from(artifact_kind, 1, downstream)), "A1:0 X2:1 A2:2 | 2");
  EXPECT_EQ(walked(from(execution_kind, 2, upstream)), "X2:0 A1:1 X1:2 A5:3 | 3");
  EXPECT_EQ(walked(from(execution_kind, 2, downstream, 5)), "X2:0 A2:1 | 1");
  EXPECT_EQ(walked(from(artifact_kind, 6, both)), "A6:0 | 0");
  EXPECT_EQ(walked(from(artifact_kind, 99, both)), "not found");
  EXPECT_EQ(walked(from(context_kind, 1, both)), "invalid");
  EXPECT_EQ(walked({}), "invalid");
}

TEST_F(Query, LineageBeginsAndEndsAtFilters) {
  fill();
  lineage_request wanted;
  wanted.artifacts = "type = 'Data' AND name IS NOT NULL";
  EXPECT_EQ(walked(wanted), "A5:0 X1:1 A1:2 X2:3 A2:4 | 4");
  wanted.ending_artifacts = "name = 'm1' AND type = 'Model'";
  EXPECT_EQ(walked(wanted), "A5:0 X1:1 A1:2 | 2");
  wanted.with_ends = false;
  EXPECT_EQ(walked(wanted), "A5:0 X1:1 | 1");
  wanted.ending_artifacts = "name IS NOT NULL";
  EXPECT_EQ(walked(wanted), "| 0") << "a start that is an end";
  wanted.with_ends = true;
  EXPECT_EQ(walked(wanted), "A5:0 | 0");
  wanted = {};
  wanted.executions = "name = 'first'";
  wanted.ending_executions = "name = 'second'";
  EXPECT_EQ(walked(wanted), "X1:0 A5:1 A1:1 X2:2 | 3");
  wanted.executions = "name = 'nobody'";
  EXPECT_EQ(walked(wanted), "not found");
  wanted.executions = "bad bad";
  EXPECT_EQ(walked(wanted), "invalid");
}

TEST_F(Query, LineageIsBoundedAndSaysSo) {
  fill();
  lineage_request wanted;
  wanted.from = {{artifact_kind, 1}};
  wanted.nodes_max = 3;
  auto graph = lineage(metadata_->look(), wanted);
  ASSERT_TRUE(graph);
  EXPECT_TRUE(graph->truncated);
  EXPECT_EQ(graph->nodes.size(), 3u);
  EXPECT_EQ(graph->events.size(), 2u) << "no event leads out of the answer";
  wanted.nodes_max = 5;
  wanted.with_contexts = true;
  graph = lineage(metadata_->look(), wanted);
  ASSERT_TRUE(graph);
  EXPECT_FALSE(graph->truncated);
  EXPECT_EQ(graph->contexts.size(), 2u);
  EXPECT_EQ(graph->links.size(), 4u);
}

TEST_F(Query, LineageOfThePastHasNoLaterEvents) {
  fill();
  auto then = metadata_->sequence();
  change_set set;
  set.nodes = {make(execution_kind, train_, "third")};
  set.events = {{node_ref::put(0), node_ref::stored(2), event_type::input}};
  ASSERT_EQ(write(set), errc::ok);
  lineage_request wanted;
  wanted.from = {{artifact_kind, 2}};
  wanted.direction = lineage_direction::downstream;
  EXPECT_EQ(walked(wanted), "A2:0 X3:1 | 1");
  auto old = lineage(metadata_->look(then), wanted);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->nodes.size(), 1u);
}

} // namespace
} // namespace troupe::storage
