#include "storage/metadata/layer.hpp"

namespace troupe::storage {

result<std::optional<std::string>> layer::get(std::string_view key) const {
  auto found = own_.find(key);
  if (found != own_.end())
    return found->second;
  return under_.get(key);
}

result<layer::values> layer::merged(std::string_view prefix) const {
  values all;
  TROUPE_TRY(under_.scan(prefix, {}, no_limit, [&](auto key, auto value) {
    all.emplace_hint(all.end(), key, value);
    return true;
  }));
  auto at = own_.lower_bound(prefix);
  for (; at != own_.end() && at->first.starts_with(prefix); ++at)
    all.insert_or_assign(at->first, at->second);
  std::erase_if(all, [](const auto& x) { return !x.second; });
  return all;
}

result<void> layer::scan(std::string_view prefix, std::string_view from, size_t limit,
                         const visitor& visit) const {
  auto all = merged(prefix);
  if (!all)
    return all.error();
  auto at = all->lower_bound(from);
  for (size_t n = 0; n < limit && at != all->end(); ++n, ++at)
    if (!visit(at->first, *at->second))
      break;
  return {};
}

result<void> layer::scan_back(std::string_view prefix, std::string_view below, size_t limit,
                              const visitor& visit) const {
  auto all = merged(prefix);
  if (!all)
    return all.error();
  auto end = end_of_scan(prefix, below);
  auto at = end.empty() ? all->end() : all->lower_bound(end);
  for (size_t n = 0; n < limit && at != all->begin(); ++n)
    if (--at; !visit(at->first, *at->second))
      break;
  return {};
}

} // namespace troupe::storage
