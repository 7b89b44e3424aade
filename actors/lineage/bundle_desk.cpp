#include "actors/lineage/bundle_desk.hpp"

#include "actors/lineage/bundle_messages.hpp"
#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

namespace troupe {

namespace {

constexpr size_t page_bytes = 256 << 10; // of records, unless a single one has more
constexpr size_t page_objects = 1000;

result<done_msg> done_of(const result<void>& x) {
  if (!x)
    return x.error();
  return done_msg{};
}

result<kept_bundle_msg> message_of(const result<storage::kept_bundle>& x) {
  if (!x)
    return x.error();
  return troupe::message_of(*x);
}

size_t bytes_in(const kept_bundle_msg& x) {
  auto out = x.record.size();
  for (const auto& each : x.tags)
    out += each->name.size() + each->value.size();
  return out;
}

result<std::vector<storage::kept_bundle>> found(const storage::bundle_repository& in,
                                                const find_bundles_msg& x) {
  std::vector<storage::kept_bundle> out;
  if (!x.uuid.empty()) {
    auto one = in.get(x.uuid);
    if (!one)
      return one.error();
    if (x.context.empty() || one->context == x.context)
      out.push_back(std::move(*one));
    return out;
  }
  storage::bundle_query wanted{x.context, x.name, x.processing_name, texts_of(x.tags), x.removed};
  if (!x.latest)
    return in.find(wanted);
  auto one = in.latest(wanted);
  if (!one)
    return one.error();
  out.push_back(std::move(*one));
  return out;
}

} // namespace

result<kept_bundle_msg> bundle_desk::add(const add_bundle_msg& x) {
  auto what = storage::read_bundle(view_of(x.record));
  if (!what)
    return what.error();
  return message_of(bundles_.add(x.context, *what, texts_of(x.tags)));
}

result<bundles_found_msg> bundle_desk::find(const find_bundles_msg& x) const {
  auto all = found(bundles_, x);
  if (!all)
    return all.error();
  bundles_found_msg out;
  size_t bytes = 0;
  for (size_t i = x.after; i < all->size(); ++i) {
    auto each = troupe::message_of((*all)[i]);
    if (!each)
      return each.error();
    bytes += bytes_in(*each);
    out.more = !out.bundles.empty() && (out.bundles.size() >= x.limit || bytes > page_bytes);
    if (out.more)
      break;
    out.bundles.push_back(std::make_unique<kept_bundle_msg>(std::move(*each)));
  }
  return out;
}

result<kept_bundle_msg> bundle_desk::tag(const tag_bundle_msg& x) {
  return message_of(bundles_.tag(x.uuid, texts_of(x.tags)));
}

result<done_msg> bundle_desk::remove(const remove_bundle_msg& x) {
  return done_of(bundles_.remove(x.uuid));
}

result<done_msg> bundle_desk::freeze(const freeze_bundle_msg& x) {
  return done_of(bundles_.freeze(x.context, x.alias, x.uuid));
}

result<frozen_bundle_msg> bundle_desk::frozen(const get_frozen_msg& x) const {
  auto uuid = bundles_.frozen(x.context, x.alias);
  if (!uuid)
    return uuid.error();
  frozen_bundle_msg out;
  out.uuid = std::move(*uuid);
  return out;
}

result<done_msg> bundle_desk::make_context(const make_bundle_context_msg& x) {
  return done_of(bundles_.make_context(x.name, x.remote));
}

result<bundle_contexts_msg> bundle_desk::contexts() const {
  auto all = bundles_.contexts();
  if (!all)
    return all.error();
  bundle_contexts_msg out;
  out.contexts = pairs_of({all->begin(), all->end()});
  return out;
}

result<done_msg> bundle_desk::put(const put_object_msg& x) {
  return done_of(uploads_.put(x));
}

result<object_bytes_msg> bundle_desk::get(const get_object_msg& x) const {
  object_bytes_msg out;
  auto size = objects_.size(x.name);
  if (!size)
    return size.error();
  out.found = size->has_value();
  out.size = size->value_or(0);
  if (out.size <= x.offset || x.count == 0)
    return out;
  auto bytes = objects_.get(x.name, x.offset, std::min<uint64_t>(x.count, object_part_max));
  if (!bytes)
    return bytes.error();
  out.bytes = bytes_of(*bytes);
  return out;
}

result<object_list_msg> bundle_desk::list(const list_objects_msg& x) const {
  object_list_msg out;
  auto listed = objects_.list(x.prefix, [&](std::string_view name, uint64_t bytes) {
    if (!x.after.empty() && name <= x.after)
      return true;
    out.more = out.objects.size() == page_objects;
    if (out.more)
      return false;
    auto& each = *out.objects.emplace_back(std::make_unique<object_entry_msg>());
    each.name = name;
    each.size = bytes;
    return true;
  });
  if (!listed)
    return listed.error();
  return out;
}

result<done_msg> bundle_desk::remove(const remove_object_msg& x) {
  return done_of(objects_.remove(x.name));
}

bundle_api spawn_bundle_desk(caf::actor_system& system, std::unique_ptr<bundle_desk> desk) {
  return system.spawn<caf::detached>([at = std::shared_ptr<bundle_desk>(std::move(desk))](
                                       bundle_api::pointer) -> bundle_api::behavior_type {
    return {[at](const add_bundle_msg& x) { return reply_of(at->add(x)); },
            [at](const find_bundles_msg& x) { return reply_of(at->find(x)); },
            [at](const tag_bundle_msg& x) { return reply_of(at->tag(x)); },
            [at](const remove_bundle_msg& x) { return reply_of(at->remove(x)); },
            [at](const freeze_bundle_msg& x) { return reply_of(at->freeze(x)); },
            [at](const get_frozen_msg& x) { return reply_of(at->frozen(x)); },
            [at](const make_bundle_context_msg& x) { return reply_of(at->make_context(x)); },
            [at](const list_bundle_contexts_msg&) { return reply_of(at->contexts()); },
            [at](const put_object_msg& x) { return reply_of(at->put(x)); },
            [at](const get_object_msg& x) { return reply_of(at->get(x)); },
            [at](const list_objects_msg& x) { return reply_of(at->list(x)); },
            [at](const remove_object_msg& x) { return reply_of(at->remove(x)); }};
  });
}

} // namespace troupe
