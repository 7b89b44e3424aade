#include "storage/committer.hpp"

namespace troupe::storage {

error stopped_by(const error& first) {
  return {errc::unavailable,
          "the store takes no more writes since one failed (" + first.text
            + "); mend the cause and restart the process, which then recovers what is durable"};
}

} // namespace troupe::storage
