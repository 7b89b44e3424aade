#include "launcher/bundle_names.hpp"

#include "storage/metadata/node.hpp"
#include "storage/record.hpp"

#include <cstdlib>

namespace troupe::launcher {

using storage::kept_bundle;

result<std::string> context_of(const std::string& option) {
  const auto* set = std::getenv("TROUPE_CONTEXT");
  auto out = !option.empty() ? option : set != nullptr && *set != '\0' ? set : "default";
  TROUPE_TRY(storage::check_context_name(out));
  return out;
}

result<kept_bundle> bundle_named(const storage::bundle_repository& in, const std::string& context,
                                 const std::string& name, bool removed) {
  auto uuid = name;
  if (!storage::is_hex(name, 32)) {
    TROUPE_TRY(storage::check_name(name, "the name of a bundle"));
    auto frozen = in.frozen(context, name);
    if (!frozen && frozen.error().code != errc::not_found)
      return frozen.error();
    uuid = frozen ? *frozen : std::string();
  }
  auto x = uuid.empty() ? in.latest({context, name}) : in.get(uuid);
  if (x && x->removed && !removed)
    return {errc::not_found, "the bundle " + x->what.uuid
                               + " was removed; bring it back with: troupe bundle pull UUID"};
  if (!x && uuid.empty() && x.error().code == errc::not_found)
    return {errc::not_found, "there is no bundle or alias " + printable(name) + " in the context "
                               + context + "; see those there are with: troupe bundle ls"};
  return x;
}

result<std::vector<storage::bundle_source>> sources_of(const storage::bundle_repository& in,
                                                       const std::string& context,
                                                       const std::vector<std::string>& told) {
  std::vector<storage::bundle_source> out;
  for (const auto& each : told) {
    auto argument = each;
    auto x = bundle_named(in, context, each); // a name may have a ':'
    auto colon = each.rfind(':');
    if (!x && x.error().code == errc::not_found && colon != std::string::npos) {
      argument = each.substr(colon + 1);
      x = bundle_named(in, context, each.substr(0, colon));
    }
    if (!x)
      return x.error();
    if (storage::is_hex(argument, 32))
      argument = x->what.name;
    TROUPE_TRY(storage::check_name(argument, "the argument in --from " + printable(each)));
    out.push_back({argument, x->what.uuid, x->what.processing_name});
  }
  return out;
}

result<storage::text_map> pairs_told(const std::string& option,
                                     const std::vector<std::string>& told) {
  storage::text_map out;
  for (const auto& each : told) {
    auto equals = each.find('=');
    if (equals == std::string::npos || equals == 0)
      return {errc::invalid, option + " " + printable(each) + " is no K=V; write it so"};
    auto name = each.substr(0, equals);
    TROUPE_TRY(storage::check_name(name, "the name in " + option));
    if (!out.emplace(name, each.substr(equals + 1)).second)
      return {errc::invalid, option + " tells " + name + " twice; leave one out"};
  }
  return out;
}

} // namespace troupe::launcher
