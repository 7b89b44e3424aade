#include "actors/jobs/tony_xml.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

namespace troupe {
namespace {

constexpr size_t text_max = 1 << 20;

std::string trimmed(std::string_view x) {
  constexpr std::string_view space = " \t\r\n\v\f";
  auto begin = x.find_first_not_of(space);
  if (begin == std::string_view::npos)
    return {};
  return std::string{x.substr(begin, x.find_last_not_of(space) - begin + 1)};
}

// One reading of one file. The first complaint stays.
class reader {
public:
  reader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  result<std::vector<tony_property>> read() {
    pugi::xml_document document;
    auto parsed = document.load_buffer(
      text_.data(), text_.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
    if (!parsed)
      return {errc::invalid, place(parsed.offset) + "this is not well-formed XML ("
                               + parsed.description() + "): correct it here"};
    for (auto node : document)
      if (node.type() == pugi::node_doctype)
        return {errc::invalid, place(node)
                                 + "a document type is not read, for its entities may "
                                   "stand for anything: remove the <!DOCTYPE>"};
    auto root = document.document_element();
    if (std::strcmp(root.name(), "configuration") != 0)
      return {errc::invalid, place(root) + "the outermost element is " + shown(root)
                               + ": write <configuration> as TonY's files do"};
    for (auto node : root)
      if (auto read = read_property(node); !read)
        return read.error();
    return std::move(out_);
  }

private:
  static std::string shown(const pugi::xml_node& node) {
    return std::string{'<'}.append(printable(node.name())).append(1, '>');
  }

  std::string place(std::ptrdiff_t offset) {
    auto upto = std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text_.size()));
    if (upto < counted_)
      line_ = 1 + std::count(text_.begin(), text_.begin() + upto, '\n');
    else // the usual case: each property is behind the last one
      line_ += std::count(text_.begin() + counted_, text_.begin() + upto, '\n');
    counted_ = upto;
    return file_ + ":" + std::to_string(line_) + ": ";
  }
  std::string place(const pugi::xml_node& node) { return place(node.offset_debug()); }

  result<void> read_property(const pugi::xml_node& node) {
    if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata)
      return {errc::invalid,
              place(node) + "there is text between the properties: put it into <!-- -->"};
    if (std::strcmp(node.name(), "property") != 0)
      return {errc::invalid, place(node) + shown(node)
                               + " is not a property: write <property> with <name> and <value>, "
                                 "and put what another file holds here"};
    tony_property out;
    out.where = place(node);
    // Hadoop 3 takes both from attributes as well.
    for (auto attribute : node.attributes()) {
      if (std::strcmp(attribute.name(), "name") == 0)
        out.name = trimmed(attribute.value());
      else if (std::strcmp(attribute.name(), "value") == 0)
        out.value = trimmed(attribute.value());
    }
    for (auto part : node)
      if (auto read = read_part(part, out); !read)
        return read;
    if (out.name.empty())
      return {errc::invalid, out.where + "a property has no name: add <name>KEY</name>"};
    if (!seen_.insert(out.name).second)
      return {errc::invalid,
              out.where + "the key \"" + out.name.substr(0, 128) + "\" comes twice: remove one"};
    out_.push_back(std::move(out));
    return {};
  }

  result<void> read_part(const pugi::xml_node& part, tony_property& out) {
    static constexpr std::array<std::string_view, 4> silent{"description", "final", "source",
                                                            "tag"};
    auto is = [&](std::string_view x) { return part.name() == x; };
    if (part.type() == pugi::node_element
        && std::find_if(silent.begin(), silent.end(), is) != silent.end())
      return {};
    if (!is("name") && !is("value"))
      return {errc::invalid, place(part)
                               + "a property holds more than <name>, <value>, <final>, <source> "
                                 "and <description>: remove the rest"};
    std::string text;
    for (auto piece : part) {
      if (piece.type() == pugi::node_element)
        return {errc::invalid, place(piece) + "there is " + shown(piece) + " inside <" + part.name()
                                 + ">: write a text, and &lt; for each '<' of it"};
      text += piece.value();
    }
    if (is("name"))
      out.name = trimmed(text);
    else
      out.value = trimmed(text);
    return {};
  }

  std::string_view text_;
  const std::string& file_;
  std::ptrdiff_t counted_ = 0; // bytes, whose lines `line_` holds
  std::ptrdiff_t line_ = 1;
  std::set<std::string> seen_;
  std::vector<tony_property> out_;
};

} // namespace

result<std::vector<tony_property>> read_tony_properties(std::string_view text,
                                                        const std::string& file) {
  if (text.size() > text_max)
    return {errc::invalid, file + ": the file is larger than 1 MiB: make it smaller"};
  if (text.find('\0') != std::string_view::npos)
    return {errc::invalid, file + ": the file has a zero byte: save it as UTF-8 text"};
  try {
    return reader{text, file}.read();
  } catch (const std::exception& x) {
    return {errc::invalid, file + ": the file cannot be read (" + x.what() + "): correct it"};
  }
}

} // namespace troupe
