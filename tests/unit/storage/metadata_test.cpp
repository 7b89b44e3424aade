// What change sets do to the metadata store.
#include "storage/commit_queue.hpp"
#include "tests/support/metadata_fixture.hpp"

#include <future>
#include <limits>
#include <thread>

namespace troupe::storage {
namespace {

class Metadata : public metadata_test {
protected:
  Metadata() {
    model_
      = type(artifact_kind, "Model", {{"accuracy", value_kind::real}, {"n", value_kind::integer}});
    train_ = type(execution_kind, "Train");
    study_ = type(context_kind, "Study", {{"goal", value_kind::text}});
  }

  node_put model(const std::string& name = {}) { return make(artifact_kind, model_, name); }
  node_put train(const std::string& name = {}) { return make(execution_kind, train_, name); }
  node_put study(const std::string& name) { return make(context_kind, study_, name); }

  uint64_t model_ = 0;
  uint64_t train_ = 0;
  uint64_t study_ = 0;
};

TEST_F(Metadata, GivesBackWhatWasPut) {
  auto x = model("best");
  x.what.external_id = "run-7/best";
  x.what.state = node_state::live;
  x.what.uri = "file:///models/best";
  x.what.hash = std::string(64, 'a');
  x.what.properties = {{"accuracy", 0.91}, {"n", int64_t{-4}}};
  x.what.custom = {{"note", std::string("said \"yes\"\n")},
                   {"ok", true},
                   {"more", json_text{"{\"a\":[1,2]}"}},
                   {"message", any_bytes{"type.example/x", std::string("\0\xff", 2)}},
                   {"far", std::numeric_limits<double>::infinity()}};
  auto wanted = x.what;
  clock_.wall = 55;
  auto id = put(x);
  ASSERT_EQ(id, 1u) << text_;
  reopen();
  auto found = get(artifact_kind, 1);
  wanted.id = 1;
  wanted.version = 1;
  wanted.sequence = 4;
  wanted.created_ns = found.created_ns;
  wanted.updated_ns = found.updated_ns;
  EXPECT_EQ(found, wanted);
  auto view = metadata_->look();
  EXPECT_EQ((*view.named(artifact_kind, model_, "best"))->id, 1u);
  EXPECT_EQ((*view.by_external_id(artifact_kind, "run-7/best"))->id, 1u);
  EXPECT_FALSE(*view.by_external_id(execution_kind, "run-7/best"));
  EXPECT_EQ(view.get(execution_kind, 1).error().code, errc::not_found);
  EXPECT_EQ(view.get(artifact_kind, 2).error().code, errc::not_found);
}

TEST_F(Metadata, WritesAnExecutionWithAllOfItsNodesOrNothing) {
  change_set set;
  set.nodes = {model("in"), train("run"), model("out"), study("s")};
  set.events = {{node_ref::put(1), node_ref::put(0), event_type::input, {"data", int64_t{0}}},
                {node_ref::put(1), node_ref::put(2), event_type::output}};
  set.links = {{link_kind::attribution, node_ref::put(3), node_ref::put(0)},
               {link_kind::association, node_ref::put(3), node_ref::put(1)}};
  auto before = dump();
  auto bad = set;
  bad.events.push_back({node_ref::put(1), node_ref::stored(77), event_type::output});
  EXPECT_EQ(write(bad), errc::invalid);
  EXPECT_NE(text_.find("there is no artifact 77"), std::string::npos) << text_;
  EXPECT_EQ(dump(), before);
  ASSERT_EQ(write(set), errc::ok) << text_;
  EXPECT_EQ(receipt_.ids, (std::vector<uint64_t>{1, 1, 2, 1}));
  auto view = metadata_->look();
  auto events = *view.events(execution_kind, 1);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].artifact, 1u);
  EXPECT_EQ(events[0].path, (std::vector<path_step>{"data", int64_t{0}}));
  EXPECT_EQ(events[1].type, event_type::output);
  EXPECT_EQ(*view.events(artifact_kind, 1), std::vector<event>{events[0]});
  EXPECT_EQ((*view.links(link_kind::attribution, true, 1)).at(0).other, 1u);
  EXPECT_EQ((*view.links(link_kind::association, false, 1)).at(0).context, 1u);
}

TEST_F(Metadata, AnUpdateReplacesAllAndAMaskSomeOfIt) {
  auto x = model("m");
  x.what.uri = "a";
  x.what.properties = {{"accuracy", 0.5}, {"n", int64_t{1}}};
  x.what.custom = {{"old", int64_t{1}}};
  ASSERT_EQ(put(x), 1u);
  node_put change;
  change.what.id = 1;
  change.what.state = node_state::live;
  change.what.properties = {{"n", int64_t{2}}};
  ASSERT_EQ(put(change), 1u) << text_;
  auto now = get(artifact_kind, 1);
  EXPECT_EQ(now.name, "m");
  EXPECT_EQ(now.uri, "");
  EXPECT_EQ(now.version, 2u);
  EXPECT_EQ(now.properties, (property_map{{"n", int64_t{2}}}));
  EXPECT_TRUE(now.custom.empty());

  change.what.properties = {{"accuracy", 0.7}};
  change.what.custom = {{"new", std::string("x")}, {"other", true}};
  change.what.state = node_state::none;
  change.mask = {"properties.accuracy", "properties.n", "custom_properties.new", "nothing"};
  ASSERT_EQ(put(change), 1u) << text_;
  now = get(artifact_kind, 1);
  EXPECT_EQ(now.state, node_state::live);
  EXPECT_EQ(now.properties, (property_map{{"accuracy", 0.7}}));
  EXPECT_EQ(now.custom, (property_map{{"new", std::string("x")}}));

  change.mask = {"nothing"};
  ASSERT_EQ(put(change), 1u);
  EXPECT_EQ(get(artifact_kind, 1).version, 3u);
  change.mask = {"properties"};
  ASSERT_EQ(put(change), 1u);
  EXPECT_EQ(get(artifact_kind, 1).version, 3u) << "it was so already";
}

TEST_F(Metadata, WhatIsAsItWasChangesNothing) {
  ASSERT_EQ(put(model("m")), 1u);
  auto before = dump();
  auto sequence = metadata_->sequence();
  auto same = model();
  same.what.id = 1;
  ASSERT_EQ(put(same), 1u);
  EXPECT_EQ(receipt_.sequence, sequence);
  EXPECT_EQ(receipt_.versions, std::vector<uint64_t>{1});
  EXPECT_EQ(dump(), before);
}

TEST_F(Metadata, NamesAndExternalIdsAreUnique) {
  auto x = model("m");
  x.what.external_id = "e";
  ASSERT_EQ(put(x), 1u);
  EXPECT_EQ(put(model("m")), 0u);
  EXPECT_NE(text_.find("the name m is that of the artifact 1"), std::string::npos) << text_;
  auto other = model();
  other.what.external_id = "e";
  EXPECT_EQ(put(other), 0u);
  EXPECT_NE(text_.find("external id e"), std::string::npos) << text_;
  // Of another kind or type it is another name.
  auto run = train("m");
  run.what.external_id = "e";
  EXPECT_EQ(put(run), 1u) << text_;
  EXPECT_EQ(put(make(artifact_kind, type(artifact_kind, "Data"), "m")), 2u) << text_;
  // Within one set too.
  change_set twice;
  twice.nodes = {model("n"), model("n")};
  EXPECT_EQ(write(twice), errc::already_exists);
  // A name that was given up is free.
  ASSERT_EQ(put(study("s")), 1u);
  auto renamed = study("t");
  renamed.what.id = 1;
  ASSERT_EQ(put(renamed), 1u) << text_;
  EXPECT_EQ(put(study("s")), 2u) << text_;
}

TEST_F(Metadata, WhatExistsIsRefusedKeptOrUpdated) {
  auto x = study("s");
  x.what.properties = {{"goal", std::string("first")}};
  ASSERT_EQ(put(x), 1u);
  x.what.properties = {{"goal", std::string("second")}};
  EXPECT_EQ(put(x), 0u);
  x.existing = on_existing::keep;
  EXPECT_EQ(put(x), 1u);
  EXPECT_EQ(get(context_kind, 1).version, 1u);
  x.existing = on_existing::update;
  EXPECT_EQ(put(x), 1u);
  EXPECT_EQ(get(context_kind, 1).properties.at("goal"), property_value(std::string("second")));

  // By the external id where it is known, else as a new one.
  auto thing = model();
  thing.existing = on_existing::update;
  thing.what.external_id = "e";
  thing.what.uri = "u1";
  EXPECT_EQ(put(thing), 1u);
  thing.what.uri = "u2";
  thing.what.type = 0; // the one that is there tells it
  EXPECT_EQ(put(thing), 1u) << text_;
  EXPECT_EQ(get(artifact_kind, 1).uri, "u2");
}

TEST_F(Metadata, AnUpdateOfAnotherVersionIsRefused) {
  ASSERT_EQ(put(model("m")), 1u);
  node_put change;
  change.what.id = 1;
  change.what.uri = "a";
  change.if_version = 1;
  EXPECT_EQ(put(change), 1u);
  change.what.uri = "b";
  change_set set;
  set.nodes = {change};
  EXPECT_EQ(write(set), errc::refused);
  EXPECT_NE(text_.find("version 2, not 1"), std::string::npos) << text_;
  EXPECT_EQ(get(artifact_kind, 1).uri, "a");
}

TEST_F(Metadata, RefusesWhatIsMalformed) {
  auto before = dump();
  auto refused = [&](node_put x, std::string_view why, errc code = errc::invalid) {
    change_set set;
    set.nodes = {std::move(x)};
    EXPECT_EQ(write(set), code) << why;
    EXPECT_NE(text_.find(why), std::string::npos) << text_;
  };
  refused(make(artifact_kind, 0), "has no type");
  refused(make(artifact_kind, 99), "there is no type 99", errc::not_found);
  refused(make(artifact_kind, train_), "there is no type", errc::not_found);
  refused(make(context_kind, study_), "is empty");
  refused(model("a\nb"), "control character");
  refused(model("caf\xe9"), "not UTF-8");
  refused(model(std::string(257, 'x')), "at most 256");
  auto x = model();
  x.what.properties = {{"nope", int64_t{1}}};
  refused(x, "declares no property nope");
  x.what.properties = {{"n", 1.5}};
  refused(x, "unmatched property type");
  x = model();
  x.what.custom = {{"big", std::string(metadata_limits::value_max + 1, 'x')}};
  refused(x, "at most 65536");
  x.what.custom = {{"nan", std::numeric_limits<double>::quiet_NaN()}};
  refused(x, "not a number");
  x.what.custom = {{"", true}};
  refused(x, "is empty");
  x = model();
  x.what.hash = "abc";
  refused(x, "64 lowercase");
  x = model();
  x.what.state = node_state::running;
  refused(x, "the state RUNNING");
  x = model();
  x.what.id = 5;
  refused(x, "there is no artifact 5");
  x = train();
  x.what.uri = "u";
  refused(x, "only an artifact has a uri");
  change_set many;
  many.nodes.resize(metadata_limits::changes_max + 1, model());
  EXPECT_EQ(write(many), errc::invalid);
  EXPECT_EQ(dump(), before);
}

TEST_F(Metadata, EventsAreUniqueAndComplete) {
  change_set set;
  set.nodes = {model(), train()};
  ASSERT_EQ(write(set), errc::ok);
  ASSERT_EQ(put_event(1, event_type::input, 1), errc::ok) << text_;
  EXPECT_EQ(put_event(1, event_type::input, 1, {"another path"}), errc::already_exists);
  EXPECT_EQ(put_event(1, event_type::declared_input, 1), errc::ok) << text_;
  EXPECT_EQ(put_event(1, event_type::input, 9), errc::invalid);
  EXPECT_EQ(put_event(9, event_type::input, 1), errc::invalid);
  change_set kept;
  kept.keep_events = true;
  kept.events = {{node_ref::stored(1), node_ref::stored(1), event_type::input, {"again"}}};
  EXPECT_EQ(write(kept), errc::ok);
  EXPECT_EQ(metadata_->look().events(artifact_kind, 1)->size(), 2u);
  change_set wrong;
  wrong.nodes = {model()};
  wrong.events = {{node_ref::put(0), node_ref::stored(1), event_type::input}};
  EXPECT_EQ(write(wrong), errc::invalid);
  EXPECT_NE(text_.find("is no execution"), std::string::npos) << text_;
  change_set early;
  early.events = {{node_ref::stored(1),
                   node_ref::stored(1),
                   event_type::internal_input,
                   {},
                   static_cast<uint64_t>(clock_.wall) + 301'000'000'000}};
  EXPECT_EQ(write(early), errc::invalid);
  EXPECT_NE(text_.find("301 s ahead"), std::string::npos) << text_;
}

TEST_F(Metadata, NothingIsMadeOfItself) {
  change_set set;
  set.nodes = {model(), train(), model(), train(), model()};
  auto event = [](size_t execution, event_type type, size_t artifact) {
    return event_put{node_ref::put(execution), node_ref::put(artifact), type};
  };
  set.events = {event(1, event_type::input, 0), event(1, event_type::output, 2),
                event(3, event_type::input, 2), event(3, event_type::output, 4)};
  ASSERT_EQ(write(set), errc::ok) << text_; // 1 -> x1 -> 2 -> x2 -> 3
  auto before = dump();
  EXPECT_EQ(put_event(1, event_type::input, 3), errc::invalid);
  EXPECT_NE(text_.find("made of itself"), std::string::npos) << text_;
  EXPECT_EQ(put_event(2, event_type::output, 1), errc::invalid);
  EXPECT_EQ(put_event(1, event_type::output, 1), errc::invalid);
  EXPECT_EQ(dump(), before);
  change_set fresh;
  fresh.nodes = {model(), train()};
  fresh.events = {event(1, event_type::input, 0), event(1, event_type::output, 0)};
  EXPECT_EQ(write(fresh), errc::invalid);
  // A second way to the same thing is none.
  EXPECT_EQ(put_event(2, event_type::declared_input, 1), errc::ok) << text_;
}

TEST_F(Metadata, ContextsLinkOnceAndNeverAboveThemselves) {
  change_set set;
  set.nodes = {study("a"), study("b"), study("c"), model(), train()};
  ASSERT_EQ(write(set), errc::ok);
  EXPECT_EQ(put_link(link_kind::attribution, 1, 1), errc::ok);
  EXPECT_EQ(put_link(link_kind::attribution, 1, 1), errc::ok) << "again is harmless";
  EXPECT_EQ(put_link(link_kind::association, 1, 1), errc::ok);
  EXPECT_EQ(put_link(link_kind::association, 1, 7), errc::invalid);
  EXPECT_EQ(put_link(link_kind::parent, 1, 2), errc::ok);
  EXPECT_EQ(put_link(link_kind::parent, 1, 2), errc::already_exists);
  EXPECT_EQ(put_link(link_kind::parent, 1, 3), errc::ok) << "several parents are fine";
  EXPECT_EQ(put_link(link_kind::parent, 2, 3), errc::ok);
  EXPECT_EQ(put_link(link_kind::parent, 3, 1), errc::invalid);
  EXPECT_EQ(put_link(link_kind::parent, 2, 2), errc::invalid);
  EXPECT_EQ(put_link(link_kind::parent, 2, 9), errc::invalid);
  EXPECT_EQ(metadata_->look().links(link_kind::parent, false, 3)->size(), 2u);
}

TEST_F(Metadata, WhatIsMergedHasTheSameBounds) {
  ASSERT_EQ(put(model()), 1u);
  auto add = [&](int from) {
    node_put x;
    x.what.id = 1;
    for (int i = from; i < from + 200; ++i) {
      x.what.custom.emplace(std::to_string(i), true);
      x.mask.push_back(std::string("custom_properties.").append(std::to_string(i)));
    }
    return put(x);
  };
  EXPECT_EQ(add(0), 1u) << text_;
  EXPECT_EQ(add(200), 0u);
  EXPECT_NE(text_.find("at most 256"), std::string::npos) << text_;
}

TEST_F(Metadata, ALongChainOfParentsIsChecked) {
  change_set set;
  for (size_t i = 0; i < 20'000; ++i) {
    set.nodes.push_back(study(std::to_string(i)));
    if (i > 0)
      set.links.push_back({link_kind::parent, node_ref::put(i), node_ref::put(i - 1)});
  }
  auto circle = set;
  circle.links.push_back({link_kind::parent, node_ref::put(0), node_ref::put(19'999)});
  EXPECT_EQ(write(circle), errc::invalid);
  EXPECT_NE(text_.find("above itself"), std::string::npos) << text_;
  EXPECT_EQ(write(set), errc::ok) << text_;
}

TEST_F(Metadata, ATimeAheadIsClampedWhereThatIsAsked) {
  change_set set;
  set.nodes = {model(), train()};
  set.events = {{node_ref::put(1),
                 node_ref::put(0),
                 event_type::input,
                 {},
                 static_cast<uint64_t>(clock_.wall) + 900'000'000'000}};
  EXPECT_EQ(write(set), errc::invalid);
  set.clamp_times = true;
  ASSERT_EQ(write(set), errc::ok) << text_;
  EXPECT_LE(metadata_->look().events(artifact_kind, 1)->at(0).time_ns,
            static_cast<uint64_t>(clock_.wall));
}

TEST_F(Metadata, AnExternalIdOfAnotherTypeIsNotShared) {
  auto x = model();
  x.what.external_id = "e";
  ASSERT_EQ(put(x), 1u);
  x.what.type = type(artifact_kind, "Other");
  for (auto rule : {on_existing::keep, on_existing::update}) {
    x.existing = rule;
    EXPECT_EQ(put(x), 0u);
    EXPECT_NE(text_.find("of another type"), std::string::npos) << text_;
  }
}

TEST_F(Metadata, ShowsThePast) {
  ASSERT_EQ(put(model("m")), 1u);
  auto first = receipt_.sequence;
  node_put change;
  change.what.id = 1;
  change.what.uri = "second";
  ASSERT_EQ(put(change), 1u);
  auto second = receipt_.sequence;
  change.what.uri = "third";
  ASSERT_EQ(put(change), 1u);
  change_set run;
  run.nodes = {train("t")};
  run.events = {{node_ref::put(0), node_ref::stored(1), event_type::input}};
  ASSERT_EQ(write(run), errc::ok);
  EXPECT_EQ(get(artifact_kind, 1, first).uri, "");
  EXPECT_EQ(get(artifact_kind, 1, second).uri, "second");
  EXPECT_EQ(get(artifact_kind, 1).uri, "third");
  auto then = metadata_->look(second);
  EXPECT_EQ(then.get(execution_kind, 1).error().code, errc::not_found);
  EXPECT_TRUE(then.events(artifact_kind, 1)->empty());
  EXPECT_EQ(metadata_->look(first - 1).get(artifact_kind, 1).error().code, errc::not_found);
  auto versions = *metadata_->look().versions(artifact_kind, 1);
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_EQ(versions[1].uri, "second");
}

TEST_F(Metadata, TellsEveryChangeInOrder) {
  auto from = metadata_->sequence() + 1;
  std::vector<std::pair<uint64_t, change_record>> seen;
  metadata_->observe(
    [&](uint64_t sequence, const change_record& what) { seen.emplace_back(sequence, what); });
  change_set set;
  set.nodes = {model("m"), study("s")};
  ASSERT_EQ(write(set), errc::ok);
  node_put change;
  change.what.id = 1;
  change.what.uri = "u";
  ASSERT_EQ(put(change), 1u);
  ASSERT_EQ(put_link(link_kind::attribution, 1, 1), errc::ok);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].first, from);
  EXPECT_EQ(seen[0].second.nodes,
            (std::vector<node_change>{{change_kind::created, artifact_kind, 1, model_, 1},
                                      {change_kind::created, context_kind, 1, study_, 1}}));
  EXPECT_EQ(seen[1].second.nodes,
            (std::vector<node_change>{{change_kind::updated, artifact_kind, 1, model_, 2}}));
  EXPECT_EQ(seen[2].second.nodes,
            (std::vector<node_change>{{change_kind::linked, artifact_kind, 1, model_, 2}}));
  std::vector<std::pair<uint64_t, change_record>> stored;
  reopen();
  ASSERT_TRUE(metadata_->look().changes(from, [&](uint64_t sequence, const change_record& what) {
    stored.emplace_back(sequence, what);
    return true;
  }));
  EXPECT_EQ(stored, seen);
}

TEST_F(Metadata, TimesOfTheStoreNeverGoBack) {
  clock_.wall = 2'000;
  ASSERT_EQ(put(model()), 1u);
  clock_.wall = 1'000;
  ASSERT_EQ(put(model()), 2u);
  EXPECT_GE(get(artifact_kind, 2).created_ns, get(artifact_kind, 1).created_ns);
}

TEST_F(Metadata, ASetIsCheckedAgainstThoseOnTheirWay) {
  faulty_store slow(memory_);
  metadata_.reset();
  commit_queue queue(slow);
  auto store = std::move(*metadata::open(slow, queue, clock_));
  slow.hold();
  std::promise<result<receipt>> first;
  std::promise<result<receipt>> second;
  change_set one;
  one.nodes = {model("m")};
  store->write(one, [&](auto x) { first.set_value(std::move(x)); });
  // Its name is taken by what is not written yet; its artifact is known.
  result<receipt> clash = receipt();
  store->write(one, [&](auto x) { clash = std::move(x); });
  ASSERT_FALSE(clash);
  EXPECT_EQ(clash.error().code, errc::already_exists);
  change_set two;
  two.nodes = {train("t")};
  two.events = {{node_ref::put(0), node_ref::stored(1), event_type::input}};
  store->write(two, [&](auto x) { second.set_value(std::move(x)); });
  EXPECT_EQ(store->look().get(artifact_kind, 1).error().code, errc::not_found);
  slow.release();
  ASSERT_TRUE(first.get_future().get());
  auto done = second.get_future().get();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(store->look().events(artifact_kind, 1)->size(), 1u);
  EXPECT_EQ(store->sequence(), done->sequence);
}

TEST_F(Metadata, AFullQueueTakesNothingAndLosesNothing) {
  faulty_store slow(memory_);
  metadata_.reset();
  commit_queue queue(slow, {4096, 4096});
  auto store = std::move(*metadata::open(slow, queue, clock_));
  slow.hold();
  std::atomic<int> good = 0;
  std::atomic<int> full = 0;
  for (int i = 0; i < 50; ++i) {
    change_set one;
    one.nodes = {model(std::to_string(i))};
    store->write(one, [&](auto x) { ++(x ? good : full); });
  }
  EXPECT_GT(full, 0);
  slow.release();
  store.reset();
  EXPECT_EQ(good + full, 50);
  store = std::move(*metadata::open(slow, queue, clock_));
  auto counters = *store->look().counters();
  EXPECT_EQ(counters.artifacts, static_cast<uint64_t>(good));
  EXPECT_EQ(counters.sequence, 3u + static_cast<uint64_t>(good)) << "no number was left out";
  change_set one;
  one.nodes = {model("later")};
  ASSERT_TRUE(store->write(one));
}

TEST_F(Metadata, AfterAFailedWriteNothingIsTaken) {
  faulty_.fail_after(0);
  change_set one;
  one.nodes = {model("m")};
  EXPECT_NE(write(one), errc::ok);
  faulty_.mend();
  EXPECT_EQ(write(one), errc::unavailable);
  reopen();
  EXPECT_EQ(write(one), errc::ok) << text_;
}

} // namespace
} // namespace troupe::storage
