#include "tests/unit/kernels/collective/staged_group.hpp"

#include <algorithm>
#include <list>

namespace troupe::collective::test {
namespace {

// Memory of the process, and as much of the group.
struct mirror {
  std::unique_ptr<memory> here;
  std::unique_ptr<memory> there;
};

class mirrored_memory final : public memory {
public:
  explicit mirrored_memory(std::shared_ptr<mirror> both) : both_(std::move(both)) {}
  std::span<std::byte> bytes() override { return both_->here->bytes(); }

private:
  std::shared_ptr<mirror> both_;
};

class staged_group final : public group {
public:
  explicit staged_group(on_device parts) : parts_(std::move(parts)) {}

  uint32_t rank() const override { return ranks().rank(); }
  uint32_t size() const override { return ranks().size(); }

  result<void> allreduce(input in, output out, reduction how) override {
    return staged(in, out, [&](input i, output o) { return ranks().allreduce(i, o, how); });
  }
  result<void> reduce_scatter(input in, output out, reduction how) override {
    return staged(in, out, [&](input i, output o) { return ranks().reduce_scatter(i, o, how); });
  }
  result<void> allgather(input in, output out) override {
    return staged(in, out, [&](input i, output o) { return ranks().allgather(i, o); });
  }
  result<void> broadcast(output data, uint32_t root) override {
    return staged(data, data, [&](input, output o) { return ranks().broadcast(o, root); });
  }
  result<void> reduce(input in, output out, reduction how, uint32_t root) override {
    return staged(in, out, [&](input i, output o) { return ranks().reduce(i, o, how, root); });
  }
  result<void> gather(input in, output out, uint32_t root) override {
    return staged(in, out, [&](input i, output o) { return ranks().gather(i, o, root); });
  }
  result<void> scatter(input in, output out, uint32_t root) override {
    return staged(in, out, [&](input i, output o) { return ranks().scatter(i, o, root); });
  }
  result<void> all_to_all(input in, output out) override {
    return staged(in, out, [&](input i, output o) { return ranks().all_to_all(i, o); });
  }
  result<void> barrier() override { return ranks().barrier(); }
  result<void> send(input data, uint32_t to) override {
    return staged(data, {}, [&](input i, output) { return ranks().send(i, to); });
  }
  result<void> receive(output data, uint32_t from) override {
    return staged({}, data, [&](input, output o) { return ranks().receive(o, from); });
  }
  result<void> look() override { return ranks().look(); }
  void abort() override { ranks().abort(); }

  result<std::unique_ptr<memory>> allocate(size_t bytes) override {
    auto there = ranks().allocate(bytes);
    if (!there)
      return there.error();
    auto here = make_memory(bytes);
    if (!here)
      return here.error();
    auto both = std::make_shared<mirror>(mirror{std::move(*here), std::move(*there)});
    mirrors_.push_back(both);
    return std::unique_ptr<memory>(std::make_unique<mirrored_memory>(std::move(both)));
  }

private:
  group& ranks() const { return *parts_.ranks; }

  // Bytes of the process, and where they are on the device.
  struct region {
    std::byte* here = nullptr;
    std::byte* there = nullptr;
    size_t bytes = 0;
    std::unique_ptr<memory> own; // none: in a mirror

    std::byte* on_device(const std::byte* row) const { return there + (row - here); }
  };

  result<region> stage(const std::byte* begin, const std::byte* end) {
    region out;
    out.here = const_cast<std::byte*>(begin);
    out.bytes = static_cast<size_t>(end - begin);
    for (auto& each : mirrors_)
      if (auto both = each.lock()) {
        auto rows = both->here->bytes();
        if (begin >= rows.data() && end <= rows.data() + rows.size())
          out.there = both->there->bytes().data() + (begin - rows.data());
      }
    if (!out.there) {
      auto made = parts_.device->allocate(out.bytes);
      if (!made)
        return made.error();
      out.own = std::move(*made);
      out.there = out.own->bytes().data();
    }
    TROUPE_TRY(parts_.device->put(out.there, out.here, out.bytes));
    TROUPE_TRY(parts_.device->synchronise());
    return out;
  }

  template <class F>
  result<void> staged(const input& in, const output& out, const F& work) {
    auto in_end = in.data + in.bytes();
    auto out_end = out.data + out.bytes();
    auto overlap = in.data < out_end && out.data < in_end;
    auto first = stage(overlap ? std::min<const std::byte*>(in.data, out.data) : in.data,
                       overlap ? std::max<const std::byte*>(in_end, out_end) : in_end);
    if (!first)
      return first.error();
    auto second = overlap ? result<region>(region{}) : stage(out.data, out_end);
    if (!second)
      return second.error();
    auto* to = (overlap ? *first : *second).on_device(out.data);
    TROUPE_TRY(
      work(input(in.type, first->on_device(in.data), in.count), output(out.type, to, out.count)));
    return parts_.device->get(out.data, to, out.bytes());
  }

  on_device parts_;
  std::list<std::weak_ptr<mirror>> mirrors_;
};

} // namespace

std::unique_ptr<group> make_staged(on_device parts) {
  return std::make_unique<staged_group>(std::move(parts));
}

} // namespace troupe::collective::test
