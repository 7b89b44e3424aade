// A metadata store in memory, and short words for what tests put in it.
#pragma once

#include "storage/commit_inline.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/support/faulty_store.hpp"

#include <gtest/gtest.h>

namespace troupe::storage {

class set_clock final : public clock {
public:
  time_point now() const override { return time_point{duration{wall}}; }
  int64_t wall_ns() const override { return wall; }

  int64_t wall = 1'000'000'000;
};

class metadata_test : public ::testing::Test {
protected:
  metadata_test() : faulty_(memory_) { reopen(); }

  void reopen() {
    metadata_.reset();
    writer_ = std::make_unique<commit_inline>(faulty_);
    auto opened = metadata::open(faulty_, *writer_, clock_);
    ASSERT_TRUE(opened) << opened.error().text;
    metadata_ = std::move(*opened);
  }

  errc write(change_set set) {
    auto done = metadata_->write(std::move(set));
    text_ = done ? "" : done.error().text;
    if (done)
      receipt_ = std::move(*done);
    return done ? errc::ok : done.error().code;
  }

  uint64_t type(node_kind kind, const std::string& name,
                std::map<std::string, value_kind, std::less<>> properties = {},
                type_evolution rule = {}) {
    change_set set;
    set.evolution = rule;
    auto& x = set.types.emplace_back();
    x.kind = kind;
    x.name = name;
    x.properties = std::move(properties);
    return write(std::move(set)) == errc::ok ? receipt_.types[0] : 0;
  }

  static node_put make(node_kind kind, uint64_t type, const std::string& name = {}) {
    node_put out;
    out.what.kind = kind;
    out.what.type = type;
    out.what.name = name;
    return out;
  }

  // 0 where it was refused.
  uint64_t put(node_put x) {
    change_set set;
    set.nodes.push_back(std::move(x));
    return write(std::move(set)) == errc::ok ? receipt_.ids[0] : 0;
  }

  errc put_event(uint64_t execution, event_type type, uint64_t artifact,
                 std::vector<path_step> path = {}) {
    change_set set;
    set.events.push_back(
      {node_ref::stored(execution), node_ref::stored(artifact), type, std::move(path), 0});
    return write(std::move(set));
  }

  errc put_link(link_kind kind, uint64_t context, uint64_t other) {
    change_set set;
    set.links.push_back({kind, node_ref::stored(context), node_ref::stored(other)});
    return write(std::move(set));
  }

  node get(node_kind kind, uint64_t id, uint64_t as_of = latest) {
    auto found = metadata_->look(as_of).get(kind, id);
    EXPECT_TRUE(found) << found.error().text;
    return found ? *found : node();
  }

  std::string dump() {
    std::string out;
    EXPECT_TRUE(memory_.scan("", "", no_limit, [&](auto key, auto value) {
      out.append(key).append("=").append(value).append("\n");
      return true;
    }));
    return out;
  }

  memory_store memory_;
  faulty_store faulty_;
  set_clock clock_;
  std::unique_ptr<commit_inline> writer_;
  std::unique_ptr<metadata> metadata_;
  receipt receipt_;
  std::string text_;
};

inline constexpr auto artifact_kind = node_kind::artifact;
inline constexpr auto execution_kind = node_kind::execution;
inline constexpr auto context_kind = node_kind::context;

} // namespace troupe::storage
