// What serves a cluster's bundles to whoever asks: records from a repository, bytes from the
// objects beside it.
//
//   client --add_bundle, find_bundles ...----> desk --> repository (metadata)
//   client --put_object, get_object ...------> desk --> objects (packs and their index)
//
// Guarantees: what changes something is durable when it is answered and is safe to repeat. A page
// of an answer fits a frame; who asks for the next one by number may see a bundle twice that
// another one pushed down, and misses none that was not removed meanwhile.
// Limits: those of bundle_messages.hpp and object_uploads.hpp.
#pragma once

#include "actors/lineage/bundle_api.hpp"
#include "actors/lineage/object_uploads.hpp"
#include "storage/bundles/bundle_repository.hpp"

#include <caf/actor_system.hpp>

namespace troupe {

// Threads: one. Every function blocks.
class bundle_desk {
public:
  // All outlive it. `uploads`: a directory for what is on its way.
  bundle_desk(storage::bundle_repository& bundles, storage::object_store& objects,
              std::string uploads, const clock& time)
    : bundles_(bundles), objects_(objects), uploads_(std::move(uploads), objects, time) {}

  result<kept_bundle_msg> add(const add_bundle_msg& x);
  result<bundles_found_msg> find(const find_bundles_msg& x) const;
  result<kept_bundle_msg> tag(const tag_bundle_msg& x);
  result<done_msg> remove(const remove_bundle_msg& x);
  result<done_msg> freeze(const freeze_bundle_msg& x);
  result<frozen_bundle_msg> frozen(const get_frozen_msg& x) const;
  result<done_msg> make_context(const make_bundle_context_msg& x);
  result<bundle_contexts_msg> contexts() const;
  result<done_msg> put(const put_object_msg& x);
  result<object_bytes_msg> get(const get_object_msg& x) const;
  result<object_list_msg> list(const list_objects_msg& x) const;
  result<done_msg> remove(const remove_object_msg& x);

private:
  storage::bundle_repository& bundles_;
  storage::object_store& objects_;
  object_uploads uploads_;
};

// The desk as an actor, on a thread of its own, as it blocks.
bundle_api spawn_bundle_desk(caf::actor_system& system, std::unique_ptr<bundle_desk> desk);

} // namespace troupe
