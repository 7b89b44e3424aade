// Frames of every kind, whole and damaged, through the codec.
#include "runtime/base/limits.hpp"
#include "runtime/codec.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/random_frame.hpp"

#include <gtest/gtest.h>

#include <array>
#include <tuple>
#include <utility>

namespace troupe::testing {
namespace {

using messages = std::tuple<
  failure_msg, done_msg, hello_msg, heartbeat_msg, credit_msg, submit_job_msg, job_accepted_msg,
  kill_job_msg, get_job_msg, job_status_msg, list_jobs_msg, job_list_msg, watch_job_msg,
  job_events_msg, get_cluster_msg, cluster_status_msg, read_log_msg, log_chunk_msg, get_lineage_msg,
  lineage_msg, stop_cluster_msg, register_node_msg, node_registered_msg, start_task_msg,
  task_started_msg, cluster_spec_msg, stop_task_msg, node_report_msg, executor_register_msg,
  executor_orders_msg, executor_report_msg, ping_msg, pong_msg, note_msg, drain_node_msg,
  hold_job_msg, requeue_job_msg, ask_job_msg, job_asked_msg, ask_task_msg, find_packages_msg,
  packages_lacking_msg, push_package_msg, fetch_package_msg, bulk_access_msg, get_history_msg,
  job_history_msg, get_usage_msg, usage_msg, exec_task_msg, exec_started_msg, exec_io_msg,
  exec_news_msg, write_records_msg, records_written_msg, list_records_msg, record_page_msg,
  list_types_msg, record_types_msg, get_graph_msg, record_graph_msg, find_reusable_msg,
  reusable_msg, next_changes_msg, record_changes_msg, check_records_msg, records_checked_msg,
  backup_store_msg, add_bundle_msg, kept_bundle_msg, find_bundles_msg, bundles_found_msg,
  tag_bundle_msg, remove_bundle_msg, freeze_bundle_msg, get_frozen_msg, frozen_bundle_msg,
  make_bundle_context_msg, list_bundle_contexts_msg, bundle_contexts_msg, put_object_msg,
  get_object_msg, object_bytes_msg, list_objects_msg, object_list_msg, remove_object_msg>;

// A message of the schema that is not in the list above does not get through.
static_assert(std::tuple_size_v<messages> == static_cast<size_t>(payload::MAX));

struct message_kind {
  const message_codec* codec = nullptr;
  bool (*same)(const caf::type_erased_tuple&, const caf::type_erased_tuple&) = nullptr;
};

template <class T>
bool alike(const caf::type_erased_tuple& a, const caf::type_erased_tuple& b) {
  return a.get_as<T>(0) == b.get_as<T>(0);
}

template <size_t... I>
constexpr std::array<message_kind, sizeof...(I) + 1> kinds_of(std::index_sequence<I...>) {
  static_assert(
    ((static_cast<size_t>(kind_of<std::tuple_element_t<I, messages>>) == I + 1) && ...));
  return {message_kind{}, message_kind{&codec_of<std::tuple_element_t<I, messages>>,
                                       &alike<std::tuple_element_t<I, messages>>}...};
}

// By payload.
const auto kinds = kinds_of(std::make_index_sequence<std::tuple_size_v<messages>>{});

frame_view view_of(const byte_vector& bytes) {
  return std::as_bytes(std::span{bytes});
}

const message_kind& kind_in(const envelope& in) {
  return kinds[static_cast<size_t>(in.body_type())];
}

caf::mailbox_element_ptr unpack(const envelope& in) {
  return kind_in(in).codec->unpack(in.body(), nullptr, caf::make_message_id(1));
}

envelope_head head_of(const envelope& in) {
  return {in.sequence(),
          in.handled(),
          in.request(),
          in.reply(),
          in.actor() != nullptr ? in.actor()->string_view() : std::string_view{},
          in.sender(),
          in.incarnation(),
          in.to_incarnation(),
          in.budget_ns(),
          in.trace()};
}

byte_vector sealed(const envelope& in, const caf::mailbox_element& message) {
  flatbuffers::FlatBufferBuilder builder;
  auto frame = seal(builder, head_of(in), *kind_in(in).codec, message.content());
  auto* begin = reinterpret_cast<const uint8_t*>(frame.data());
  return {begin, begin + frame.size()};
}

// A message that comes out of a frame is the one that went in.
void expect_round_trip(const byte_vector& frame) {
  auto opened = open_frame(view_of(frame));
  ASSERT_TRUE(opened) << opened.error().text;
  auto first = unpack(**opened);
  auto again = sealed(**opened, *first);
  auto reopened = open_frame(view_of(again));
  ASSERT_TRUE(reopened) << reopened.error().text;
  auto second = unpack(**reopened);
  EXPECT_EQ(sealed(**reopened, *second), again);
  // Two of the same are unlike where they hold a number that is none.
  auto third = unpack(**reopened);
  auto& same = kind_in(**opened).same;
  EXPECT_EQ(same(first->content(), second->content()), same(second->content(), third->content()));
}

// Memory that the peer of a frame of this size may make us ask for.
size_t allowed(size_t frame) {
  return 64 * frame + (32 << 10);
}

void expect_harmless(const byte_vector& frame) {
  auto before = allocated();
  auto opened = open_frame(view_of(frame));
  auto message = opened ? unpack(**opened) : nullptr;
  ASSERT_LE(allocated() - before, allowed(frame.size())) << frame.size() << " bytes";
  // What was let in can be sent on.
  if (message)
    sealed(**opened, *message);
}

payload any_kind(random_source& random) {
  return static_cast<payload>(1 + random.below(kinds.size() - 1));
}

size_t any_length(random_source& random) {
  return random.chance(0.01) ? limits::frame_size_max / 4 : 200;
}

TEST(Fuzz, FramesRoundTrip) {
  fuzz("FramesRoundTrip", 3000, [](random_source& random) {
    auto frame = random_frame(any_kind(random), random, {any_length(random)});
    if (frame.size() <= limits::frame_size_max)
      expect_round_trip(frame);
  });
}

TEST(Fuzz, DamagedFrames) {
  fuzz("DamagedFrames", 20'000, [](random_source& random) {
    auto frame = random_frame(any_kind(random), random, {any_length(random)});
    auto other = random_frame(any_kind(random), random);
    if (random.chance(0.8))
      mutate_flatbuffer(frame, other, random);
    else
      mutate(frame, other, random);
    expect_harmless(frame);
  });
}

// A small frame that unpacks to much: what it holds is in many places at once.
TEST(Fuzz, FramesThatShareTheirParts) {
  fuzz("FramesThatShareTheirParts", 1000, [](random_source& random) {
    auto frame = random_frame(any_kind(random), random, {100'000, true});
    if (random.chance(0.5))
      mutate_flatbuffer(frame, byte_vector(frame), random);
    if (frame.size() <= limits::frame_size_max)
      expect_harmless(frame);
  });
}

} // namespace
} // namespace troupe::testing
