#include "actors/lineage/bundle_messages.hpp"

namespace troupe {

text_pairs pairs_of(const storage::text_map& x) {
  text_pairs out;
  for (const auto& [name, value] : x) {
    auto& each = *out.emplace_back(std::make_unique<text_pair_msg>());
    each.name = name;
    each.value = value;
  }
  return out;
}

storage::text_map texts_of(const text_pairs& x) {
  storage::text_map out;
  for (const auto& each : x)
    out.insert_or_assign(each->name, each->value);
  return out;
}

std::string_view view_of(const std::vector<uint8_t>& x) {
  return {reinterpret_cast<const char*>(x.data()), x.size()};
}

std::vector<uint8_t> bytes_of(std::string_view x) {
  return {x.begin(), x.end()};
}

result<std::vector<uint8_t>> record_of(const storage::bundle& x) {
  auto bytes = storage::encode(x);
  if (bytes.size() > bundle_record_max)
    return {errc::invalid, "the record of the bundle " + x.name + " has "
                             + std::to_string(bytes.size()) + " bytes, of which a message takes "
                             + std::to_string(bundle_record_max)
                             + "; put large parameters into a file of it"};
  return bytes_of(bytes);
}

result<kept_bundle_msg> message_of(const storage::kept_bundle& x) {
  auto record = record_of(x.what);
  if (!record)
    return record.error();
  kept_bundle_msg out;
  out.record = std::move(*record);
  out.context = x.context;
  out.tags = pairs_of(x.tags);
  out.removed = x.removed;
  out.version = x.version;
  out.artifact = x.artifact;
  return out;
}

result<storage::kept_bundle> kept_of(const kept_bundle_msg& x) {
  auto what = storage::read_bundle(view_of(x.record));
  if (!what)
    return what.error();
  storage::kept_bundle out;
  out.what = std::move(*what);
  out.context = x.context;
  out.tags = texts_of(x.tags);
  out.removed = x.removed;
  out.version = x.version;
  out.artifact = x.artifact;
  return out;
}

} // namespace troupe
