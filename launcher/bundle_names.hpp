// What bundles are called on the command line, and pairs K=V.
// Threads: plain functions. They block.
#pragma once

#include "storage/bundles/bundle_repository.hpp"

namespace troupe::launcher {

// Of --context; where that is empty, of TROUPE_CONTEXT, or "default".
// Errors: errc::invalid.
result<std::string> context_of(const std::string& option);

// The bundle of this uuid, alias or, the newest of it, name. errc::not_found: there is none.
// One that was removed is found by its uuid only where `removed` says so.
result<storage::kept_bundle> bundle_named(const storage::bundle_repository& in,
                                          const std::string& context, const std::string& name,
                                          bool removed = false);

// `USERS:raw` is the bundle USERS, used as `raw`; without an argument, as what it is called.
result<std::vector<storage::bundle_source>> sources_of(const storage::bundle_repository& in,
                                                       const std::string& context,
                                                       const std::vector<std::string>& told);

// Errors: errc::invalid: no '=', no name before it, or a name twice. `option` says where they were
// told.
result<storage::text_map> pairs_told(const std::string& option,
                                     const std::vector<std::string>& told);

} // namespace troupe::launcher
