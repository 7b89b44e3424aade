#include "storage/bundles/bundle_store.hpp"

#include "storage/metadata/filter.hpp"
#include "storage/metadata/query.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr const char* bundle_type = "bundle";
constexpr const char* work_type = "bundle work";
constexpr const char* context_type = "bundle context";
constexpr const char* alias_type = "bundle alias";

std::string id_of_bundle(std::string_view uuid) {
  return std::string("bundle/").append(uuid);
}

error no_bundle(const std::string& what) {
  return {errc::not_found, "there is no bundle " + what + "; list those that there are"};
}

node_type type_of(node_kind kind, const char* name,
                  std::map<std::string, value_kind, std::less<>> properties) {
  node_type x;
  x.kind = kind;
  x.name = name;
  x.properties = std::move(properties);
  return x;
}

change_set types_of_bundles() {
  using enum value_kind;
  change_set out;
  out.evolution = {true, true};
  out.types = {
    type_of(node_kind::artifact, bundle_type,
            {{"name", text},
             {"processing_name", text},
             {"owner", text},
             {"record", any},
             {"created_ns", integer}}),
    type_of(node_kind::artifact, alias_type, {{"uuid", text}}),
    type_of(node_kind::execution, work_type,
            {{"code", text}, {"started_ns", integer}, {"ended_ns", integer}}),
    type_of(node_kind::context, context_type, {{"remote", text}}),
  };
  out.types[2].base = "Process";
  return out;
}

} // namespace

result<std::unique_ptr<bundle_store>> bundle_store::open(metadata& facts, chunk_store& bytes) {
  auto out = open_records(facts);
  if (out)
    (*out)->bytes_ = &bytes;
  return out;
}

result<std::unique_ptr<bundle_store>> bundle_store::open_records(metadata& facts) {
  if (auto put = facts.write(types_of_bundles()); !put)
    return put.error();
  return std::unique_ptr<bundle_store>(new bundle_store(facts, nullptr));
}

result<void> bundle_store::make_context(std::string_view name, std::string_view remote) {
  TROUPE_TRY(check_context_name(name));
  node_put x;
  x.type_name = context_type;
  x.existing = remote.empty() ? on_existing::keep : on_existing::update;
  x.what.kind = node_kind::context;
  x.what.name = name;
  if (!remote.empty())
    x.what.properties.emplace("remote", std::string(remote));
  change_set set;
  set.nodes = {std::move(x)};
  if (auto put = facts_.write(std::move(set)); !put)
    return put.error();
  return {};
}

result<bundle_repository::named_contexts> bundle_store::contexts() const {
  auto view = facts_.look();
  named_contexts out;
  list_request wanted{node_kind::context, std::string("type = ").append(filter_text(context_type)),
                      list_order::id,     false,
                      page_max,           {}};
  do {
    auto page = list_nodes(view, wanted);
    if (!page)
      return page.error();
    for (const auto& x : page->nodes)
      out.emplace_back(x.name, text_property(x, "remote"));
    wanted.page_token = page->next;
  } while (!wanted.page_token.empty());
  std::sort(out.begin(), out.end());
  return out;
}

result<uint64_t> bundle_store::context_id(const metadata_view& in, std::string_view name) const {
  TROUPE_TRY(check_context_name(name));
  const auto* type = in.types().find(node_kind::context, context_type);
  TROUPE_ASSERT(type != nullptr);
  auto found = in.named(node_kind::context, type->id, name);
  if (!found)
    return found.error();
  if (!*found)
    return {errc::not_found,
            "there is no context " + std::string(name) + "; make it, or list those there are"};
  return (*found)->id;
}

result<kept_bundle> bundle_store::kept(const metadata_view& in, const node& x) const {
  auto record = x.properties.find("record");
  const auto* bytes
    = record == x.properties.end() ? nullptr : std::get_if<any_bytes>(&record->second);
  auto what = read_bundle(bytes == nullptr ? std::string_view() : std::string_view(bytes->bytes));
  if (!what)
    return what.error();
  kept_bundle out;
  out.what = std::move(*what);
  out.removed = x.state == node_state::deleted;
  out.version = x.version;
  out.artifact = x.id;
  for (const auto& [name, value] : x.custom)
    if (const auto* text = std::get_if<std::string>(&value))
      out.tags.emplace(name, *text);
  auto links = in.links(link_kind::attribution, false, x.id);
  if (!links)
    return links.error();
  const auto* type = in.types().find(node_kind::context, context_type);
  for (const auto& each : *links) {
    auto context = in.get(node_kind::context, each.context);
    if (!context)
      return context.error();
    if (type != nullptr && context->type == type->id)
      out.context = context->name;
  }
  return out;
}

change_set bundle_store::set_of(const metadata_view& in, uint64_t context, const bundle& what,
                                const text_map& tags) const {
  change_set set;
  node_put made;
  made.type_name = bundle_type;
  made.what.external_id = id_of_bundle(what.uuid);
  made.what.state = node_state::live;
  made.what.hash = what.tree;
  made.what.uri = id_of_bundle(what.uuid);
  made.what.properties = {{"name", what.name},
                          {"processing_name", what.processing_name},
                          {"owner", what.owner},
                          {"created_ns", static_cast<int64_t>(what.created_ns)},
                          {"record", any_bytes{"troupe/bundle", encode(what)}}};
  for (const auto& [name, value] : tags)
    made.what.custom.emplace(name, value);
  node_put work;
  work.type_name = work_type;
  work.what.kind = node_kind::execution;
  work.what.external_id = id_of_bundle(what.uuid);
  work.what.state = node_state::complete;
  work.what.fingerprint = what.processing_name;
  work.what.properties = {{"code", what.code},
                          {"started_ns", static_cast<int64_t>(what.started_ns)},
                          {"ended_ns", static_cast<int64_t>(what.ended_ns)}};
  for (const auto& [name, value] : what.parameters)
    work.what.custom.emplace(name, value);
  set.nodes = {std::move(made), std::move(work)};
  set.events = {{node_ref::put(1), node_ref::put(0), event_type::output}};
  set.keep_events = true; // one source may be used as several arguments
  set.links = {{link_kind::attribution, node_ref::stored(context), node_ref::put(0)},
               {link_kind::association, node_ref::stored(context), node_ref::put(1)}};
  for (const auto& each : what.sources)
    if (auto source = in.by_external_id(node_kind::artifact, id_of_bundle(each.uuid));
        source && *source)
      set.events.push_back(
        {node_ref::put(1), node_ref::stored((*source)->id), event_type::input, {each.argument}});
  return set;
}

result<kept_bundle> bundle_store::add(std::string_view context, const bundle& what,
                                      const text_map& tags) {
  TROUPE_TRY(check(what));
  auto view = facts_.look();
  auto id = context_id(view, context);
  if (!id)
    return id.error();
  if (auto there = get(what.uuid); there) {
    if (there->what == what && there->context == context)
      return there->removed ? set_state(*there, node_state::live) : there;
    return {errc::already_exists, "the bundle " + what.uuid
                                    + " is there with another content or in another context; a "
                                      "bundle never changes: make a new one"};
  }
  if (auto put = facts_.write(set_of(view, *id, what, tags)); !put)
    return put.error();
  return get(what.uuid);
}

result<kept_bundle> bundle_store::get(std::string_view uuid) const {
  auto view = facts_.look();
  auto found = view.by_external_id(node_kind::artifact, id_of_bundle(uuid));
  if (!found)
    return found.error();
  if (!*found)
    return no_bundle(printable(uuid));
  return kept(view, **found);
}

result<std::vector<kept_bundle>> bundle_store::find(const bundle_query& wanted) const {
  auto view = facts_.look();
  if (auto id = context_id(view, wanted.context); !id)
    return id.error();
  auto filter = std::string("type = ").append(filter_text(bundle_type));
  filter.append(" AND contexts_c.type = ").append(filter_text(context_type));
  filter.append(" AND contexts_c.name = ").append(filter_text(wanted.context));
  if (!wanted.name.empty())
    filter.append(" AND properties.name.string_value = ").append(filter_text(wanted.name));
  if (!wanted.processing_name.empty())
    filter.append(" AND properties.processing_name.string_value = ")
      .append(filter_text(wanted.processing_name));
  if (!wanted.removed)
    filter.append(" AND state = LIVE");
  auto ids = matching(view, node_kind::artifact, filter, no_limit);
  if (!ids)
    return ids.error();
  // The newest first. A writer whose clock is ahead is not the newest for longer than that: no
  // bundle counts as made after this store had it.
  std::vector<std::pair<uint64_t, kept_bundle>> found;
  for (auto id : *ids) {
    auto x = view.get(node_kind::artifact, id);
    if (!x)
      return x.error();
    auto each = kept(view, *x);
    if (!each)
      return each.error();
    auto has = [&](const auto& tag) {
      auto same = each->tags.find(tag.first);
      return same != each->tags.end() && same->second == tag.second;
    };
    if (std::all_of(wanted.tags.begin(), wanted.tags.end(), has))
      found.emplace_back(std::min(each->what.created_ns, x->created_ns), std::move(*each));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.artifact) > std::tie(b.first, b.second.artifact);
  });
  std::vector<kept_bundle> out;
  out.reserve(found.size());
  for (auto& [made, each] : found)
    out.push_back(std::move(each));
  return out;
}

result<kept_bundle> bundle_store::latest(const bundle_query& wanted) const {
  auto all = find(wanted);
  if (!all)
    return all.error();
  if (all->empty())
    return no_bundle(printable(wanted.name.empty() ? wanted.processing_name : wanted.name)
                     + " in the context " + wanted.context);
  return std::move(all->front());
}

result<kept_bundle> bundle_store::tag(std::string_view uuid, const text_map& tags) {
  auto there = get(uuid);
  if (!there)
    return there.error();
  node_put x;
  x.what.id = there->artifact;
  for (const auto& [name, value] : tags) {
    TROUPE_TRY(check_name(name, "the name of a tag"));
    x.mask.push_back("custom_properties." + name);
    if (!value.empty())
      x.what.custom.emplace(name, value);
  }
  change_set set;
  set.nodes = {std::move(x)};
  if (auto put = facts_.write(std::move(set)); !put)
    return put.error();
  return get(uuid);
}

result<void> bundle_store::freeze(std::string_view context, std::string_view alias,
                                  std::string_view uuid) {
  TROUPE_TRY(check_name(alias, "the alias"));
  auto there = get(uuid);
  if (!there)
    return there.error();
  auto view = facts_.look();
  auto id = context_id(view, context);
  if (!id)
    return id.error();
  if (there->context != context)
    return no_bundle(printable(uuid) + " in the context " + std::string(context));
  auto before = frozen(context, alias);
  if (before && *before == uuid)
    return {};
  if (before)
    return {errc::already_exists, "the alias " + std::string(alias) + " is that of " + *before
                                    + " for ever; choose another"};
  node_put x;
  x.type_name = alias_type;
  x.what.external_id = std::string("bundle alias/").append(context).append("/").append(alias);
  x.what.properties = {{"uuid", std::string(uuid)}};
  change_set set;
  set.nodes = {std::move(x)};
  set.links = {{link_kind::attribution, node_ref::stored(*id), node_ref::put(0)}};
  if (auto put = facts_.write(std::move(set)); !put)
    return put.error();
  return {};
}

result<std::string> bundle_store::frozen(std::string_view context, std::string_view alias) const {
  auto id = std::string("bundle alias/").append(context).append("/").append(alias);
  auto found = facts_.look().by_external_id(node_kind::artifact, id);
  if (!found)
    return found.error();
  if (!*found)
    return {errc::not_found, "there is no alias " + printable(alias) + " in the context "
                               + printable(context) + "; freeze it first"};
  return text_property(**found, "uuid");
}

result<kept_bundle> bundle_store::set_state(const kept_bundle& there, node_state state) {
  node_put x;
  x.what.id = there.artifact;
  x.what.state = state;
  x.mask = {"state"};
  change_set set;
  set.nodes = {std::move(x)};
  if (auto put = facts_.write(std::move(set)); !put)
    return put.error();
  return get(there.what.uuid);
}

result<void> bundle_store::remove(std::string_view uuid) {
  auto there = get(uuid);
  if (!there)
    return there.error();
  TROUPE_TRY(set_state(*there, node_state::deleted));
  return {};
}

result<std::vector<tree_id>> bundle_store::trees() const {
  auto view = facts_.look();
  auto ids = matching(
    view, node_kind::artifact,
    std::string("type = ").append(filter_text(bundle_type)).append(" AND state != DELETED"),
    no_limit);
  if (!ids)
    return ids.error();
  std::vector<tree_id> out;
  for (auto id : *ids) {
    auto x = view.get(node_kind::artifact, id);
    if (!x)
      return x.error();
    if (x->hash.empty())
      continue;
    auto tree = tree_id::parse(x->hash);
    if (!tree)
      return tree.error();
    out.push_back(*tree);
  }
  return out;
}

} // namespace troupe::storage
