// Writes that lie over a store: what it will be when they are there.
// Threads: one at a time.
#pragma once

#include "storage/store.hpp"

#include <map>
#include <utility>

namespace troupe::storage {

class layer final : public reader {
public:
  using values = std::map<std::string, std::optional<std::string>, std::less<>>; // none: erased

  // `under` outlives this.
  explicit layer(const reader& under) : under_(under) {}

  void put(std::string key, std::string value) {
    own_.insert_or_assign(std::move(key), std::move(value));
  }
  void erase(std::string key) { own_.insert_or_assign(std::move(key), std::nullopt); }

  // As if it had never been written here.
  void forget(const std::string& key) { own_.erase(key); }

  const values& own() const noexcept { return own_; }
  values take() { return std::exchange(own_, {}); }

  result<std::optional<std::string>> get(std::string_view key) const override;
  result<void> scan(std::string_view prefix, std::string_view from, size_t limit,
                    const visitor& visit) const override;
  result<void> scan_back(std::string_view prefix, std::string_view below, size_t limit,
                         const visitor& visit) const override;

private:
  result<values> merged(std::string_view prefix) const;

  const reader& under_;
  values own_;
};

} // namespace troupe::storage
