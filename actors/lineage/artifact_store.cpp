#include "actors/lineage/artifact_store.hpp"

#include "actors/lineage/record_messages.hpp"
#include "actors/lineage/record_questions.hpp"
#include "actors/lineage/subscribers.hpp"
#include "runtime/actor_error.hpp"
#include "storage/metadata/metadata.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace troupe {

// A write is answered. Sent by the committer's thread.
struct write_ended {
  uint64_t number = 0;
  result<storage::receipt> answer;
};

// A change is durable. The same.
struct record_changed {
  uint64_t sequence = 0;
  storage::change_record what;
};

// Somebody is behind and has more to read.
struct read_on {};

} // namespace troupe

template <>
struct caf::allowed_unsafe_message_type<troupe::write_ended> : std::true_type {};
template <>
struct caf::allowed_unsafe_message_type<troupe::record_changed> : std::true_type {};
template <>
struct caf::allowed_unsafe_message_type<troupe::read_on> : std::true_type {};

namespace troupe {

namespace {

constexpr auto tick = std::chrono::milliseconds(100);

using store_actor
  = artifact_store_api::extend<caf::reacts_to<write_ended>, caf::reacts_to<record_changed>,
                               caf::reacts_to<read_on>, caf::reacts_to<caf::tick_atom>>;
using reader_actor = caf::typed_actor<caf::replies_to<list_records_msg>::with<record_page_msg>,
                                      caf::replies_to<list_types_msg>::with<record_types_msg>,
                                      caf::replies_to<get_graph_msg>::with<record_graph_msg>,
                                      caf::replies_to<find_reusable_msg>::with<reusable_msg>>;
using checker_actor
  = caf::typed_actor<caf::replies_to<check_records_msg>::with<records_checked_msg>>;
using copier_actor = caf::typed_actor<caf::replies_to<backup_store_msg>::with<done_msg>>;

struct store_state {
  static inline const char* name = "artifact_store";

  artifact_store_ports ports;
  reader_actor reader;
  std::unique_ptr<subscribers> told;
  bool reading_on = false;
  uint64_t writes = 0;
  std::map<uint64_t, std::function<void(result<storage::receipt>)>> open;
};

using store_pointer = store_actor::stateful_pointer<store_state>;

reader_actor::behavior_type reader_behavior(const storage::metadata& in,
                                            const std::function<void()>& settle) {
  auto look = [&in, settle](uint64_t as_of) {
    if (as_of != 0)
      return in.look(as_of);
    settle();
    return in.look();
  };
  return {[=](const list_records_msg& x) { return reply_of(answer_to(x, look(x.as_of))); },
          [=](const list_types_msg& x) { return reply_of(answer_to(x, look(0))); },
          [=](const get_graph_msg& x) { return reply_of(answer_to(x, look(x.as_of))); },
          [=](const find_reusable_msg& x) { return reply_of(answer_to(x, look(0))); }};
}

// The answer comes on the committer's thread, or at once.
void write(store_pointer self, storage::change_set set,
           std::function<void(result<storage::receipt>)> then) {
  auto number = ++self->state.writes;
  self->state.open.emplace(number, std::move(then));
  self->state.ports.records->write(std::move(set), [to = caf::actor_cast<caf::weak_actor_ptr>(self),
                                                    number](result<storage::receipt> answer) {
    if (auto there = caf::actor_cast<store_actor>(to))
      caf::anon_send(there, write_ended{number, std::move(answer)});
  });
}

void read_more(store_pointer self, bool more) {
  if (!more || std::exchange(self->state.reading_on, true))
    return;
  self->send(self, read_on{});
}

template <class T>
void deliver(caf::typed_response_promise<T> to, result<T> x) {
  if (x)
    to.deliver(std::move(*x));
  else
    to.deliver(fail(x.error()));
}

caf::result<records_written_msg> on_write(store_pointer self, const write_records_msg& x) {
  auto set = change_set_of(x);
  if (!set)
    return fail(set.error());
  std::vector<std::string> removed;
  for (const auto& each : set->subscriptions)
    if (each.step == storage::subscription_step::remove)
      removed.push_back(each.what.name);
  auto promise = self->make_response_promise<records_written_msg>();
  write(self, std::move(*set), [self, promise, removed](const result<storage::receipt>& answer) {
    if (!answer)
      return deliver<records_written_msg>(promise, answer.error());
    for (const auto& name : removed)
      self->state.told->forget(name);
    deliver<records_written_msg>(promise, message_of(*answer));
  });
  return promise;
}

caf::result<record_changes_msg> on_poll(store_pointer self, const next_changes_msg& x) {
  auto promise = self->make_response_promise<record_changes_msg>();
  auto poll = [self, promise, x] {
    auto answer = [promise](result<record_changes_msg> news) { deliver(promise, std::move(news)); };
    read_more(self, self->state.told->poll(x, self->clock().now(), std::move(answer)));
  };
  if (!self->state.told->acknowledges(x)) {
    poll();
    return promise;
  }
  storage::change_set set;
  set.subscriptions
    = {{storage::subscription_step::acknowledge, {x.subscription, {}, {}, {x.sequence, x.index}}}};
  write(self, std::move(set), [poll, promise](const result<storage::receipt>& done) {
    if (done)
      poll();
    else
      deliver<record_changes_msg>(promise, done.error());
  });
  return promise;
}

void on_tick(store_pointer self) {
  self->delayed_send(self, tick, caf::tick_atom::value);
  for (auto& each : self->state.told->expire(self->clock().now())) {
    storage::change_set set;
    set.subscriptions = {std::move(each)};
    write(self, std::move(set), [](const result<storage::receipt>&) {}); // else the next tick's
  }
}

store_actor::behavior_type behavior_of(store_pointer self) {
  self->delayed_send(self, tick, caf::tick_atom::value);
  return {[self](const write_ended& x) {
            auto open = self->state.open.extract(x.number);
            open.mapped()(x.answer);
          },
          [self](const record_changed& x) { self->state.told->changed(x.sequence, x.what); },
          [self](read_on) {
            self->state.reading_on = false;
            read_more(self, self->state.told->catch_up());
          },
          [self](caf::tick_atom) { on_tick(self); },
          [self](const write_records_msg& x) { return on_write(self, x); },
          [self](const list_records_msg& x) -> caf::result<record_page_msg> {
            return self->delegate(self->state.reader, x);
          },
          [self](const list_types_msg& x) -> caf::result<record_types_msg> {
            return self->delegate(self->state.reader, x);
          },
          [self](const get_graph_msg& x) -> caf::result<record_graph_msg> {
            return self->delegate(self->state.reader, x);
          },
          [self](const find_reusable_msg& x) -> caf::result<reusable_msg> {
            return self->delegate(self->state.reader, x);
          },
          [self](const next_changes_msg& x) { return on_poll(self, x); },
          [self](const check_records_msg& x) -> caf::result<records_checked_msg> {
            auto* all = self->state.ports.all;
            auto body = [all]() -> checker_actor::behavior_type {
              return {[all](const check_records_msg&) { return reply_of(checked(*all)); }};
            };
            return self->delegate(self->spawn<caf::detached>(body), x);
          },
          [self](const backup_store_msg& x) -> caf::result<done_msg> {
            auto body = [copy = self->state.ports.copy]() -> copier_actor::behavior_type {
              return {[copy](const backup_store_msg& what) -> caf::result<done_msg> {
                if (auto made = copy(what.directory); !made)
                  return fail(made.error());
                return done_msg{};
              }};
            };
            return self->delegate(self->spawn<caf::detached>(body), x);
          }};
}

} // namespace

artifact_store_api spawn_artifact_store(caf::actor_system& system, artifact_store_ports ports) {
  auto* records = ports.records;
  auto made = system.spawn<caf::detached>(
    [ports = std::move(ports)](store_pointer self) mutable -> store_actor::behavior_type {
      auto& st = self->state;
      st.ports = std::move(ports);
      const auto& in = *st.ports.records;
      st.told = std::make_unique<subscribers>([&in] { return in.look(); });
      st.reader
        = self->spawn<caf::detached>([&in, settle = st.ports.settle](reader_actor::pointer) {
            return reader_behavior(in, settle);
          });
      return behavior_of(self);
    });
  records->observe([to = caf::actor_cast<caf::weak_actor_ptr>(made)](
                     uint64_t sequence, const storage::change_record& what) {
    if (auto there = caf::actor_cast<store_actor>(to))
      caf::anon_send(there, record_changed{sequence, what});
  });
  return caf::actor_cast<artifact_store_api>(made);
}

} // namespace troupe
