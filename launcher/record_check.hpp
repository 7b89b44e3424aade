// troupe fsck: looks at everything that is kept in a directory. Where a cluster runs its master is
// asked, and otherwise the store is opened to be read: also one that keeps a master from starting.
// It changes nothing.
#pragma once

namespace troupe::launcher {

struct shared_options;

struct check_options {
  bool read = false; // the bytes of bundles too
};

// The exit code: 1 where something is broken.
int check_record(const shared_options& shared, const check_options& options);

} // namespace troupe::launcher
