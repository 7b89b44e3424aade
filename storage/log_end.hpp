// Tells a torn end of one of RocksDB's logs (write-ahead log, manifest) from damage. RocksDB takes
// a record that reaches beyond the end of the file for torn, also where only its length is wrong,
// and drops it and all that follow without an error.
// Format: blocks of 32 KiB of records that do not cross them. A record is a masked CRC-32C of type
// and payload, the payload's length (u16), a type (1 to 4) and the payload; see RocksDB's wiki,
// "Write-Ahead-Log File Format". Logs that are recycled or compressed are not known here.
// Threads: any.
#pragma once

#include "runtime/base/result.hpp"

#include <string>

namespace troupe::storage {

// Errors: errc::corrupt (whole records stand behind one that is not, or its length is wrong),
// errc::io. Cost: reads the file once; sums only what stands behind a record that is not whole.
result<void> check_log_end(const std::string& path);

} // namespace troupe::storage
