#include "actors/jobs/yaml_reader.hpp"

#include "actors/jobs/spelling.hpp"

#include <charconv>

namespace troupe {
namespace {

constexpr size_t text_shown = 64; // of a key, for its nearest one

std::string mend_for(const std::string& key, const std::vector<std::string_view>& allowed) {
  auto nearest = std::min_element(allowed.begin(), allowed.end(), [&](auto a, auto b) {
    return edit_distance(key.substr(0, text_shown), a)
           < edit_distance(key.substr(0, text_shown), b);
  });
  if (edit_distance(key.substr(0, text_shown), *nearest) <= 3)
    return "did you mean \"" + std::string{*nearest} + "\"?";
  std::string out = "the keys here are";
  for (auto x : allowed)
    out += (x == allowed.front() ? " " : ", ") + std::string{x};
  return out;
}

} // namespace

std::string yaml_reader::check_key(const YAML::Node& key, const std::string& path,
                                   const keys& allowed, std::set<std::string>& seen) {
  if (!key.IsScalar()) {
    fail(path, key, "a key of " + name_of(path) + " is not a text: write one");
    return {};
  }
  const auto& name = key.Scalar();
  auto shown = name.substr(0, text_shown);
  auto below = path.empty() ? shown : path + "." + shown;
  if (!seen.insert(name).second)
    fail(below, key, "key \"" + below + "\" comes twice: remove one");
  else if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), name) == allowed.end())
    fail(below, key, "unknown key \"" + below + "\": " + mend_for(name, allowed));
  return below;
}

void yaml_reader::fail(const std::string& path, const YAML::Node& at, const std::string& text) {
  if (failed_)
    return;
  auto forced = std::any_of(forced_.begin(), forced_.end(), [&](const std::string& x) {
    return path == x || path.starts_with(x + ".");
  });
  auto where
    = forced ? "--set " + path : file_ + ":" + std::to_string(std::max(at.Mark().line, 0) + 1);
  failed_ = error{errc::invalid, where + ": " + text};
}

void yaml_reader::override_with(YAML::Node& root, const std::string& change) {
  auto equals = change.find('=');
  auto path = change.substr(0, equals);
  if (equals == std::string::npos || path.empty()) {
    if (!failed_)
      failed_ = error{errc::invalid, "--set " + change
                                       + ": this is not KEY=VALUE: give, say, "
                                         "tasks.worker.instances=4"};
    return;
  }
  YAML::Node at{root};
  for (size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('.', begin), path.size());
    if (at.IsDefined() && !at.IsMap() && !at.IsNull()) {
      failed_ = error{errc::invalid, "--set " + change + ": " + path.substr(0, begin)
                                       + " holds no keys: give the path of a value"};
      return;
    }
    at.reset(at[path.substr(begin, end - begin)]);
    begin = end + 1;
  }
  at = YAML::Load(change.substr(equals + 1));
  forced_.insert(path);
}

std::string yaml_reader::text(const YAML::Node& x, const std::string& path) {
  if (!x.IsScalar()) {
    fail(path, x, path + " is not a text: write one value");
    return {};
  }
  return substitute(x.Scalar());
}

uint32_t yaml_reader::number(const YAML::Node& x, const std::string& path, uint32_t least) {
  uint32_t out = 0;
  auto value = text(x, path);
  auto* end = value.data() + value.size();
  auto [stop, code] = std::from_chars(value.data(), end, out);
  auto range = "give a whole number of at least " + std::to_string(least);
  if (value.starts_with('-'))
    fail(path, x, path + " is negative (" + value.substr(0, 40) + "): " + range);
  else if (code != std::errc{} || stop != end || value.empty())
    fail(path, x, path + " is \"" + value.substr(0, 40) + "\", not a whole number: " + range);
  else if (out < least)
    fail(path, x, path + " is " + value + ": " + range);
  return out;
}

std::vector<std::string> yaml_reader::texts(const YAML::Node& x, const std::string& path) {
  std::vector<std::string> out;
  if (!x.IsSequence()) {
    fail(path, x, path + " is not a list: write [first, second]");
    return out;
  }
  for (auto item : x)
    out.push_back(text(item, path));
  return out;
}

std::string yaml_reader::substitute(const std::string& x) const {
  std::string out;
  for (size_t at = 0; at < x.size();) {
    // A name has no '$', so that each byte is looked at only twice.
    auto end = x.compare(at, 2, "${") == 0 ? x.find_first_of("$}", at + 2) : std::string::npos;
    if (end != std::string::npos && x[end] == '}') {
      auto found = parameters_.find(x.substr(at + 2, end - at - 2));
      if (found != parameters_.end()) {
        out += found->second;
        at = end + 1;
        continue;
      }
    }
    out += x[at++];
  }
  return out;
}

size_t yaml_reader::choice(const YAML::Node& x, const std::string& path, const keys& allowed) {
  auto value = text(x, path);
  auto found = std::find(allowed.begin(), allowed.end(), value);
  if (found != allowed.end())
    return static_cast<size_t>(found - allowed.begin());
  std::string words;
  for (auto& each : allowed)
    words.append(words.empty() ? "" : " or ").append(each);
  fail(path, x, path + " is \"" + value.substr(0, text_shown) + "\": write " + words);
  return 0;
}

} // namespace troupe
