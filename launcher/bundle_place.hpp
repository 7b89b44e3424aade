// The bundles of a directory: through its cluster where one was started there, and otherwise in the
// store itself, by one command at a time.
// Threads: as bundle_repository.
#pragma once

#include "storage/bundles/bundle_repository.hpp"

#include <memory>
#include <string>

namespace troupe::launcher {

class bundle_place {
public:
  // Waits some seconds for another command that has the store, or for the cluster's master.
  // Errors: errc::unavailable, errc::refused, errc::io; those of the store.
  static result<std::unique_ptr<bundle_place>> open(const std::string& directory);
  ~bundle_place();

  bundle_place(const bundle_place&) = delete;
  bundle_place& operator=(const bundle_place&) = delete;

  storage::bundle_repository& bundles();
  storage::chunk_store& bytes() { return bundles().bytes(); }
  const std::string& directory() const;

private:
  struct state;

  explicit bundle_place(std::unique_ptr<state> opened);

  std::unique_ptr<state> state_;
};

} // namespace troupe::launcher
