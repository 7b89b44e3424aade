#include "launcher/bundle_text.hpp"

#include "launcher/progress.hpp"
#include "launcher/times.hpp"

#include <cstdio>

namespace troupe::launcher {

namespace {

std::string pairs_text(const storage::text_map& x) {
  std::string out;
  for (const auto& [name, value] : x)
    out.append(out.empty() ? "" : " ").append(name).append("=").append(value);
  return out;
}

// What others wrote goes to a terminal: a byte that is none of a text is shown as '?'.
std::string plain(std::string text) {
  for (auto& each : text)
    if (static_cast<unsigned char>(each) < 0x20 || each == 0x7f)
      each = '?';
  return text;
}

void print_line(const char* what, const std::string& text) {
  if (!text.empty())
    std::printf("  %-11s %s\n", what, plain(text).c_str());
}

// How long the work took; empty where that is not known.
std::string took_text(const storage::bundle& x) {
  if (x.started_ns == 0 || x.ended_ns < x.started_ns)
    return {};
  duration took{static_cast<int64_t>(x.ended_ns - x.started_ns)};
  if (took < std::chrono::seconds{10})
    return std::to_string(took / std::chrono::milliseconds{1}) + " ms";
  return text_of_time(took);
}

} // namespace

std::string text_of(const nlohmann::json& x) {
  return x.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json json_of(const storage::kept_bundle& x) {
  nlohmann::json out;
  out["uuid"] = x.what.uuid;
  out["name"] = x.what.name;
  out["context"] = x.context;
  out["processing_name"] = x.what.processing_name;
  out["owner"] = x.what.owner;
  out["created_ns"] = x.what.created_ns;
  out["started_ns"] = x.what.started_ns;
  out["ended_ns"] = x.what.ended_ns;
  out["code"] = x.what.code;
  out["tree"] = x.what.tree;
  out["removed"] = x.removed;
  out["tags"] = nlohmann::json::object();
  for (const auto& [name, value] : x.tags)
    out["tags"][name] = value;
  out["parameters"] = nlohmann::json::object();
  for (const auto& [name, value] : x.what.parameters)
    out["parameters"][name] = value;
  out["sources"] = nlohmann::json::array();
  for (const auto& each : x.what.sources)
    out["sources"].push_back({{"argument", each.argument},
                              {"uuid", each.uuid},
                              {"processing_name", each.processing_name}});
  auto content = nlohmann::json::parse(x.what.content, nullptr, false);
  out["content"] = content.is_discarded() ? nlohmann::json(x.what.content) : content;
  return out;
}

std::string kind_of(const storage::bundle& x) {
  auto content = nlohmann::json::parse(x.content, nullptr, false);
  if (!content.is_object())
    return "?";
  for (const auto* key : {"type", "kind"})
    if (auto found = content.find(key); found != content.end() && found->is_string())
      return plain(found->get<std::string>());
  return "?";
}

std::string size_text(uint64_t bytes) {
  constexpr uint64_t kib = 1 << 10, mib = 1 << 20;
  if (bytes < 10 * kib)
    return std::to_string(bytes) + " bytes";
  return bytes < 10 * mib ? std::to_string(bytes / kib) + " KiB"
                          : std::to_string(bytes / mib) + " MiB";
}

void print(const std::vector<storage::kept_bundle>& all) {
  if (all.empty())
    std::puts("no bundles");
  for (const auto& x : all)
    std::printf("%s  %s  %-20s %-9s %s%s\n", x.what.uuid.c_str(),
                text_of_wall(x.what.created_ns).c_str(), x.what.name.c_str(),
                kind_of(x.what).c_str(), x.removed ? "removed " : "",
                plain(pairs_text(x.tags)).c_str());
}

void print(const storage::bundle_repository::named_contexts& all) {
  if (all.empty())
    std::puts("no contexts");
  for (const auto& [name, remote] : all)
    std::printf("%-20s %s\n", name.c_str(), remote.empty() ? "-" : plain(remote).c_str());
}

void print(const storage::kept_bundle& x, const storage::tree* files) {
  std::printf("%s  %s\n", x.what.uuid.c_str(), x.what.name.c_str());
  print_line("context", x.context + (x.removed ? ", removed" : ""));
  print_line("made",
             text_of_wall(x.what.created_ns) + (x.what.owner.empty() ? "" : " by " + x.what.owner));
  print_line("took", took_text(x.what));
  print_line("code", x.what.code);
  print_line("processing", x.what.processing_name);
  print_line("parameters", pairs_text(x.what.parameters));
  print_line("tags", pairs_text(x.tags));
  for (const auto& each : x.what.sources)
    print_line("from", each.uuid + " as " + each.argument);
  print_line("content", x.what.content);
  if (files == nullptr)
    print_line("files", "not here; fetch them with: troupe bundle pull " + x.what.uuid);
  else
    for (const auto& each : files->items)
      print_line("file", each.path + (each.is_file() ? "  " + size_text(each.size) : ""));
}

} // namespace troupe::launcher
