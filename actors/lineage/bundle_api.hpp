// The typed interface of a cluster's bundles, under the name "bundles" of the master's process.
#pragma once

#include "runtime/protocol/messages.hpp"

#include <caf/typed_actor.hpp>

namespace troupe {

// What changes something is durable when it is answered, and is safe to repeat. A client is any
// listed user.
using bundle_api
  = caf::typed_actor<caf::replies_to<add_bundle_msg>::with<kept_bundle_msg>,
                     caf::replies_to<find_bundles_msg>::with<bundles_found_msg>, // a page
                     caf::replies_to<tag_bundle_msg>::with<kept_bundle_msg>,
                     caf::replies_to<remove_bundle_msg>::with<done_msg>,
                     caf::replies_to<freeze_bundle_msg>::with<done_msg>,
                     caf::replies_to<get_frozen_msg>::with<frozen_bundle_msg>,
                     caf::replies_to<make_bundle_context_msg>::with<done_msg>,
                     caf::replies_to<list_bundle_contexts_msg>::with<bundle_contexts_msg>,
                     caf::replies_to<put_object_msg>::with<done_msg>, // a part of an object
                     caf::replies_to<get_object_msg>::with<object_bytes_msg>,
                     caf::replies_to<list_objects_msg>::with<object_list_msg>, // a page
                     caf::replies_to<remove_object_msg>::with<done_msg>>;

} // namespace troupe
