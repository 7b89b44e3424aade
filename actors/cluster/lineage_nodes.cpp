#include "actors/cluster/lineage_nodes.hpp"

#include "actors/cluster/lineage_facts.hpp"
#include "storage/hash.hpp"
#include "storage/metadata/keys.hpp"

#include <filesystem>
#include <functional>

namespace troupe {

namespace {

namespace fs = std::filesystem;

constexpr size_t id_size = 32; // hexadecimal digits

uint64_t newest(const storage::metadata_view& known, const std::string& uri,
                const std::function<bool(const storage::node&)>& wanted) {
  auto prefix = storage::uri_index(uri);
  auto ids = known.indexed(prefix, prefix, {}, storage::no_limit, true);
  if (!ids)
    return 0;
  for (auto id : *ids)
    if (auto found = known.get(storage::node_kind::artifact, id);
        found && found->uri == uri && wanted(*found))
      return id;
  return 0;
}

} // namespace

std::string id_of(std::string_view kind, std::string_view key) {
  return storage::sha256(std::string(kind).append(1, '\0').append(key)).substr(0, id_size);
}

std::string job_key(uint64_t job) {
  return "job/" + std::to_string(job);
}

std::string attempt_key(uint64_t job, uint32_t attempt) {
  return job_key(job) + "/attempt/" + std::to_string(attempt);
}

std::string id_of_input(const storage::node& x) {
  return id_of("artifact", std::string(x.uri).append(1, '\0').append(x.hash));
}

std::string output_id(uint64_t job, uint32_t attempt, const storage::node& x) {
  return id_of(
    "artifact",
    attempt_key(job, attempt).append(1, '\0').append(x.uri).append(1, '\0').append(x.hash));
}

storage::node_put put_of(storage::node_kind kind, std::string_view type, std::string external_id) {
  storage::node_put out;
  out.existing = storage::on_existing::keep;
  out.type_name = type;
  out.what.kind = kind;
  out.what.external_id = std::move(external_id);
  return out;
}

std::string name_of_file(const std::string& path) {
  return storage::fitting(fs::path{path}.filename().string(), storage::metadata_limits::name_max);
}

std::string uri_of_file(const std::string& path) {
  return storage::fitting("file://" + path, storage::metadata_limits::uri_max);
}

uint64_t newest_of(const storage::metadata_view& known, const storage::node& x) {
  return newest(known, x.uri, [&](auto& found) { return found.hash == x.hash; });
}

uint64_t written_by(const storage::metadata_view& known, uint64_t job, uint32_t attempt,
                    const std::string& uri) {
  return newest(known, uri, [&](auto& found) {
    return text_property(found, "job") == std::to_string(job)
           && text_property(found, "attempt") == std::to_string(attempt);
  });
}

} // namespace troupe
