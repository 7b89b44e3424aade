// The seam to durable bytes: an ordered key-value store with atomic batches.
//
// Guarantees: a batch is applied whole or not at all, also across a crash. A batch that was
// committed with `durability::synced` survives a crash, and so does every batch committed before
// it. Of the commits after the last synced one any may be lost. A failed commit may or may not be
// there after the next open. Reads see every commit that returned.
// Threads: every function may be called from any thread; commits take effect in some one order.
// Limits: keys up to 64 KiB, a value up to 1 GiB.
// Errors: errc::io (disk), errc::corrupt (bytes failed the store's own check).
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

enum class durability : uint8_t { buffered, synced };

// Changes that take effect together, in their order.
class batch {
public:
  enum class kind : uint8_t { put, erase, erase_range };

  struct change {
    kind what = kind::put;
    std::string key;
    std::string value; // of a put; of erase_range: the end, which is not erased
  };

  void put(std::string key, std::string value) {
    add({kind::put, std::move(key), std::move(value)});
  }
  void erase(std::string key) { add({kind::erase, std::move(key), {}}); }
  void erase_range(std::string from, std::string end) {
    add({kind::erase_range, std::move(from), std::move(end)});
  }

  // Adds the changes of `later` behind these.
  void append(batch later) {
    for (auto& x : later.changes_)
      add(std::move(x));
  }

  const std::vector<change>& changes() const noexcept { return changes_; }
  bool empty() const noexcept { return changes_.empty(); }
  size_t bytes() const noexcept { return bytes_; } // of all keys and values

private:
  void add(change x) {
    bytes_ += x.key.size() + x.value.size();
    changes_.push_back(std::move(x));
  }

  std::vector<change> changes_;
  size_t bytes_ = 0;
};

inline constexpr size_t no_limit = std::numeric_limits<size_t>::max();

class reader {
public:
  // Gets a pair, valid during the call; returns whether the scan goes on. It may not commit.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~reader() = default;

  // Empty where the store has no such key.
  virtual result<std::optional<std::string>> get(std::string_view key) const = 0;

  // Visits the keys that begin with `prefix` and are not below `from`, in order, at most `limit`.
  virtual result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                            const visitor& visit) const = 0;

  // Visits the keys that begin with `prefix` and are below `below`, from the highest down, at most
  // `limit`. An empty `below` is the end of the prefix.
  virtual result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                                 const visitor& visit) const = 0;
};

class store : public reader {
public:
  virtual result<void> commit(const batch& changes, durability wanted) = 0;

  // What the store holds now, whatever is committed later: for many reads that belong together,
  // which cost less here than on the store. It is read by one thread at a time and may not outlive
  // the store.
  virtual std::unique_ptr<reader> snapshot() const = 0;
};

// The least string above every key that begins with `prefix`; empty where there is none, as behind
// a prefix of 0xff bytes only.
inline std::string end_of_prefix(std::string_view prefix) {
  auto last = prefix.find_last_not_of('\xff');
  if (last == std::string_view::npos)
    return {};
  std::string end(prefix.substr(0, last + 1));
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// The keys that a scan_back() with these may visit are below this; empty: there is no bound.
inline std::string end_of_scan(std::string_view prefix, std::string_view below) {
  auto end = end_of_prefix(prefix);
  return !below.empty() && (end.empty() || below < end) ? std::string(below) : end;
}

} // namespace troupe::storage
