// What the two halves of the conversion share.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"
#include "storage/metadata/node.hpp"

#include <string>

namespace troupe {

// errc::invalid: "there is no WHAT with the number N".
error no_such(const char* what, unsigned number);

std::vector<std::unique_ptr<path_step_msg>> message_of(const std::vector<storage::path_step>& x);
std::vector<storage::path_step> path_of(const std::vector<std::unique_ptr<path_step_msg>>& x);
result<storage::event_type> event_type_of(record_event_type x);
result<storage::link_kind> link_kind_of(record_link_kind x);

// Appends what `make` gives for each message, or gives the first error.
template <class T, class From, class Make>
result<void> append_all(std::vector<T>& to, const From& from, Make make) {
  for (const auto& each : from) {
    auto made = make(*each);
    if (!made)
      return made.error();
    to.push_back(std::move(*made));
  }
  return {};
}

} // namespace troupe
