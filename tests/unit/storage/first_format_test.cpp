// A store that Troupe 0.1.0 wrote opens, and holds what it held.
#include "storage/hash.hpp"
#include "storage/metadata/query.hpp"
#include "storage/record.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

// As 0.1.0 made and wrote them.
std::string old_id(std::string_view kind, std::string_view key) {
  return sha256(std::string(kind).append(1, '\0').append(key)).substr(0, 32);
}

void put_sealed(batch& to, const std::string& key, const std::string& payload) {
  to.put(key, seal(key, payload));
}

std::string put_artifact(batch& to, const std::string& type, const std::string& uri,
                         const std::string& hash,
                         const std::map<std::string, std::string>& properties = {}) {
  auto id = old_id("artifact", std::string(uri).append(1, '\0').append(hash));
  field_writer out;
  for (const auto& text : {id, type, uri, uri, hash})
    out.text(text);
  out.number(17);
  out.map(properties);
  put_sealed(to, "a" + id, out.take());
  put_sealed(to, "y" + type + std::string(1, '\0') + id, "");
  put_sealed(to, "q0123456789abcdef" + id, "");
  return id;
}

std::string put_execution(batch& to, const std::string& type, const std::string& key,
                          const std::string& state,
                          const std::map<std::string, std::string>& properties) {
  auto id = old_id("execution", key);
  field_writer out;
  for (const auto& text : {id, type, std::string("mnist"), state})
    out.text(text);
  out.map(properties);
  put_sealed(to, "x" + id, out.take());
  return id;
}

void put_edge(batch& to, const std::string& execution, char direction, const std::string& artifact,
              const std::string& path) {
  put_sealed(to, "d" + execution + direction + artifact + path, "");
  put_sealed(to, "u" + artifact + direction + execution + path, "");
}

class FirstFormat : public metadata_test {
protected:
  void SetUp() override {
    batch old;
    job_ = put_execution(old, "job", "job/3", "succeeded",
                         {{"job", "3"}, {"user", "ada"}, {"outputs", "model\n"}});
    attempt_ = put_execution(old, "attempt", "job/3/attempt/1", "succeeded",
                             {{"job", "3"}, {"attempt", "1"}, {"tasks", "worker:0 on n1\n"}});
    data_ = put_artifact(old, "file", "file:///caf\xe9", "");
    model_ = put_artifact(old, "output", "file:///model", std::string(64, 'b'), {{"job", "3"}});
    put_edge(old, attempt_, 'i', data_, "caf\xe9");
    put_edge(old, attempt_, 'i', data_, "again");
    put_edge(old, attempt_, 'o', model_, "model");
    for (int i = 0; i < 3000; ++i)
      put_artifact(old, "file", "file:///" + std::to_string(i), "");
    put_sealed(old, "p", "not the metadata's");
    ASSERT_TRUE(memory_.commit(old, durability::synced));
  }

  void expect_all() {
    auto view = metadata_->look();
    auto job = view.by_external_id(context_kind, job_);
    ASSERT_TRUE(job && *job);
    EXPECT_EQ((*job)->name, "job/3");
    EXPECT_EQ((*job)->custom.at("user"), property_value(std::string("ada")));
    auto attempt = view.by_external_id(execution_kind, attempt_);
    ASSERT_TRUE(attempt && *attempt);
    EXPECT_EQ((*attempt)->state, node_state::complete);
    EXPECT_EQ(view.links(link_kind::association, true, (*job)->id)->size(), 1u);
    auto events = *view.events(execution_kind, (*attempt)->id);
    ASSERT_EQ(events.size(), 2u);
    auto data = *view.get(artifact_kind, events[0].artifact);
    EXPECT_EQ(data.external_id, data_);
    EXPECT_EQ(data.uri, "file:///caf%E9");
    EXPECT_EQ(events[1].path, std::vector<path_step>{"model"});
    auto model = *view.by_external_id(artifact_kind, model_);
    EXPECT_EQ(model->hash, std::string(64, 'b'));
    auto files
      = list_nodes(view, {artifact_kind, "type = 'file'", list_order::id, false, 9999, {}});
    EXPECT_EQ(files->nodes.size(), 3001u);
    std::string left;
    ASSERT_TRUE(memory_.scan("", "", no_limit, [&](auto key, auto) {
      if (key[0] != 'm')
        left += key[0];
      return true;
    }));
    EXPECT_EQ(left, "p");
  }

  std::string job_;
  std::string attempt_;
  std::string data_;
  std::string model_;
};

TEST_F(FirstFormat, IsReadOnce) {
  reopen();
  expect_all();
  auto before = dump();
  reopen();
  EXPECT_EQ(dump(), before);
}

// 0.1.0 let a job read what it wrote.
TEST_F(FirstFormat, WhatIsRefusedTodayIsLeftOutAlone) {
  batch circle;
  put_edge(circle, attempt_, 'i', model_, "model");
  ASSERT_TRUE(memory_.commit(circle, durability::synced));
  reopen();
  auto view = metadata_->look();
  auto attempt = *view.by_external_id(execution_kind, attempt_);
  ASSERT_TRUE(attempt);
  EXPECT_EQ(view.events(execution_kind, attempt->id)->size(), 2u);
  EXPECT_EQ(view.counters()->artifacts, 3002u);
}

TEST_F(FirstFormat, IsReadWhereverItWasInterrupted) {
  for (size_t commits = 0; commits < 10; ++commits) {
    faulty_.fail_after(commits);
    EXPECT_FALSE(metadata::open(faulty_, *writer_, clock_)) << commits;
    memory_.crash();
    if (commits == 5)
      break; // as many as it takes, but for the last
  }
  faulty_.mend();
  reopen();
  expect_all();
}

TEST_F(FirstFormat, ADamagedRecordIsNoReasonToForgetIt) {
  batch bad;
  bad.put("a" + data_, "damaged");
  ASSERT_TRUE(memory_.commit(bad, durability::synced));
  auto opened = metadata::open(memory_, *writer_, clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_TRUE(memory_.get("a" + data_)->has_value());
}

} // namespace
} // namespace troupe::storage
