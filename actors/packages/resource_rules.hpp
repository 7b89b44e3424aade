// What holds for the resources of a task, whoever wrote them.
// Threads: plain functions.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/protocol/messages.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe {

using resource_list = std::vector<std::unique_ptr<resource_msg>>;

// Whether `text` is a SHA-256 as it is written: 64 lower-case hexadecimal digits.
bool is_hash(const std::string& text);

// Their names: different, and each that of one file in a directory. errc::invalid with one
// sentence.
result<void> check_resources(const resource_list& all);

// The same, and that each has been shipped: it has a hash and a size.
result<void> check_shipped(const resource_list& all);

} // namespace troupe
