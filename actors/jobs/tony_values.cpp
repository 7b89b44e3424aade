#include "actors/jobs/tony_values.hpp"

#include "actors/jobs/quantities.hpp"
#include "actors/jobs/tony_xml.hpp"
#include "runtime/base/assert.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace troupe {
namespace {

constexpr size_t expanded_max = 1 << 20; // bytes of one value
constexpr size_t expanded_all = 4 << 20; // bytes of all values
constexpr int expansions_max = 20;       // of one value, as in Hadoop
constexpr size_t value_shown = 64;

std::string quoted(const std::string& x) {
  return std::string{'"'}.append(x, 0, value_shown).append(1, '"');
}

std::string shown_key(const std::string& key) {
  return key.substr(0, 128);
}

bool is_of_type(const tony_row& x) {
  return x.pattern.find("<t>") != std::string_view::npos || x.pattern == "tony.worker.timeout";
}

bool is_tony(const std::string& key) {
  return key.starts_with("tony.");
}

} // namespace

std::string lower_case(std::string x) {
  std::transform(x.begin(), x.end(), x.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return x;
}

tony_values::tony_values(std::string_view text, const job_file_options& options) {
  auto read = read_tony_properties(text, std::filesystem::path{options.path}.filename().string());
  if (!read) {
    failed_ = read.error();
    return;
  }
  for (auto& x : *read) {
    places_[x.name] = entries_.size();
    auto match = match_tony_key(x.name);
    entries_.push_back({x.name, std::move(x.value), x.where, std::move(match), false, {}});
  }
  for (auto& change : options.overrides)
    override_with(change);
  expand(options.parameters);
  for (auto& x : entries_)
    check_known(x);
}

void tony_values::expand(const std::map<std::string, std::string>& parameters) {
  std::vector<std::optional<std::string>> values;
  size_t bytes = 0;
  for (auto& x : entries_) {
    values.push_back(x.value ? std::optional{expanded(x, parameters)} : std::nullopt);
    bytes += x.value ? values.back()->size() : 0;
    if (bytes > expanded_all)
      fail(x.key, "the values stand for more than 4 MiB with their ${...}: write fewer");
    if (failed_)
      return;
  }
  for (size_t i = 0; i < entries_.size(); ++i)
    entries_[i].value = std::move(values[i]);
}

void tony_values::fail(const std::string& key, const std::string& text) {
  if (failed_)
    return;
  auto found = places_.find(key);
  failed_ = error{errc::invalid,
                  (found == places_.end() ? std::string{} : entries_[found->second].where) + text};
}

void tony_values::override_with(const std::string& change) {
  auto equals = change.find('=');
  auto key = change.substr(0, equals);
  if (equals == std::string::npos || key.empty()) {
    if (!failed_)
      failed_ = error{errc::invalid, "--set " + shown_key(change)
                                       + ": this is not KEY=VALUE: give, say, "
                                         "tony.worker.instances=4"};
    return;
  }
  auto [place, fresh] = places_.try_emplace(key, entries_.size());
  if (fresh)
    entries_.push_back({key, {}, {}, match_tony_key(key), false, {}});
  auto& x = entries_[place->second];
  x.value = change.substr(equals + 1);
  x.where = "--set ";
}

// As Hadoop does it: the first `${NAME}` that is known is replaced, then again what came of it.
std::string tony_values::expanded(const entry& x,
                                  const std::map<std::string, std::string>& parameters) {
  auto out = *x.value;
  size_t at = 0;
  for (int times = 0; times < expansions_max && out.size() <= expanded_max;) {
    at = out.find("${", at);
    if (at == std::string::npos)
      return out;
    auto end = out.find_first_of("$}", at + 2);
    if (end == std::string::npos)
      return out;
    auto name = out.substr(at + 2, end - at - 2);
    auto property = places_.find(name);
    auto parameter = parameters.find(name);
    const std::string* value = nullptr;
    if (property != places_.end() && entries_[property->second].value)
      value = &*entries_[property->second].value;
    else if (parameter != parameters.end())
      value = &parameter->second;
    if (out[end] != '}' || !value) {
      at = end + (out[end] == '}');
      continue;
    }
    out.replace(at, end + 1 - at, *value);
    ++times;
  }
  fail(x.key, shown_key(x.key)
                + " holds more than 20 ${...}, or stands for more than 1 MiB: write "
                  "some of them out");
  return {};
}

void tony_values::check_known(const entry& x) {
  if (!is_tony(x.key))
    return;
  auto* row = x.match.row;
  if (!row)
    return fail(x.key, "unknown key " + quoted(shown_key(x.key)) + ": did you mean \""
                         + nearest_tony_key(x.key) + "\"?");
  auto harmless = !x.value || x.value->empty() || lower_case(*x.value) == row->harmless;
  if (row->rule == tony_rule::refused && !harmless)
    fail(x.key, shown_key(x.key) + " is refused: " + std::string{row->why});
}

tony_values::entry* tony_values::find(const std::string& key) {
  auto found = places_.find(key);
  return found == places_.end() ? nullptr : &entries_[found->second];
}

const std::string* tony_values::text(const std::string& key) {
  auto* x = find(key);
  if (!x || !x->value)
    return nullptr;
  x->read = true;
  return &*x->value;
}

void tony_values::partly(const std::string& key, const std::string& why) {
  auto* x = find(key);
  if (!x)
    return;
  x->partly += (x->partly.empty() ? "" : ", ") + why;
}

std::vector<std::string> tony_values::list(const std::string& key,
                                           std::vector<std::string> otherwise) {
  auto* value = text(key);
  if (!value)
    return otherwise;
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= value->size();) {
    auto end = std::min(value->find(',', begin), value->size());
    auto first = value->find_first_not_of(" \t\r\n", begin);
    if (first < end) {
      auto last = value->find_last_not_of(" \t\r\n", end - 1);
      out.push_back(value->substr(first, last + 1 - first));
    }
    begin = end + 1;
  }
  return out;
}

bool tony_values::flag(const std::string& key, bool otherwise) {
  auto* value = text(key);
  if (!value)
    return otherwise;
  auto word = lower_case(*value);
  if (word != "true" && word != "false")
    fail(key, shown_key(key) + " is " + quoted(*value) + ": write true or false");
  return word == "true";
}

std::optional<int64_t> tony_values::number(const std::string& key, int64_t least, int64_t most) {
  auto* value = text(key);
  if (!value)
    return {};
  int64_t out = 0;
  auto* end = value->data() + value->size();
  auto [stop, code] = std::from_chars(value->data(), end, out);
  if (code != std::errc{} || stop != end || out < least || out > most) {
    fail(key, shown_key(key) + " is " + quoted(*value) + ": give a whole number from "
                + std::to_string(least) + " to " + std::to_string(most));
    return {};
  }
  return out;
}

std::optional<uint64_t> tony_values::size(const std::string& key) {
  auto* value = text(key);
  if (!value)
    return {};
  uint64_t out = 0;
  auto* end = value->data() + value->size();
  auto [stop, code] = std::from_chars(value->data(), end, out);
  auto unit = lower_case(std::string{stop, end});
  auto shift = unit == "g" || unit == "gb" ? 30 : 20;
  auto known = unit.empty() || unit == "m" || unit == "mb" || shift == 30;
  if (code != std::errc{} || !known || out == 0 || out >= uint64_t{1} << (50 - shift)) {
    fail(key, shown_key(key) + " is " + quoted(*value)
                + ": give a whole number with g or m, such as 2g or 512m");
    return {};
  }
  return out << shift;
}

std::optional<uint64_t> tony_values::milliseconds(const std::string& key) {
  auto value = number(key, -1, std::chrono::milliseconds{longest_time}.count());
  if (!value)
    return {};
  return static_cast<uint64_t>(std::max<int64_t>(*value, 0)) * 1'000'000;
}

std::vector<tony_key> tony_values::fates(const std::vector<std::string>& types) const {
  auto has = [&](const std::string& type) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  std::vector<tony_key> out;
  for (auto& x : entries_) {
    auto* row = x.match.row;
    tony_key key{x.key, false, {}};
    if (!row)
      key.why = "it is no key of TonY's, and Troupe hands no configuration to the tasks";
    else if (row->rule == tony_rule::without_effect)
      key.why = row->why;
    else if (!x.value)
      key.why = "it has no value";
    else if (row->rule == tony_rule::refused)
      key.honoured = true; // it asks for what Troupe does anyway
    else if (x.read)
      key = {x.key, true, x.partly};
    else if (x.key.starts_with("tony.application.group."))
      key.why = "no tony.application.dependency. names this group";
    else {
      auto type = x.match.names.empty() ? std::string{"worker"} : x.match.names[0];
      TROUPE_ASSERT(is_of_type(*row) && !has(type)); // else the reader forgot it
      key.why = "the job has no tasks of type " + type + ": set tony." + type + ".instances";
    }
    out.push_back(std::move(key));
  }
  return out;
}

} // namespace troupe
