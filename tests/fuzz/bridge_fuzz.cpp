// A hostile peer of a bridge that serves the real master and agent, beside a peer that behaves.
#include "actors/cluster/lineage_projection.hpp"
#include "actors/cluster/master.hpp"
#include "actors/cluster/node_agent.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge.hpp"
#include "storage/commit_inline.hpp"
#include "storage/event_log.hpp"
#include "storage/memory_store.hpp"
#include "storage/metadata/metadata.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/random_frame.hpp"
#include "tests/support/no_packages.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

using echo = caf::typed_actor<caf::replies_to<ping_msg>::with<pong_msg>, caf::reacts_to<note_msg>>;

constexpr link_id good_link{1};
constexpr uint64_t node_life = 7;

// A transport whose peers are the test.
class wire final : public transport {
public:
  result<void> start(transport_receiver& receiver) override {
    receiver_ = &receiver;
    return {};
  }
  result<std::string> listen(const std::string& endpoint) override { return endpoint; }
  result<link_id> connect(const std::string&) override {
    return {errc::unavailable, "the peers dial"};
  }
  result<void> send(link_id link, frame_view frame, urgency) override {
    if (!open_.contains(link))
      return {errc::node_lost, "the link has ended"};
    if (link == good_link)
      sent_.emplace_back(frame.begin(), frame.end());
    return {};
  }
  void close(link_id link) override { open_.erase(link); }
  void stop() override { open_.clear(); }

  void bring_up(link_id link) {
    open_.insert(link);
    receiver_->on_link_up(link, true, "uid:0");
  }
  void bring(link_id link, const byte_vector& frame) {
    if (open_.contains(link))
      receiver_->on_frame(link, std::as_bytes(std::span{frame}), false);
  }
  bool is_open(link_id link) const { return open_.contains(link); }
  std::vector<std::vector<std::byte>> take_sent() { return std::exchange(sent_, {}); }

private:
  transport_receiver* receiver_ = nullptr;
  std::set<link_id> open_;
  std::vector<std::vector<std::byte>> sent_; // over the good link
};

// What a peer sends: numbers its frames as it should.
class peer_voice {
public:
  peer_voice(std::string name, uint64_t life) : name_(std::move(name)), life_(life) {}

  byte_vector hello() {
    hello_msg said;
    said.name = name_;
    said.node = node_named(name_).value;
    said.incarnation = life_;
    said.protocol = 1;
    sequence_ = 0;
    return say({}, codec_of<hello_msg>, caf::make_message(said));
  }

  byte_vector say(envelope_head head, const message_codec& codec,
                  const caf::type_erased_tuple& content) {
    head.sequence = ++sequence_;
    head.sender = node_named(name_).value;
    head.incarnation = life_;
    flatbuffers::FlatBufferBuilder builder;
    auto frame = seal(builder, head, codec, content);
    auto* begin = reinterpret_cast<const uint8_t*>(frame.data());
    return {begin, begin + frame.size()};
  }

private:
  std::string name_;
  uint64_t life_;
  uint64_t sequence_ = 0;
};

class still_clock final : public clock {
public:
  time_point now() const override { return time_point{1000s}; }
  int64_t wall_ns() const override { return 1; }
};

class no_executors final : public executor_launcher {
public:
  result<int> start(const start_task_msg& order) override {
    if (order.command.empty())
      return {errc::invalid, "no command"};
    return ++last_;
  }
  void end(int process, bool) override { ended_.push_back({process, 1}); }
  std::vector<ended_executor> collect() override { return std::exchange(ended_, {}); }
  std::vector<std::pair<start_task_msg, int>> left_running() override { return {}; }
  void remember(const start_task_msg&) override {}
  std::vector<start_task_msg> left_waiting() override { return {}; }
  void forget(const task_id_msg&) override {}

private:
  int last_ = 0;
  std::vector<ended_executor> ended_;
};

echo::behavior_type echo_actor(echo::pointer) {
  return {[](const ping_msg& in) {
            pong_msg out;
            out.sequence = in.sequence;
            return out;
          },
          [](const note_msg&) {}};
}

struct published {
  std::string name;
  std::span<const signature> takes;
};

// The job is let in: what remains hostile in it goes further.
void make_admissible(submit_job_msg& x) {
  x.spec->name = "job";
  x.spec->attempts_max = 3;
  x.spec->tasks.resize(1);
  x.spec->tasks[0] = std::make_unique<task_type_msg>();
  x.spec->tasks[0]->name = "worker";
  x.spec->tasks[0]->command = {"true"};
}

// A node with everything that a peer can reach.
class served_node {
public:
  explicit served_node(random_source& random) : random_(random) {
    config_.set("scheduler.policy", caf::atom("testing"));
    system_ = std::make_unique<caf::actor_system>(config_);
    scheduler_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
    bridge_options options;
    options.name = "master";
    options.life = incarnation{node_life};
    link_ = std::make_unique<bridge>(*system_, options);
    EXPECT_TRUE(link_->attach(carrier));
    start_actors();
    carrier.bring_up(good_link);
    carrier.bring(good_link, good_.hello());
  }

  ~served_node() {
    for (auto& each : actors_)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    link_->stop();
    scheduler_->run();
    actors_.clear();
    link_.reset();
    scheduler_->run();
  }

  served_node(const served_node&) = delete;
  served_node& operator=(const served_node&) = delete;

  // Lets time pass; the good peer is never silent.
  void pass(duration span) {
    for (auto step = 100ms; span > 0ms; span -= step) {
      carrier.bring(good_link,
                    good_.say({}, codec_of<heartbeat_msg>, caf::make_message(heartbeat_msg{})));
      scheduler_->advance_time(step);
      scheduler_->run();
    }
  }

  // Whether every actor still answers the good peer.
  bool answers() {
    read_log_msg log;
    log.type = "worker";
    return answers("echo", codec_of<ping_msg>, caf::make_message(ping_msg{}), payload::pong)
           && answers("master", codec_of<get_cluster_msg>, caf::make_message(get_cluster_msg{}),
                      payload::cluster_status)
           && answers("agent", codec_of<read_log_msg>, caf::make_message(log), payload::log_chunk);
  }

  // Asks the hostile peer, which may answer anything or nothing.
  void ask(const std::string& node) {
    auto remote = link_->proxy<echo>(node_named(node), "echo", {1s, run_on::receiver});
    ++open;
    auto ask_once = [this, remote](caf::event_based_actor* self) {
      self->request(remote, 10s, ping_msg{})
        .then([this](const pong_msg&) { --open; }, [this](caf::error&) { --open; });
    };
    system_->spawn(ask_once);
    scheduler_->run();
  }

  // A frame for one of the actors, mostly of a kind that it takes.
  byte_vector message(peer_voice& voice) {
    auto& to = services_[random_.below(services_.size())];
    auto& how = to.takes[random_.below(to.takes.size())];
    envelope_head head;
    head.actor = random_.chance(0.9) ? std::string_view{to.name} : "nobody";
    head.reply = random_.chance(0.1);
    head.request = head.reply || how.out != nullptr ? 1 + random_.below(20) : 0;
    head.to_incarnation = random_.chance(0.99) ? node_life : hostile_number(random_);
    head.handled = random_.below(3);
    head.budget_ns = static_cast<int64_t>(hostile_number(random_));
    auto raw = random_frame(how.in->kind, random_);
    auto opened = open_frame(std::as_bytes(std::span{raw}));
    EXPECT_TRUE(opened);
    auto content = how.in->unpack((*opened)->body(), nullptr, caf::make_message_id(1));
    if (how.in->kind == payload::submit_job && random_.chance(0.7))
      make_admissible(*static_cast<submit_job_msg*>(content->content().get_mutable(0)));
    return voice.say(head, *how.in, content->content());
  }

  void run() { scheduler_->run(); }

  wire carrier;
  int open = 0; // requests to the hostile peer

private:
  bool answers(const std::string& actor, const message_codec& codec, const caf::message& question,
               payload answer) {
    envelope_head head;
    head.request = ++asked_;
    head.actor = actor;
    (void)carrier.take_sent();
    carrier.bring(good_link, good_.say(head, codec, question));
    scheduler_->run();
    auto sent = carrier.take_sent();
    return std::any_of(sent.begin(), sent.end(), [&](auto& frame) {
      auto opened = open_frame(frame);
      return opened && (*opened)->reply() && (*opened)->request() == asked_
             && (*opened)->body_type() == answer;
    });
  }

  template <class Interface, class Actor>
  void publish(const std::string& name, const Actor& actor, run_on where) {
    link_->publish<Interface>(name, caf::actor_cast<Interface>(actor), where);
    services_.push_back({name, signatures_of<Interface>()});
  }

  void start_actors() {
    log_ = *storage::event_log::open(store_, commits_);
    facts_ = *storage::metadata::open(store_, commits_, wall_);
    lineage_ = std::make_unique<lineage_projection>(*facts_, "jobs", &history_,
                                                    lineage_work::on_callers_thread);
    master_ports ports;
    ports.log = log_.get();
    ports.lineage = lineage_.get();
    ports.packages = &desk_;
    ports.history = &history_;
    ports.history_work = reader_work::on_schedulers_threads;
    ports.link = link_.get();
    ports.time = &time_;
    auto master_actor = *spawn_master(*system_, std::move(ports));
    agent_ports agent;
    agent.options.name = "node-1";
    agent.options.capacity = {4, 1 << 30, 0};
    agent.options.incarnation = 1;
    agent.link = link_.get();
    agent.executors = &executors_;
    agent.packages = &cache_;
    auto agent_actor = spawn_node_agent(*system_, std::move(agent));
    auto echoing = system_->spawn(echo_actor);
    actors_ = {caf::actor_cast<caf::actor>(master_actor), caf::actor_cast<caf::actor>(agent_actor),
               caf::actor_cast<caf::actor>(echoing)};
    publish<master_client_api>("master", master_actor, run_on::pool);
    publish<master_agent_api>("master/agents", master_actor, run_on::pool);
    publish<agent_api>("agent", agent_actor, run_on::receiver);
    publish<agent_executor_api>("agent/executors", agent_actor, run_on::pool);
    publish<echo>("echo", echoing, run_on::receiver);
  }

  random_source& random_;
  peer_voice good_{"good", 1};
  uint64_t asked_ = 0;
  still_clock time_;
  no_executors executors_;
  empty_desk desk_;
  empty_cache cache_;
  storage::memory_store store_;
  storage::commit_inline commits_{store_};
  std::unique_ptr<storage::event_log> log_;
  system_clock wall_;
  std::unique_ptr<storage::metadata> facts_;
  gang_options gangs_;
  job_archive history_{store_, gangs_};
  std::unique_ptr<lineage_projection> lineage_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  std::unique_ptr<bridge> link_;
  std::vector<published> services_;
  std::vector<caf::actor> actors_;
};

// One link of the hostile peer, from its hello until it is cut off.
void attack(served_node& node, link_id link, random_source& random) {
  peer_voice voice{"evil", 1 + random.below(3)};
  node.carrier.bring_up(link);
  auto before = voice.hello();
  if (random.chance(0.95))
    node.carrier.bring(link, before);
  for (auto n = random.below(100); n > 0 && node.carrier.is_open(link); --n) {
    auto frame
      = random.chance(0.05) ? random_frame(
          static_cast<payload>(1 + random.below(static_cast<uint64_t>(payload::MAX))), random)
                            : node.message(voice);
    auto copy = frame;
    if (random.chance(0.04))
      mutate_flatbuffer(frame, before, random);
    if (random.chance(0.1))
      node.ask("evil");
    node.carrier.bring(link, frame);
    node.run();
    before = std::move(copy);
  }
}

class FuzzBridge : public ::testing::Test {
protected:
  void SetUp() override { log::set_level(log::level::off); }
  void TearDown() override { log::set_level(log::level::info); }
};

TEST_F(FuzzBridge, AHostilePeerHarmsNoOther) {
  fuzz("AHostilePeerHarmsNoOther", 300, [](random_source& random) {
    served_node node{random};
    for (uint64_t link = 2; link < 2 + 4; ++link) {
      attack(node, link_id{link}, random);
      ASSERT_TRUE(node.answers()) << "after link " << link;
    }
    node.pass(1300ms);
    EXPECT_EQ(node.open, 0) << "requests to the hostile peer wait for ever";
    EXPECT_TRUE(node.answers());
  });
}

} // namespace
} // namespace troupe::testing
