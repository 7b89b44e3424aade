#include "launcher/console.hpp"

#include <gtest/gtest.h>

namespace troupe::launcher {
namespace {

TEST(Console, WritesJsonOfTextsThatAreNoUtf8) {
  job_status_msg job;
  job.reason = "cannot start caf\xe9";
  EXPECT_NE(json_of(job).find("cannot start caf\xef\xbf\xbd"), std::string::npos);
}

} // namespace
} // namespace troupe::launcher
