// Results that are used again.
#include "storage/metadata/reuse.hpp"
#include "tests/support/metadata_fixture.hpp"

namespace troupe::storage {
namespace {

class Reuse : public metadata_test {
protected:
  Reuse() {
    model_ = type(artifact_kind, "Model");
    train_ = type(execution_kind, "Train");
  }

  // An execution with one output; the id of the execution.
  uint64_t run(const std::string& fingerprint, node_state state, node_state of_output) {
    change_set set;
    set.nodes = {make(execution_kind, train_), make(artifact_kind, model_)};
    set.nodes[0].what.fingerprint = fingerprint;
    set.nodes[0].what.state = state;
    set.nodes[1].what.state = of_output;
    set.events = {{node_ref::put(0), node_ref::put(1), event_type::output, {"model"}}};
    return write(set) == errc::ok ? receipt_.ids[0] : 0;
  }

  uint64_t found(const std::string& fingerprint) {
    auto x = find_reusable(metadata_->look(), fingerprint);
    EXPECT_TRUE(x);
    return x && *x ? (*x)->execution : 0;
  }

  uint64_t model_ = 0;
  uint64_t train_ = 0;
};

TEST_F(Reuse, TheNewestWholeResultIsFound) {
  EXPECT_EQ(found("a"), 0u);
  auto first = run("a", node_state::complete, node_state::live);
  auto second = run("a", node_state::cached, node_state::live);
  run("a", node_state::running, node_state::live);
  run("a", node_state::failed, node_state::live);
  run("a", node_state::complete, node_state::pending);
  run("b", node_state::complete, node_state::live);
  EXPECT_EQ(found("a"), second);
  auto outputs = (*find_reusable(metadata_->look(), "a"))->outputs;
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].path, std::vector<path_step>{"model"});
  // What was deleted since is not used again.
  node_put gone;
  gone.what.id = outputs[0].artifact;
  gone.what.state = node_state::deleted;
  gone.mask = {"state"};
  ASSERT_NE(put(gone), 0u);
  EXPECT_EQ(found("a"), first);
}

TEST_F(Reuse, AnyFactMakesAnotherFingerprint) {
  execution_facts x{"v1", {{"lr", "0.1"}}, {{"data", {"h1", "h2"}}}};
  std::vector<execution_facts> others(7, x);
  others[0].code = "v2";
  others[1].config["lr"] = "0.2";
  others[2].config["more"] = "";
  others[3].config = {{"l", "r0.1"}};
  others[4].inputs["data"] = {"h2", "h1"};
  others[5].inputs["data"] = {"h1h2"};
  others[6].inputs["other"] = {};
  for (const auto& each : others)
    EXPECT_NE(fingerprint_of(each), fingerprint_of(x));
  EXPECT_EQ(fingerprint_of(x), fingerprint_of(execution_facts(x)));
  EXPECT_EQ(fingerprint_of({"v1"}).size(), 64u);
}

} // namespace
} // namespace troupe::storage
