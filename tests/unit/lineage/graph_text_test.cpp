#include "actors/lineage/graph_text.hpp"
#include "actors/lineage/graph_tree.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace troupe {
namespace {

using namespace storage;

class GraphText : public ::testing::Test {
protected:
  GraphText() {
    node_type data;
    data.id = 1;
    data.name = "Data";
    node_type train;
    train.id = 2;
    train.kind = node_kind::execution;
    train.name = "Train";
    types.load(data);
    types.load(train);
  }

  static node thing(uint64_t id) {
    node x;
    x.id = id;
    x.type = 1;
    x.version = 3;
    return x;
  }

  static node run(uint64_t id) {
    node x;
    x.kind = node_kind::execution;
    x.id = id;
    x.type = 2;
    return x;
  }

  type_catalog types;
};

TEST_F(GraphText, ANodeIsOneObject) {
  auto x = thing(7);
  x.name = "m";
  x.state = node_state::live;
  x.hash = std::string(64, 'a');
  x.properties = {{"n", int64_t{-3}}, {"r", 0.5}, {"yes", true}, {"t", std::string("a\"b")}};
  x.custom = {{"j", json_text{"{\"a\":[1]}"}},
              {"bad", json_text{"{"}},
              {"b", any_bytes{"url", std::string("\0\xff\x10z", 4)}}};
  auto out = as_json(x, types);
  EXPECT_EQ(out["kind"], "artifact");
  EXPECT_EQ(out["type"], "Data");
  EXPECT_EQ(out["sha256"], x.hash);
  EXPECT_EQ(out["state"], "LIVE");
  EXPECT_EQ(out["properties"],
            (nlohmann::json{{"n", -3}, {"r", 0.5}, {"yes", true}, {"t", "a\"b"}}));
  EXPECT_EQ(out["custom_properties"]["j"]["a"][0], 1);
  EXPECT_EQ(out["custom_properties"]["bad"], "{");
  EXPECT_EQ(out["custom_properties"]["b"],
            (nlohmann::json{{"type", "url"}, {"base64", "AP8Qeg=="}}));
  EXPECT_FALSE(out.contains("uri"));
  EXPECT_FALSE(as_json(run(1), types).contains("state"));
}

TEST_F(GraphText, AGraphIsItsNodesAndEvents) {
  lineage_graph graph;
  graph.nodes = {{0, thing(1)}, {1, run(1)}, {2, thing(2)}};
  graph.nodes[0].what.uri = "file:///data/train.csv";
  graph.nodes[1].what.state = node_state::failed;
  graph.nodes[2].what.properties = {{"name", std::string("model.bin")}};
  graph.events = {{1, 1, event_type::input, {"data", int64_t{0}}, 5, 1},
                  {1, 1, event_type::declared_input, {}, 5, 1},
                  {1, 2, event_type::output, {}, 6, 1},
                  {9, 2, event_type::input, {}, 6, 1}};
  auto text = as_json(graph, types);
  EXPECT_EQ(text["nodes"].size(), 3u);
  EXPECT_EQ(text["nodes"][1]["hops"], 1);
  EXPECT_EQ(text["events"][0]["type"], "INPUT");
  EXPECT_EQ(text["events"][0]["path"], (nlohmann::json{"data", 0}));
  EXPECT_EQ(text["truncated"], false);
  auto drawn = picture_of(graph, types);
  ASSERT_EQ(drawn.nodes.size(), 3u);
  EXPECT_EQ(drawn.nodes[0].lines, (std::vector<std::string>{"Data 1", "train.csv"}));
  EXPECT_EQ(drawn.nodes[1].lines, (std::vector<std::string>{"Train 1", "FAILED"}));
  EXPECT_EQ(drawn.nodes[2].lines, (std::vector<std::string>{"Data 2", "model.bin"}));
  EXPECT_TRUE(drawn.nodes[1].round);
  EXPECT_NE(drawn.nodes[0].colour, drawn.nodes[1].colour);
  ASSERT_EQ(drawn.edges.size(), 2u) << "one arrow for two events, none to what is not drawn";
  EXPECT_EQ(drawn.edges[0].from, 0u);
  EXPECT_EQ(drawn.edges[0].to, 1u);
  EXPECT_EQ(drawn.edges[0].text, "data");
  EXPECT_EQ(drawn.edges[1].from, 1u);
  EXPECT_EQ(drawn.edges[1].to, 2u);
}

// data 1 -> run 1 -> model 2 -> run 2, and data 1 -> run 2
lineage_graph chain(const std::function<node(uint64_t)>& thing,
                    const std::function<node(uint64_t)>& run) {
  lineage_graph out;
  out.nodes = {{0, thing(2)}, {1, run(1)}, {1, run(2)}, {2, thing(1)}};
  out.nodes[0].what.uri = "/m";
  out.nodes[3].what.uri = "/d";
  out.nodes[3].what.hash = std::string(64, 'c');
  out.events = {{1, 2, event_type::output, {}, 0, 1},
                {2, 2, event_type::input, {}, 0, 1},
                {1, 1, event_type::input, {}, 0, 1},
                {2, 1, event_type::input, {}, 0, 1}};
  return out;
}

TEST_F(GraphText, ATreeHasEachNodeOnceAndSaysHowItWasReached) {
  auto graph = chain(thing, run);
  EXPECT_EQ(as_tree(graph, types), "artifact 2 Data /m\n"
                                   "  made by execution 1 Train\n"
                                   "    from artifact 1 Data /d sha256 cccccccccccc\n"
                                   "  read by execution 2 Train\n");
  graph.truncated = true;
  EXPECT_NE(as_tree(graph, types).find("and more"), std::string::npos);
}

TEST_F(GraphText, ADifferenceIsWhatOnlyOneOfThemHas) {
  auto first = chain(thing, run);
  auto differs = [&](const auto& x) {
    auto found = difference(first, types, x, types);
    return std::pair(found.only_first, found.only_second);
  };
  using lines = std::vector<std::string>;
  EXPECT_EQ(differs(first), std::pair(lines(), lines()));
  auto second = chain(thing, run);
  for (auto& each : second.nodes)
    each.what.id += 10; // other numbers are no difference
  second.nodes[3].what.uri = "/elsewhere/d";
  second.nodes[1].what.properties = {{"job", int64_t{2}}};
  EXPECT_EQ(differs(second), std::pair(lines(), lines()));
  second.nodes[3].what.hash = std::string(64, 'd');
  second.nodes[1].what.custom = {{"rate", 0.5}};
  EXPECT_EQ(differs(second),
            std::pair(lines({"artifact Data d sha256 " + std::string(64, 'c'), "execution Train"}),
                      lines({"artifact Data d sha256 " + std::string(64, 'd'),
                             "execution Train {\"rate\":0.5}"})));
}

} // namespace
} // namespace troupe
