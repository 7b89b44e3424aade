// Where bulk content comes from and where it goes: files and memory here, anything else by its
// user.
//
// A sink keeps what arrived when a transfer fails, and the next one goes on from there; the sender
// checks every kept chunk against the source, so a part of other content is noticed. Nothing of a
// file sink is visible at its path before all of it is there and on disk.
// Threads: one uses a source or sink at a time. Its calls block: never on a scheduler thread.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace troupe {

class bulk_source {
public:
  virtual ~bulk_source() = default;

  // Bytes; it does not change.
  virtual uint64_t size() const = 0;

  // All of `out`, from `offset` on, which lies inside.
  virtual result<void> read(uint64_t offset, std::span<std::byte> out) = 0;
};

class bulk_sink {
public:
  virtual ~bulk_sink() = default;

  // A transfer of `size` bytes begins: how many of them are here from an earlier try.
  virtual result<uint64_t> begin(uint64_t size) = 0;

  // Of what it holds.
  virtual result<void> read(uint64_t offset, std::span<std::byte> out) = 0;

  // The next bytes: offsets ascend without a gap.
  virtual result<void> write(uint64_t offset, std::span<const std::byte> bytes) = 0;

  // All of it is here, and checked.
  virtual result<void> commit() = 0;

  // What is here is not what was meant: the next try begins at 0.
  virtual void discard() = 0;
};

// A regular file, which must not change while it is offered.
result<std::shared_ptr<bulk_source>> open_bulk_file(const std::string& path);

std::shared_ptr<bulk_source> bulk_of_memory(std::vector<std::byte> content);

// Writes PATH.part beside it, mode 0600, and renames it to PATH when it is whole; a file that was
// at PATH is replaced. The part stays when a transfer fails, for the next try of any process; two
// at one time are refused with errc::already_exists.
std::shared_ptr<bulk_sink> bulk_to_file(std::string path);

// Into memory, `size_max` bytes at most; more is errc::invalid.
class bulk_to_memory final : public bulk_sink {
public:
  explicit bulk_to_memory(uint64_t size_max) : size_max_(size_max) {}

  result<uint64_t> begin(uint64_t size) override;
  result<void> read(uint64_t offset, std::span<std::byte> out) override;
  result<void> write(uint64_t offset, std::span<const std::byte> bytes) override;
  result<void> commit() override { return {}; }
  void discard() override { content_.clear(); }

  // Whole once the transfer has succeeded.
  const std::vector<std::byte>& content() const { return content_; }

private:
  uint64_t size_max_;
  std::vector<std::byte> content_;
};

} // namespace troupe
