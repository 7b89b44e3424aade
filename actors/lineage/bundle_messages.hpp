// Bundles as messages, and back. Threads: plain functions.
#pragma once

#include "runtime/protocol/messages.hpp"
#include "storage/bundles/bundle_repository.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe {

// Bytes of a record, or of a part of an object, in one message: with all else it fits a frame.
inline constexpr size_t bundle_record_max = 768 << 10;
inline constexpr size_t object_part_max = 512 << 10;

using text_pairs = std::vector<std::unique_ptr<text_pair_msg>>;

text_pairs pairs_of(const storage::text_map& x);
storage::text_map texts_of(const text_pairs& x);

// errc::invalid: the record is too large for a message.
result<std::vector<uint8_t>> record_of(const storage::bundle& x);

std::string_view view_of(const std::vector<uint8_t>& x);
std::vector<uint8_t> bytes_of(std::string_view x);

result<kept_bundle_msg> message_of(const storage::kept_bundle& x);

// Errors: those of read_bundle.
result<storage::kept_bundle> kept_of(const kept_bundle_msg& x);

} // namespace troupe
