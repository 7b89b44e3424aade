// A group that is good for allreduce alone.
#pragma once

#include "kernels/collective/collective.hpp"

namespace troupe::test {

class allreduce_group : public collective::group {
public:
  result<void> look() override { return {}; }
  void abort() override {}
  result<void> barrier() override { return unused(); }

  result<void> reduce_scatter(collective::input, collective::output,
                              collective::reduction) override {
    return unused();
  }
  result<void> allgather(collective::input, collective::output) override { return unused(); }
  result<void> broadcast(collective::output, uint32_t) override { return unused(); }
  result<void> reduce(collective::input, collective::output, collective::reduction,
                      uint32_t) override {
    return unused();
  }
  result<void> gather(collective::input, collective::output, uint32_t) override { return unused(); }
  result<void> scatter(collective::input, collective::output, uint32_t) override {
    return unused();
  }
  result<void> all_to_all(collective::input, collective::output) override { return unused(); }
  result<void> send(collective::input, uint32_t) override { return unused(); }
  result<void> receive(collective::output, uint32_t) override { return unused(); }

private:
  static result<void> unused() { return {errc::internal, "This test does not call it."}; }
};

} // namespace troupe::test
