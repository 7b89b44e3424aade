#include "tests/support/sim_disk.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

namespace {

const error no_space{errc::io, "cannot write to the store: no space is left; free some and start "
                               "again"};

} // namespace

void sim_disk::open() {
  kept_.crash(world_.time.random);
  dead_ = failing_ = false;
}

void sim_disk::die_at(uint64_t commit, bool written, std::function<void()> died) {
  last_ = commit;
  last_written_ = written;
  died_ = std::move(died);
}

result<void> sim_disk::commit(const storage::batch& changes, storage::durability wanted) {
  if (dead_)
    return no_space;
  auto last = ++commits_ == last_;
  if (std::exchange(failing_, false)) {
    dead_ = true;
    if (world_.time.random.chance(0.5))
      TROUPE_TRY(write(changes, wanted));
    return no_space;
  }
  result<void> written;
  if (!last || last_written_)
    written = write(changes, wanted);
  if (!last)
    return written;
  dead_ = true;
  died_();
  return last_written_ ? written : no_space;
}

result<void> sim_disk::write(const storage::batch& changes, storage::durability wanted) {
  TROUPE_TRY(kept_.commit(changes, wanted));
  for (auto& each : changes.changes())
    if (each.what == storage::batch::kind::put)
      on_put(each.key, each.value);
  return {};
}

result<void> sim_committer::submit(storage::batch changes, done then) {
  waiting_.emplace_back(std::move(changes), std::move(then));
  if (waiting_.size() == 1)
    wait(world_.time.between({}, wait_max_));
  return {};
}

// By the node's life, not by this: the event may find another one, or none.
void sim_committer::wait(duration span) {
  world_.time.after(span, [this, &world = world_, node = node_, life = life_] {
    auto* alive = world.find(node);
    if (!alive || alive->life != life)
      return;
    if (alive->frozen)
      return wait(1ms);
    write_first();
  });
}

void sim_committer::write_first() {
  auto& [changes, then] = waiting_.front(); // in its place: what it calls may submit again
  auto accepted = inner_.submit(std::move(changes), std::move(then));
  TROUPE_ASSERT(accepted);
  waiting_.pop_front();
  if (!waiting_.empty())
    wait(world_.time.between({}, wait_max_));
}

} // namespace troupe::testing
