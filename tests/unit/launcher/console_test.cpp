#include "launcher/console.hpp"

#include <gtest/gtest.h>

namespace troupe::launcher {
namespace {

TEST(Console, WritesJsonOfTextsThatAreNoUtf8) {
  job_status_msg job;
  job.reason = "cannot start caf\xe9";
  EXPECT_NE(json_of(job).find("cannot start caf\xef\xbf\xbd"), std::string::npos);
}

// Two attempts: the first failed, the second was killed on request.
job_status_msg killed_job() {
  job_status_msg job;
  job.state = job_state::killed;
  for (auto* why : {"exited with code 3", "enough"}) {
    auto& end = *job.ends.emplace_back(std::make_unique<attempt_end_msg>());
    end.attempt = static_cast<uint32_t>(job.ends.size());
    end.reason = why;
  }
  return job;
}

TEST(Console, AKillIsNoErrorOfTheJob) {
  auto job = killed_job();
  testing::internal::CaptureStdout();
  print_why(job);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "  attempt 1 ended after 0.0 s (user_error): exited with code 3\n"
            "  attempt 2 ended after 0.0 s: enough\n");
  auto text = json_of(job);
  auto first = text.find("\"cause\": \"user_error\"");
  EXPECT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("user_error", first + 20), std::string::npos) << text;
}

TEST(Console, ShowsWhatAJobGoesOnWithout) {
  job_status_msg job;
  job.state = job_state::succeeded;
  job.reason = "the job went on without a task that failed";
  testing::internal::CaptureStdout();
  print_why(job);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "  " + job.reason + "\n");
}

} // namespace
} // namespace troupe::launcher
