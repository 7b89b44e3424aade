#include "actors/lineage/bundle_client.hpp"

#include "actors/lineage/bundle_messages.hpp"
#include "actors/lineage/desk_question.hpp"

#include <set>

namespace troupe {

namespace {

constexpr uint32_t page_bundles = 1000;

find_bundles_msg message_of(const storage::bundle_query& x) {
  find_bundles_msg out;
  out.context = x.context;
  out.name = x.name;
  out.processing_name = x.processing_name;
  out.tags = pairs_of(x.tags);
  out.removed = x.removed;
  out.limit = page_bundles;
  return out;
}

result<storage::kept_bundle> kept_of(const result<kept_bundle_msg>& x) {
  if (!x)
    return x.error();
  return troupe::kept_of(*x);
}

result<storage::kept_bundle> one_of(const result<bundles_found_msg>& x) {
  if (!x)
    return x.error();
  if (x->bundles.size() != 1)
    return {errc::internal, "the cluster answered with another number of bundles than one; update "
                            "the older side"};
  return troupe::kept_of(*x->bundles.front());
}

} // namespace

result<void> cluster_bundles::make_context(std::string_view name, std::string_view remote) {
  make_bundle_context_msg x;
  x.name = name;
  x.remote = remote;
  TROUPE_TRY(ask<done_msg>(desk_, x));
  return {};
}

result<storage::bundle_repository::named_contexts> cluster_bundles::contexts() const {
  auto got = ask<bundle_contexts_msg>(desk_, list_bundle_contexts_msg{});
  if (!got)
    return got.error();
  named_contexts out;
  for (const auto& each : got->contexts)
    out.emplace_back(each->name, each->value);
  return out;
}

result<storage::kept_bundle> cluster_bundles::add(std::string_view context,
                                                  const storage::bundle& what,
                                                  const storage::text_map& tags) {
  TROUPE_TRY(storage::check(what));
  auto record = record_of(what);
  if (!record)
    return record.error();
  add_bundle_msg x;
  x.context = context;
  x.record = std::move(*record);
  x.tags = pairs_of(tags);
  return kept_of(ask<kept_bundle_msg>(desk_, x));
}

result<storage::kept_bundle> cluster_bundles::get(std::string_view uuid) const {
  find_bundles_msg x;
  x.uuid = uuid;
  if (x.uuid.empty())
    return {errc::not_found, "there is no bundle without a uuid; list those that there are"};
  return one_of(ask<bundles_found_msg>(desk_, x));
}

result<storage::kept_bundle> cluster_bundles::latest(const storage::bundle_query& wanted) const {
  auto x = message_of(wanted);
  x.latest = true;
  return one_of(ask<bundles_found_msg>(desk_, x));
}

result<std::vector<storage::kept_bundle>>
cluster_bundles::find(const storage::bundle_query& wanted) const {
  std::vector<storage::kept_bundle> out;
  std::set<std::string> seen; // what is added meanwhile pushes others into the next page
  auto x = message_of(wanted);
  for (bool more = true; more;) {
    auto page = ask<bundles_found_msg>(desk_, x);
    if (!page)
      return page.error();
    for (const auto& each : page->bundles) {
      auto kept = troupe::kept_of(*each);
      if (!kept)
        return kept.error();
      if (seen.insert(kept->what.uuid).second)
        out.push_back(std::move(*kept));
    }
    x.after += static_cast<uint32_t>(page->bundles.size());
    more = page->more;
  }
  return out;
}

result<storage::kept_bundle> cluster_bundles::tag(std::string_view uuid,
                                                  const storage::text_map& tags) {
  tag_bundle_msg x;
  x.uuid = uuid;
  x.tags = pairs_of(tags);
  return kept_of(ask<kept_bundle_msg>(desk_, x));
}

result<void> cluster_bundles::freeze(std::string_view context, std::string_view alias,
                                     std::string_view uuid) {
  freeze_bundle_msg x;
  x.context = context;
  x.alias = alias;
  x.uuid = uuid;
  TROUPE_TRY(ask<done_msg>(desk_, x));
  return {};
}

result<std::string> cluster_bundles::frozen(std::string_view context,
                                            std::string_view alias) const {
  get_frozen_msg x;
  x.context = context;
  x.alias = alias;
  auto got = ask<frozen_bundle_msg>(desk_, x);
  if (!got)
    return got.error();
  return got->uuid;
}

result<void> cluster_bundles::remove(std::string_view uuid) {
  remove_bundle_msg x;
  x.uuid = uuid;
  TROUPE_TRY(ask<done_msg>(desk_, x));
  return {};
}

result<std::vector<storage::tree_id>> cluster_bundles::trees() const {
  auto all = contexts();
  if (!all)
    return all.error();
  std::vector<storage::tree_id> out;
  for (const auto& [context, remote] : *all) {
    // With those that were removed: a removal between two pages then moves nothing past us.
    auto some = find({context, {}, {}, {}, true});
    if (!some)
      return some.error();
    for (const auto& each : *some) {
      if (each.removed || each.what.tree.empty())
        continue;
      auto tree = storage::tree_id::parse(each.what.tree);
      if (!tree)
        return tree.error();
      out.push_back(*tree);
    }
  }
  return out;
}

} // namespace troupe
