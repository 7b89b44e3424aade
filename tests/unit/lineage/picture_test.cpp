#include "actors/lineage/picture.hpp"
#include "runtime/base/random.hpp"

#include <gtest/gtest.h>
#include <pugixml.hpp>

#include <iterator>
#include <sstream>

namespace troupe {
namespace {

struct box {
  double x, y, width, height;
};

struct drawn {
  std::vector<box> boxes;
  std::vector<std::pair<std::pair<double, double>, std::pair<double, double>>> arrows; // ends
  std::vector<std::string> texts;
};

drawn read(const std::string& svg) {
  pugi::xml_document document;
  auto good = document.load_string(svg.c_str());
  EXPECT_TRUE(good) << good.description();
  drawn out;
  auto root = document.child("svg");
  auto width = root.attribute("width").as_double();
  auto height = root.attribute("height").as_double();
  for (auto each : root.children("rect")) {
    box x{each.attribute("x").as_double(), each.attribute("y").as_double(),
          each.attribute("width").as_double(), each.attribute("height").as_double()};
    EXPECT_GE(x.x, 0);
    EXPECT_GE(x.y, 0);
    EXPECT_LE(x.x + x.width, width);
    EXPECT_LE(x.y + x.height, height);
    out.boxes.push_back(x);
  }
  for (auto each : root.children("path")) {
    std::string path = each.attribute("d").value();
    for (auto& c : path)
      c = c == 'M' || c == 'C' || c == 'L' ? ' ' : c;
    std::istringstream in(path);
    std::vector<double> numbers{std::istream_iterator<double>(in), {}};
    EXPECT_GE(numbers.size(), 4u);
    auto n = numbers.size();
    out.arrows.push_back({{numbers[0], numbers[1]}, {numbers[n - 2], numbers[n - 1]}});
  }
  for (auto each : root.children("text"))
    out.texts.emplace_back(each.child_value());
  return out;
}

bool overlap(const box& a, const box& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// data -> train -> model -> push, and data -> push
picture chain() {
  return {{{{"data", "mnist"}, false, ""},
           {{"train"}, true, "#ddeeff"},
           {{"model"}, false, ""},
           {{"push"}, true, ""}},
          {{0, 1, "input"}, {1, 2, ""}, {2, 3, ""}, {0, 3, ""}}};
}

TEST(Picture, IsMadeFromLeftToRight) {
  const auto wanted = chain();
  auto x = read(as_svg(wanted));
  ASSERT_EQ(x.boxes.size(), 4u);
  for (size_t i = 1; i < 4; ++i)
    EXPECT_GT(x.boxes[i].x, x.boxes[i - 1].x + x.boxes[i - 1].width);
  ASSERT_EQ(x.arrows.size(), 4u);
  for (size_t e = 0; e < 4; ++e) {
    const auto& edge = wanted.edges[e];
    EXPECT_NEAR(x.arrows[e].first.first, x.boxes[edge.from].x + x.boxes[edge.from].width, 0.2);
    EXPECT_NEAR(x.arrows[e].second.first, x.boxes[edge.to].x, 0.2);
  }
}

TEST(Picture, AnyTextIsOnlyText) {
  picture x{{{{"<script>&\"'", "\xc3\xa9t\xc3\xa9 \\n"}, false, "\"/><evil"}}, {}};
  auto svg = read(as_svg(x));
  EXPECT_EQ(svg.texts, x.nodes[0].lines);
  EXPECT_EQ(svg.boxes.size(), 1u);
  EXPECT_EQ(as_dot(x), "digraph lineage {\n  rankdir=LR;\n  n0 [label=\"<script>&\\\"'\\n"
                       "\xc3\xa9t\xc3\xa9 \\\\n\", shape=box, style=filled, "
                       "fillcolor=\"\\\"/><evil\"];\n}\n");
}

TEST(Picture, AsDotNamesNodesAndEdges) {
  auto dot = as_dot(chain());
  EXPECT_NE(dot.find("n0 [label=\"data\\nmnist\", shape=box];"), std::string::npos) << dot;
  EXPECT_NE(dot.find("n1 [label=\"train\", shape=ellipse, style=filled, fillcolor=\"#ddeeff\"];"),
            std::string::npos);
  EXPECT_NE(dot.find("n0 -> n1 [label=\"input\"];"), std::string::npos);
  EXPECT_NE(dot.find("n0 -> n3;"), std::string::npos);
}

TEST(Picture, OfNothingIsEmpty) {
  EXPECT_TRUE(read(as_svg({})).boxes.empty());
  EXPECT_EQ(as_dot({}), "digraph lineage {\n  rankdir=LR;\n}\n");
}

// Whatever the graph is: no two boxes overlap, and each box is right of what it was made of.
TEST(Picture, BoxesNeverOverlap) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    random_source chance(seed);
    picture x;
    auto n = 1 + chance.below(30);
    for (uint64_t i = 0; i < n; ++i) {
      x.nodes.push_back({{std::string(1 + chance.below(20), 'x')}, chance.chance(0.5), ""});
      for (auto k = chance.below(4); k > 0 && i > 0; --k)
        x.edges.push_back({chance.below(i), i, ""});
    }
    auto all = read(as_svg(x));
    ASSERT_EQ(all.boxes.size(), n);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = i + 1; k < n; ++k)
        EXPECT_FALSE(overlap(all.boxes[i], all.boxes[k])) << "seed " << seed;
    for (const auto& each : x.edges)
      EXPECT_GT(all.boxes[each.to].x, all.boxes[each.from].x + all.boxes[each.from].width);
  }
}

} // namespace
} // namespace troupe
