// A multipart upload of one object, which goes on with what an interrupted one left.
// Threads: as s3_client. It blocks.
#pragma once

#include "storage/bytes/s3_client.hpp"

namespace troupe::storage {

// Errors: those of s3_client; errc::not_found: the upload ended under us, as when somebody else
// completed it. What was uploaded stays.
result<void> upload_in_parts(const s3_client& client, const std::string& name,
                             std::string_view bytes, size_t part_size);

} // namespace troupe::storage
