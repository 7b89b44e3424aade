// One question to the desk of a cluster's bundles, and its answer.
// Threads: from any. It blocks.
#pragma once

#include "actors/cluster/client_link.hpp"
#include "actors/lineage/bundle_api.hpp"

namespace troupe {

template <class Answer, class Request>
result<Answer> ask(client_link& desk, const Request& request) {
  return desk.ask<bundle_api, Answer>("bundles", request);
}

} // namespace troupe
