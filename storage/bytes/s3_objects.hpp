// Objects in a bucket of S3, or of what speaks its protocol.
//
// An object is the key PREFIX + name. Up to 16 MiB it is put with one request, above as a multipart
// upload of 8 MiB parts. S3 shows neither before it is whole and durable. Every body goes with its
// SHA-256, which the server checks. A put asks first whether the name is there already.
// An upload that was interrupted stays in the bucket, where a later put of the same name goes on
// with the parts that match its bytes, and aborts one with a part that does not; a bucket should
// have a rule that ends uploads which nobody took up (AbortIncompleteMultipartUpload).
// Others' keys below the prefix, which check_object_name refuses, are not listed.
// Threads, limits and errors: those of object_store.hpp and s3_client.hpp. Every function blocks:
// not for a scheduler thread. A function asks more than once where it has to: each page of a list,
// each part of an upload and every 8 MiB of a get have a budget of their own.
// Source: AWS, "Amazon Simple Storage Service API Reference".
#pragma once

#include "storage/bytes/object_store.hpp"
#include "storage/bytes/s3_client.hpp"

#include <atomic>

namespace troupe::storage {

inline constexpr size_t s3_single_max = 16u << 20; // bytes of an object put with one request
inline constexpr size_t s3_part_size = 8u << 20;   // bytes; S3 takes no fewer than 5 MiB

class s3_objects final : public object_store {
public:
  // Nothing is asked yet. Errors: errc::invalid.
  static result<std::unique_ptr<s3_objects>> make(s3_options options, s3_credentials credentials,
                                                  s3_surroundings around);

  result<void> put(std::string_view name, std::string_view bytes) override;
  result<std::string> get(std::string_view name, uint64_t offset, uint64_t count) const override;
  result<std::optional<uint64_t>> size(std::string_view name) const override;
  result<void> list(std::string_view prefix, const visitor& visit) const override;
  result<void> remove(std::string_view name) override;

private:
  explicit s3_objects(std::unique_ptr<s3_client> client) : client_(std::move(client)) {}

  result<void> bucket_is_there() const;

  std::unique_ptr<s3_client> client_;
  mutable std::atomic<bool> bucket_seen_ = false;
};

} // namespace troupe::storage
