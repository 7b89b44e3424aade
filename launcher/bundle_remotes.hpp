// What a remote is written as, and how it is opened: a directory, s3://BUCKET/PREFIX, or
// troupe:DIR, the bundles of the directory DIR, with its cluster or without.
//
// S3 takes what AWS's tools take: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
// or else AWS_PROFILE of ~/.aws/credentials or ~/.aws/config (AWS_SHARED_CREDENTIALS_FILE,
// AWS_CONFIG_FILE); AWS_REGION or AWS_DEFAULT_REGION; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL,
// which gets paths with the bucket in them; AWS_CA_BUNDLE. Threads: plain functions.
#pragma once

#include "launcher/bundle_place.hpp"
#include "runtime/base/clock.hpp"

namespace troupe::launcher {

enum class remote_use { push, pull }; // only a push makes a directory

class bundle_remote {
public:
  // `own`: the directory whose bundles are moved, which is no remote of itself.
  // Errors: errc::invalid, errc::not_found, those of what is opened.
  static result<bundle_remote> open(const std::string& what, const std::string& own,
                                    remote_use use);

  storage::object_store& objects() { return *objects_; }
  bool is_troupe() const { return place_ != nullptr; }

private:
  std::unique_ptr<system_clock> time_ = std::make_unique<system_clock>();
  std::unique_ptr<bundle_place> place_;
  std::unique_ptr<storage::object_store> objects_;
};

// As it is kept: with an absolute path. Errors: errc::invalid: it is no remote.
result<std::string> whole_remote(const std::string& what);

} // namespace troupe::launcher
