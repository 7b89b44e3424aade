#include "launcher/hosts_file.hpp"

#include "actors/jobs/quantities.hpp"
#include "runtime/keys.hpp"

#include <charconv>
#include <map>
#include <set>
#include <sstream>

namespace troupe::launcher {

namespace {

constexpr auto form = "; write: [USER@]HOST [name=NAME] [cpus=N] [memory=SIZE] [accelerators=N] "
                      "[label=LABEL]... [address=ADDRESS] [task-user=NAME] [package-cache=SIZE]";

result<uint32_t> parse_count(const std::string& text) {
  uint32_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size() || value == 0)
    return {errc::invalid, "'" + text + "' is no number of 1 or more"};
  return value;
}

result<void> set_value(const std::string& key, const std::string& value, host_entry& out) {
  auto set_count = [&](auto& to) -> result<void> {
    auto count = parse_count(value);
    if (!count)
      return count.error();
    to = *count;
    return {};
  };
  if (key == "cpus")
    return set_count(out.capacity.cpus);
  if (key == "accelerators")
    return set_count(out.capacity.accelerators);
  if (key == "memory" || key == "package-cache") {
    auto size = parse_size(value);
    if (!size)
      return size.error();
    if (key == "memory")
      out.capacity.memory = *size;
    else
      out.capacity.package_cache = *size;
    return {};
  }
  if (key == "label") {
    out.capacity.labels.push_back(value);
    return {};
  }
  std::map<std::string, std::string*> texts{
    {"name", &out.name}, {"address", &out.address}, {"task-user", &out.capacity.task_user}};
  auto found = texts.find(key);
  if (found == texts.end())
    return {errc::invalid, "'" + key + "' is no option" + form};
  *found->second = value;
  return {};
}

// A target that began with a dash would be an option of ssh.
result<host_entry> parse_line(std::istringstream words) {
  host_entry out;
  words >> out.target;
  if (out.target.front() == '-' || out.target.find('=') != std::string::npos)
    return {errc::invalid, "'" + out.target + "' is no host" + form};
  for (std::string word; words >> word;) {
    auto equals = word.find('=');
    if (equals == std::string::npos || equals + 1 == word.size())
      return {errc::invalid, "'" + word + "' has no value" + form};
    TROUPE_TRY(set_value(word.substr(0, equals), word.substr(equals + 1), out));
  }
  if (out.name.empty())
    out.name = out.target.substr(out.target.rfind('@') + 1);
  if (!is_key_name(out.name))
    return {errc::invalid, "'" + out.name
                             + "' is no node name; give one, name=NAME, of 1 to 64 "
                               "letters, digits, '.', '_' and '-'"};
  return out;
}

} // namespace

result<std::vector<host_entry>> parse_hosts(const std::string& text) {
  std::vector<host_entry> hosts;
  std::set<std::string> names;
  std::istringstream lines{text};
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.resize(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    auto where = "line " + std::to_string(number) + ": ";
    auto host = parse_line(std::istringstream{line});
    if (!host)
      return {errc::invalid, where + host.error().text};
    if (!names.insert(host->name).second)
      return {errc::invalid, where + "another node has the name '" + host->name
                               + "'; give this one another, name=NAME"};
    hosts.push_back(std::move(*host));
  }
  if (hosts.empty())
    return {errc::invalid, std::string{"there is no host"} + form};
  return hosts;
}

} // namespace troupe::launcher
