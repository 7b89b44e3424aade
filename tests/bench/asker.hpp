// An actor that asks: one request after the other, or a window of them in flight.
#pragma once

#include "tests/bench/rounds.hpp"

#include <caf/all.hpp>

#include <cstdio>
#include <cstdlib>
#include <future>

namespace troupe::bench {

struct asker_state {
  static inline const char* name = "asker";
  int sent = 0;
  int got = 0;
  std::chrono::steady_clock::time_point asked;
  std::vector<double> times_us;
};

// `request` sends one on behalf of the actor it is given; the answers are of the types `Answer`.
template <class Request, class... Answer>
class asker {
public:
  asker(caf::stateful_actor<asker_state>* self, Request request, int total, int window,
        std::promise<std::vector<double>>* done)
    : self_(self), request_(request), total_(total), window_(window), done_(done) {}

  void go_on() const {
    auto& st = self_->state;
    while (st.sent < total_ && st.sent - st.got < window_) {
      ++st.sent;
      st.asked = std::chrono::steady_clock::now();
      request_(self_).then([me = *this](const Answer&...) { me.answered(); },
                           [self = self_](caf::error& e) {
                             std::fprintf(stderr, "messaging: a request failed: %s\n",
                                          self->system().render(e).c_str());
                             std::abort();
                           });
    }
  }

private:
  void answered() const {
    auto& st = self_->state;
    ++st.got;
    st.times_us.push_back(seconds_since(st.asked) * 1e6);
    if (st.got < total_)
      return go_on();
    self_->quit(); // or its timeouts would keep it, and the system, alive
    done_->set_value(std::move(st.times_us));
  }

  caf::stateful_actor<asker_state>* self_;
  Request request_;
  int total_;
  int window_;
  std::promise<std::vector<double>>* done_;
};

// Asks `total` times and waits; the time of each request, which is right for a window of 1 only.
template <class... Answer, class Request>
std::vector<double> ask(caf::actor_system& system, int total, int window, Request request) {
  std::promise<std::vector<double>> done;
  auto times = done.get_future();
  system.spawn(
    [request, total, window, &done](caf::stateful_actor<asker_state>* self) -> caf::behavior {
      asker<Request, Answer...>{self, request, total, window, &done}.go_on();
      return {[](int) {}};
    });
  return times.get();
}

} // namespace troupe::bench
