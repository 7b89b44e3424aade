// A fixture with a real S3 server on this machine, behind a relay that cuts, stalls and counts.
#pragma once

#include "storage/bytes/s3_objects.hpp"
#include "tests/support/s3_server.hpp"
#include "tests/support/scratch_directory.hpp"
#include "tests/support/tcp_relay.hpp"

#include <gtest/gtest.h>

#include <map>

namespace troupe::storage {

using testing::s3_server;
using testing::tcp_relay;
using kind = tcp_relay::fault::kind;
using namespace std::chrono_literals;

constexpr size_t mib = 1u << 20;

inline const system_clock real_time;

inline std::string random_bytes(size_t size, uint64_t seed) {
  random_source chance{seed};
  std::string out(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    auto number = chance.next();
    for (size_t j = i; j < std::min(i + 8, size); ++j, number >>= 8)
      out[j] = static_cast<char>(number);
  }
  return out;
}

inline s3_credentials tester() {
  return {s3_server::key_id, s3_server::secret, ""};
}

inline s3_surroundings around(const clock& time = real_time) {
  return {time, random_source{1}};
}

class S3Objects : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    directory_ = std::make_unique<scratch_directory>();
    missing_ = s3_server::missing(directory_->path);
    if (!missing_.empty()) {
      std::printf("SKIPPED: objects in S3: %s\n", missing_.c_str());
      return;
    }
    server_ = std::make_unique<s3_server>(directory_->path);
    auto started = server_->start();
    ASSERT_TRUE(started) << started.error().text;
    relay_ = std::make_unique<tcp_relay>(server_->port());
    auto client = s3_client::make(options("troupe"), tester(), around());
    ASSERT_TRUE(client);
    auto made = (*client)->ask({.method = "PUT"});
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_EQ(made->status, 200) << made->body;
  }

  static void TearDownTestSuite() {
    relay_.reset();
    server_.reset();
    directory_.reset();
  }

  void SetUp() override {
    if (!missing_.empty())
      GTEST_SKIP() << missing_;
    ASSERT_TRUE(relay_);
  }

  static s3_options options(const std::string& bucket) {
    s3_options out;
    out.endpoint = "http://127.0.0.1:" + std::to_string(relay_->port());
    out.region = s3_server::region;
    out.bucket = bucket;
    out.style = s3_style::path;
    out.attempt_budget = 20s;
    out.pause_first = 10ms;
    out.pause_max = 100ms;
    return out;
  }

  // A store whose names are its own.
  static std::unique_ptr<s3_objects> open(const std::string& prefix, s3_options with) {
    with.prefix = prefix;
    auto out = s3_objects::make(std::move(with), tester(), around());
    EXPECT_TRUE(out) << out.error().text;
    return out ? std::move(*out) : nullptr;
  }
  static std::unique_ptr<s3_objects> open(const std::string& prefix) {
    return open(prefix, options("troupe"));
  }

  static std::map<std::string, uint64_t> listed(const s3_objects& store,
                                                std::string_view prefix = "") {
    std::map<std::string, uint64_t> out;
    std::string last;
    auto done = store.list(prefix, [&](auto name, auto bytes) {
      EXPECT_LT(last, name);
      last = name;
      out.emplace(name, bytes);
      return true;
    });
    EXPECT_TRUE(done) << done.error().text;
    return out;
  }

  // No credential in it, and what, why and how.
  static void expect_error(const error& found, errc code, const char* part) {
    EXPECT_EQ(found.code, code) << found.text;
    EXPECT_NE(found.text.find(part), std::string::npos) << found.text;
    EXPECT_EQ(found.text.find(s3_server::secret), std::string::npos) << found.text;
    EXPECT_EQ(found.text.find(s3_server::key_id), std::string::npos) << found.text;
    EXPECT_NE(found.text.find(": "), std::string::npos) << found.text;
  }

  static inline std::unique_ptr<scratch_directory> directory_;
  static inline std::string missing_;
  static inline std::unique_ptr<s3_server> server_;
  static inline std::unique_ptr<tcp_relay> relay_;
};

} // namespace troupe::storage
