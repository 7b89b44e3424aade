#include "actors/lineage/picture.hpp"

#include "actors/lineage/layers.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe {

namespace {

constexpr double line_height = 16; // pixels
constexpr double letter_width = 7;
constexpr double padding = 8;
constexpr double row_gap = 18;
constexpr double column_gap = 60;

std::string escaped(std::string_view x, std::string_view special,
                    const std::vector<std::string_view>& replaced) {
  std::string out;
  for (char c : x) {
    auto at = special.find(c);
    if (at == std::string_view::npos)
      out += c;
    else
      out += replaced[at];
  }
  return out;
}

std::string for_xml(std::string_view x) {
  return escaped(x, "&<>\"'", {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"});
}

std::string for_dot(std::string_view x) {
  return escaped(x, "\"\\\n", {"\\\"", "\\\\", "\\n"});
}

// Of UTF-8: every byte but those that go on with a letter.
double letters_of(std::string_view x) {
  return static_cast<double>(
    std::count_if(x.begin(), x.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

struct box {
  double x = 0; // of its upper left corner
  double y = 0;
  double width = 0;
  double height = 0;
};

std::string text_of(double x) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f", x);
  return out;
}

// ` name="value"`.
std::string attribute(std::string_view name, std::string_view value) {
  return std::string(" ").append(name).append("=\"").append(for_xml(value)).append("\"");
}

std::string attribute(std::string_view name, double value) {
  return attribute(name, text_of(value));
}

class drawing {
public:
  explicit drawing(const picture& what) : what_(what), layers_(layers_of(what)) { place_columns(); }

  std::string svg() const {
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\"";
    out.append(attribute("width", width_)).append(attribute("height", height_));
    out.append(" font-family=\"sans-serif\" font-size=\"12\">\n"
               "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
               "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
               "<path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n");
    for (const auto& way : layers_.ways)
      out.append(arrow(way));
    for (size_t i = 0; i < what_.nodes.size(); ++i)
      out.append(drawn(what_.nodes[i], boxes_[i]));
    return out.append("</svg>\n");
  }

private:
  void size_boxes() {
    boxes_.resize(layers_.count);
    for (size_t i = 0; i < what_.nodes.size(); ++i) {
      double longest = 1;
      for (const auto& line : what_.nodes[i].lines)
        longest = std::max(longest, letters_of(line));
      boxes_[i].width = longest * letter_width + 2 * padding;
      boxes_[i].height
        = static_cast<double>(what_.nodes[i].lines.size()) * line_height + 2 * padding;
    }
    for (size_t i = what_.nodes.size(); i < layers_.count; ++i)
      boxes_[i].height = 2; // an arrow that passes
  }

  void place_columns() {
    size_boxes();
    std::vector<double> heights;
    for (const auto& layer : layers_.order) {
      double height = row_gap;
      for (auto i : layer)
        height += boxes_[i].height + row_gap;
      heights.push_back(height);
      height_ = std::max(height_, height);
    }
    double x = row_gap;
    for (size_t column = 0; column < layers_.order.size(); ++column) {
      double widest = 0;
      for (auto i : layers_.order[column])
        widest = std::max(widest, boxes_[i].width);
      auto y = (height_ - heights[column]) / 2 + row_gap;
      for (auto i : layers_.order[column]) {
        if (i >= what_.nodes.size())
          boxes_[i].width = widest; // it passes the whole column
        boxes_[i].x = x + (widest - boxes_[i].width) / 2;
        boxes_[i].y = y;
        y += boxes_[i].height + row_gap;
      }
      x += widest + column_gap;
    }
    width_ = std::max(x - column_gap + row_gap, row_gap);
  }

  // Through the middle of every place that it passes.
  std::string arrow(const layered::way& way) const {
    std::string path;
    auto point = [&](char letter, double x, size_t middle_of) {
      path.append(1, letter).append(text_of(x)).append(" ");
      path.append(text_of(boxes_[middle_of].y + boxes_[middle_of].height / 2));
    };
    auto right = [&](size_t i) { return boxes_[i].x + boxes_[i].width; };
    point('M', right(way.through.front()), way.through.front());
    for (size_t k = 1; k < way.through.size(); ++k) {
      auto from = way.through[k - 1];
      auto to = way.through[k];
      auto half = (right(from) + boxes_[to].x) / 2;
      point('C', half, from);
      point(' ', half, to);
      point(' ', boxes_[to].x, to);
      if (k + 1 < way.through.size())
        point('L', right(to), to);
    }
    std::string out = "<path fill=\"none\" stroke=\"#555\" marker-end=\"url(#tip)\"";
    out.append(attribute("d", path)).append(">");
    if (const auto& text = what_.edges[way.edge].text; !text.empty())
      out.append("<title>").append(for_xml(text)).append("</title>");
    return out.append("</path>\n");
  }

  static std::string drawn(const picture_node& x, const box& at) {
    std::string out = "<rect stroke=\"#333\"";
    out.append(attribute("x", at.x)).append(attribute("y", at.y));
    out.append(attribute("width", at.width)).append(attribute("height", at.height));
    out.append(attribute("rx", x.round ? "14" : "2"));
    out.append(attribute("fill", x.colour.empty() ? "#ffffff" : x.colour)).append("/>\n");
    for (size_t k = 0; k < x.lines.size(); ++k) {
      out.append("<text text-anchor=\"middle\"").append(attribute("x", at.x + at.width / 2));
      out.append(attribute("y", at.y + padding + line_height * (static_cast<double>(k) + 0.75)));
      out.append(k == 0 ? " font-weight=\"bold\">" : ">");
      out.append(for_xml(x.lines[k])).append("</text>\n");
    }
    return out;
  }

  const picture& what_;
  layered layers_;
  std::vector<box> boxes_;
  double width_ = 0;
  double height_ = 0;
};

} // namespace

std::string as_dot(const picture& x) {
  std::string out = "digraph lineage {\n  rankdir=LR;\n";
  for (size_t i = 0; i < x.nodes.size(); ++i) {
    std::string label;
    for (const auto& line : x.nodes[i].lines)
      label.append(label.empty() ? "" : "\\n").append(for_dot(line));
    out.append("  n").append(std::to_string(i)).append(" [label=\"").append(label);
    out.append("\", shape=").append(x.nodes[i].round ? "ellipse" : "box");
    if (!x.nodes[i].colour.empty())
      out.append(", style=filled, fillcolor=\"").append(for_dot(x.nodes[i].colour)).append("\"");
    out.append("];\n");
  }
  for (const auto& each : x.edges) {
    out.append("  n").append(std::to_string(each.from)).append(" -> n");
    out.append(std::to_string(each.to));
    if (!each.text.empty())
      out.append(" [label=\"").append(for_dot(each.text)).append("\"]");
    out.append(";\n");
  }
  return out.append("}\n");
}

std::string as_svg(const picture& x) {
  return drawing(x).svg();
}

} // namespace troupe
