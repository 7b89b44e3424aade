// The commands of bundles, and fsck, as all but troupe-bundles have them: they become that.
//
// Why it is apart: it loads what S3 needs, twenty libraries, which no role should.
#include "launcher/become.hpp"
#include "launcher/bundle_options.hpp"
#include "launcher/record_check.hpp"

namespace troupe::launcher {

int run_bundle_command(const shared_options& shared, const bundle_options&) {
  return become(shared, "troupe-bundles");
}

int check_record(const shared_options& shared, const check_options&) {
  return become(shared, "troupe-bundles");
}

} // namespace troupe::launcher
