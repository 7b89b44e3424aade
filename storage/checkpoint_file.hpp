// One checkpoint's file: written and read in pieces, so that no second copy of a model is held.
// Errors: as checkpoint.hpp.
#pragma once

#include "storage/checkpoint.hpp"

namespace troupe::storage {

// Writes and syncs the file. On an error the file may be there in part.
result<void> write_checkpoint_file(const std::string& path, uint64_t attempt, uint64_t step,
                                   std::span<const tensor_view> tensors,
                                   const std::map<std::string, std::string>& meta);

// What the file says of itself, without tensors, when every byte of it is what was written.
result<checkpoint> verify_checkpoint_file(const std::string& path);

// Makes a folder and what is missing of its path, and their names durable.
result<void> make_directory(const std::string& path);

// Syncs a folder, which makes the names in it durable.
result<void> sync_directory(const std::string& path);

} // namespace troupe::storage
