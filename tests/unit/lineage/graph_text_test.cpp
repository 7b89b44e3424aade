#include "actors/lineage/graph_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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

} // namespace
} // namespace troupe
