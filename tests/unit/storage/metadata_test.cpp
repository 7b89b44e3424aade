#include "storage/commit_inline.hpp"
#include "storage/commit_queue.hpp"
#include "storage/event_log.hpp"
#include "storage/hash.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata.hpp"
#include "tests/support/faulty_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::storage {
namespace {

artifact thing(const std::string& name, const std::string& type, properties with = {}) {
  artifact x;
  x.id = artifact_id(name);
  x.type = type;
  x.name = name;
  x.uri = "file:///" + name;
  x.hash = sha256(name);
  x.properties = std::move(with);
  x.created_ns = 17;
  return x;
}

execution run(const std::string& name) {
  return {execution_id(name), "job_attempt", name, "done", {{"job", "1"}}};
}

lineage_event reads(const std::string& what, const std::string& from) {
  return {execution_id(what), artifact_id(from), event_role::input, "data"};
}

lineage_event writes(const std::string& what, const std::string& to) {
  return {execution_id(what), artifact_id(to), event_role::output, "out"};
}

// data -> train -> checkpoint -> export -> model
metadata_changes chain() {
  return {{thing("data", "dataset"), thing("checkpoint", "checkpoint", {{"job", "1"}}),
           thing("model", "model", {{"job", "1"}, {"accuracy", "0.91"}})},
          {run("train"), run("export")},
          {reads("train", "data"), writes("train", "checkpoint"), reads("export", "checkpoint"),
           writes("export", "model")}};
}

std::string names(const std::vector<artifact>& all) {
  std::vector<std::string> out;
  for (const auto& x : all)
    out.push_back(x.name);
  std::sort(out.begin(), out.end());
  std::string text;
  for (const auto& x : out)
    text.append(x).append(" ");
  return text;
}

std::string names(const lineage_graph& graph) {
  std::string out;
  for (const auto& x : graph.nodes)
    out.append(std::visit([](const auto& y) { return y.name; }, x.what)).append(" ");
  return out;
}

class metadata_of_a_run : public testing::Test {
protected:
  metadata_of_a_run() : faulty_(memory_) { reopen(); }

  void reopen() {
    metadata_.reset();
    writer_ = std::make_unique<commit_inline>(faulty_);
    auto opened = metadata::open(faulty_, *writer_);
    ASSERT_TRUE(opened);
    metadata_ = std::move(*opened);
  }

  errc apply(uint64_t sequence, metadata_changes changes) {
    auto out = errc::internal;
    metadata_->apply(sequence, std::move(changes), [&](auto applied) {
      out = applied ? errc::ok : applied.error().code;
      text_ = applied ? "" : applied.error().text;
    });
    return out;
  }

  std::string dump() {
    std::string out;
    EXPECT_TRUE(memory_.scan("", "", no_limit, [&](auto key, auto value) {
      out.append(key).append("=").append(value).append("\n");
      return true;
    }));
    return out;
  }

  std::string lineage(const std::string& id, lineage_direction wanted, uint32_t depth = 100) {
    auto graph = metadata_->lineage(id, wanted, depth);
    return graph ? names(*graph) : std::string(name_of(graph.error().code));
  }

  memory_store memory_;
  faulty_store faulty_;
  std::unique_ptr<commit_inline> writer_;
  std::unique_ptr<metadata> metadata_;
  std::string text_;
};

TEST_F(metadata_of_a_run, gives_back_what_was_put) {
  ASSERT_EQ(apply(1, chain()), errc::ok) << text_;
  reopen();
  EXPECT_EQ(metadata_->applied(), 1u);
  auto model = metadata_->get_artifact(artifact_id("model"));
  ASSERT_TRUE(model);
  EXPECT_EQ(*model, chain().artifacts[2]);
  auto train = metadata_->get_execution(execution_id("train"));
  ASSERT_TRUE(train);
  EXPECT_EQ(*train, chain().executions[0]);
  EXPECT_EQ(metadata_->get_artifact(execution_id("train")).error().code, errc::not_found);
  EXPECT_EQ(names(*metadata_->artifacts_of_type("model", 10)), "model ");
  EXPECT_EQ(names(*metadata_->artifacts_of_type("mode", 10)), "");
  EXPECT_EQ(names(*metadata_->artifacts_where("job", "1", 10)), "checkpoint model ");
  EXPECT_EQ(metadata_->artifacts_where("job", "1", 1)->size(), 1u);
  EXPECT_EQ(names(*metadata_->artifacts_where("job", "2", 10)), "");
  EXPECT_EQ(names(*metadata_->artifacts("", no_limit)), "checkpoint data model ");
  EXPECT_EQ(metadata_->executions("", no_limit)->size(), 2u);
}

TEST_F(metadata_of_a_run, walks_up_and_down_and_no_further_than_told) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  using enum lineage_direction;
  EXPECT_EQ(lineage(artifact_id("model"), upstream), "model export checkpoint train data ");
  EXPECT_EQ(lineage(artifact_id("data"), downstream), "data train checkpoint export model ");
  EXPECT_EQ(lineage(artifact_id("data"), upstream), "data ");
  EXPECT_EQ(lineage(artifact_id("model"), upstream, 2), "model export checkpoint ");
  EXPECT_EQ(lineage(artifact_id("model"), upstream, 0), "model ");
  EXPECT_EQ(lineage(execution_id("train"), upstream), "train data ");
  EXPECT_EQ(lineage(execution_id("export"), both), "export checkpoint model train data ");
  EXPECT_EQ(lineage(artifact_id("nothing"), both), "not found");
  auto graph = metadata_->lineage(artifact_id("model"), upstream, 100);
  EXPECT_EQ(graph->edges.size(), 4u);
  EXPECT_EQ(graph->edges[0], writes("export", "model"));
  EXPECT_EQ(graph->nodes.back().depth, 4u);
  auto part = metadata_->lineage(artifact_id("model"), upstream, 100, 3);
  EXPECT_TRUE(part->truncated);
  EXPECT_EQ(part->nodes.size(), 3u);
}

TEST_F(metadata_of_a_run, ends_its_walk_in_a_ring) {
  auto ring = chain();
  ring.events.push_back(reads("train", "model"));
  ASSERT_EQ(apply(1, ring), errc::ok);
  auto graph = metadata_->lineage(artifact_id("data"), lineage_direction::both, 1000);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->nodes.size(), 5u);
  EXPECT_EQ(graph->edges.size(), 5u);
}

TEST_F(metadata_of_a_run, an_event_applied_again_changes_nothing) {
  ASSERT_EQ(apply(3, chain()), errc::ok);
  auto before = dump();
  auto other = chain();
  other.artifacts[0].name = "other";
  EXPECT_EQ(apply(3, other), errc::ok);
  EXPECT_EQ(apply(2, other), errc::ok);
  EXPECT_EQ(dump(), before);
  reopen();
  EXPECT_EQ(apply(3, other), errc::ok);
  EXPECT_EQ(dump(), before);
}

TEST_F(metadata_of_a_run, a_replay_after_a_crash_gives_the_same_bytes) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  ASSERT_EQ(apply(2, {{thing("more", "dataset")}, {}, {reads("train", "more")}}), errc::ok);
  auto before = dump();
  memory_store second;
  commit_inline writer(second);
  auto replica = metadata::open(second, writer);
  ASSERT_TRUE(replica);
  (*replica)->apply(1, chain(), [](auto) {});
  (*replica)->apply(2, {{thing("more", "dataset")}, {}, {reads("train", "more")}}, [](auto) {});
  std::string after;
  ASSERT_TRUE(second.scan("", "", no_limit, [&](auto key, auto value) {
    after.append(key).append("=").append(value).append("\n");
    return true;
  }));
  EXPECT_EQ(after, before);
}

TEST_F(metadata_of_a_run, new_content_moves_the_indexes) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  auto model = thing("model", "served_model", {{"job", "2"}});
  auto older = thing("model", "draft", {{"job", "3"}});
  ASSERT_EQ(apply(2, {{older, model}, {}, {}}), errc::ok); // the last one holds
  EXPECT_EQ(names(*metadata_->artifacts_of_type("model", 10)), "");
  EXPECT_EQ(names(*metadata_->artifacts_of_type("draft", 10)), "");
  EXPECT_EQ(names(*metadata_->artifacts_of_type("served_model", 10)), "model ");
  EXPECT_EQ(names(*metadata_->artifacts_where("job", "1", 10)), "checkpoint ");
  EXPECT_EQ(names(*metadata_->artifacts_where("job", "2", 10)), "model ");
  EXPECT_EQ(names(*metadata_->artifacts_where("job", "3", 10)), "");
}

TEST_F(metadata_of_a_run, refuses_bad_records_and_writes_nothing) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  auto before = dump();
  auto with = [](auto change) {
    auto x = chain();
    x.artifacts[2].name = "changed";
    change(x);
    return x;
  };
  std::vector<metadata_changes> bad{
    with([](auto& x) { x.artifacts[0].name = "a\nb"; }),
    with([](auto& x) { x.artifacts[0].name = std::string("a\0b", 3); }),
    with([](auto& x) { x.artifacts[0].type = ""; }),
    with([](auto& x) { x.artifacts[0].id = "short"; }),
    with([](auto& x) { x.artifacts[0].uri = std::string(5000, 'u'); }),
    with([](auto& x) { x.artifacts[0].hash = "not a hash"; }),
    with([](auto& x) { x.artifacts[0].properties["k"] = std::string((64 << 10) + 1, 'v'); }),
    with([](auto& x) { x.artifacts[0].properties["\x7f"] = ""; }),
    with([](auto& x) {
      for (int i = 0; i < 300; ++i)
        x.artifacts[0].properties[std::to_string(i)] = "";
    }),
    with([](auto& x) { x.executions[0].state = "\t"; }),
    with([](auto& x) { x.executions[0].name = std::string(257, 'n'); }),
    with([](auto& x) { x.events[0].path = "\x1b[2J"; }),
    with([](auto& x) { x.events.push_back(reads("train", "nothing")); }),
    with([](auto& x) { x.events.push_back(reads("nobody", "data")); }),
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(apply(2, bad[i]), errc::invalid) << i;
    EXPECT_FALSE(text_.empty());
  }
  EXPECT_EQ(apply(0, chain()), errc::invalid);
  EXPECT_EQ(dump(), before);
  EXPECT_EQ(metadata_->applied(), 1u);
  EXPECT_EQ(apply(2, {}), errc::ok); // only the mark
}

TEST_F(metadata_of_a_run, a_failed_write_leaves_nothing_and_is_not_skipped) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  auto before = dump();
  faulty_.fail_after(0);
  EXPECT_EQ(apply(2, {{thing("more", "dataset")}, {}, {}}), errc::io);
  faulty_.mend();
  EXPECT_EQ(apply(3, {}), errc::refused); // it would jump over 2
  EXPECT_EQ(dump(), before);
  reopen();
  EXPECT_EQ(apply(2, {{thing("more", "dataset")}, {}, {}}), errc::ok);
  EXPECT_EQ(apply(3, {}), errc::ok);
  EXPECT_EQ(metadata_->applied(), 3u);
}

TEST_F(metadata_of_a_run, finds_a_flipped_bit) {
  ASSERT_EQ(apply(1, chain()), errc::ok);
  auto key = artifact_key(artifact_id("data"));
  auto value = memory_.get(key)->value();
  value.back() = static_cast<char>(value.back() ^ 1);
  batch x;
  x.put(key, value);
  ASSERT_TRUE(memory_.commit(x, durability::synced));
  EXPECT_EQ(metadata_->get_artifact(artifact_id("data")).error().code, errc::corrupt);
  EXPECT_EQ(lineage(artifact_id("model"), lineage_direction::upstream), "corrupt");
}

TEST_F(metadata_of_a_run, answers_may_apply_the_next_event_for_ever) {
  uint64_t applied = 0;
  std::function<void(result<void>)> next = [&](result<void> x) {
    ASSERT_TRUE(x);
    if (++applied < 20'000) // would end the stack if each call held the next
      metadata_->apply(applied + 1, {}, next);
  };
  metadata_->apply(1, {}, next);
  EXPECT_EQ(metadata_->applied(), 20'000u);
}

TEST(metadata, applies_in_order_through_a_queue) {
  memory_store memory;
  std::vector<uint64_t> answered;
  {
    commit_queue queue(memory);
    auto opened = metadata::open(memory, queue);
    ASSERT_TRUE(opened);
    for (uint64_t i = 1; i <= 200; ++i) {
      // Each names what the one before wrote, and moves the index of one artifact on.
      auto name = std::to_string(i);
      metadata_changes x{{thing(name, "dataset"), thing("last", "model", {{"n", name}})},
                         {run(name)},
                         {writes(name, name)}};
      if (i > 1)
        x.events.push_back(reads(name, std::to_string(i - 1)));
      (*opened)->apply(i, std::move(x), [&answered, i](auto applied) {
        EXPECT_TRUE(applied) << applied.error().text;
        answered.push_back(i);
      });
    }
    opened->reset(); // waits for all of them
    ASSERT_EQ(answered.size(), 200u);
    EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  }
  commit_inline writer(memory);
  auto again = metadata::open(memory, writer);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->applied(), 200u);
  EXPECT_EQ((*again)->artifacts_where("n", "199", 10)->size(), 0u);
  EXPECT_EQ((*again)->artifacts_where("n", "200", 10)->size(), 1u);
  auto graph = (*again)->lineage(artifact_id("200"), lineage_direction::upstream, 1000);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->nodes.size(), 400u);
}

TEST(metadata, ids_are_the_same_in_every_life) {
  EXPECT_EQ(artifact_id("file:///data", sha256("")), artifact_id("file:///data", sha256("")));
  EXPECT_NE(artifact_id("x"), execution_id("x"));
  EXPECT_EQ(artifact_id("x").size(), 32u);
}

} // namespace
} // namespace troupe::storage
