// One local transport for many bridges of a process: each node has links of its own, as if it were
// a process, and they share the thread that reads.
#pragma once

#include "runtime/local_transport.hpp"

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace troupe::bench {

// It dials only; it is never stopped.
class shared_transport final : public transport_receiver {
public:
  shared_transport() : carrier_(make_local_transport()) {}

  result<void> start() { return carrier_->start(*this); }

  // The transport of one bridge. It lives as long as this.
  transport& add() {
    parts_.push_back(std::make_unique<part>(*this));
    return *parts_.back();
  }

  void on_link_up(link_id link, bool accepted, const std::string& principal) override {
    std::lock_guard dialled{dialling_}; // its owner is known then
    if (auto* owner = find(link))
      owner->on_link_up(link, accepted, principal);
  }

  void on_frame(link_id link, frame_view frame, bool more) override {
    if (auto* owner = find(link))
      owner->on_frame(link, frame, more);
  }

  void on_link_down(link_id link, const error& reason) override {
    auto* owner = find(link);
    {
      std::unique_lock guard{mutex_};
      owners_.erase(link.value);
    }
    if (owner)
      owner->on_link_down(link, reason);
  }

private:
  struct part final : transport {
    explicit part(shared_transport& whole_) : whole(whole_) {}

    result<void> start(transport_receiver& receiver_) override {
      receiver = &receiver_;
      return {};
    }
    result<std::string> listen(const std::string&) override {
      return {errc::refused, "a shared transport only dials"};
    }
    result<link_id> connect(const std::string& endpoint) override {
      std::lock_guard dials{whole.dialling_};
      auto link = whole.carrier_->connect(endpoint);
      std::unique_lock guard{whole.mutex_};
      if (link)
        whole.owners_[link->value] = receiver;
      return link;
    }
    result<void> send(link_id link, frame_view frame, urgency when) override {
      return whole.carrier_->send(link, frame, when);
    }
    void close(link_id link) override { whole.carrier_->close(link); }
    void stop() override {}

    shared_transport& whole;
    transport_receiver* receiver = nullptr;
  };

  transport_receiver* find(link_id link) {
    std::shared_lock guard{mutex_};
    auto found = owners_.find(link.value);
    return found == owners_.end() ? nullptr : found->second;
  }

  std::unique_ptr<transport> carrier_;
  std::vector<std::unique_ptr<part>> parts_;
  std::mutex dialling_;
  std::shared_mutex mutex_; // guards owners_
  std::unordered_map<uint64_t, transport_receiver*> owners_;
};

} // namespace troupe::bench
