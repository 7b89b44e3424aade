#include "kernels/collective/shm/link.hpp"
#include "kernels/collective/tcp/link.hpp"

#include <algorithm>
#include <numeric>

namespace troupe::collective {
namespace {

// The ranks of one host meet in shared memory, and the first one of each host meets those of the
// others. What has no part that a host could do by itself goes between all ranks.
class hierarchical_group final : public common_group {
public:
  struct parts {
    std::vector<uint32_t> host_of; // by rank: the first rank there
    std::unique_ptr<common_group> local;
    std::unique_ptr<common_group> across; // of the first ranks; none: this is no first one
    std::unique_ptr<common_group> all;
  };

  hierarchical_group(const group_options& options, parts made)
    : common_group(options), parts_(std::move(made)) {}

private:
  result<void> execute(const call& x, time_point until) override {
    TROUPE_TRY(announce(x.what, until));
    switch (x.what.kind) {
    case operation_kind::allreduce:
      return run_allreduce(x, until);
    case operation_kind::broadcast:
      return run_broadcast(x, until);
    case operation_kind::barrier:
      return run_barrier(until);
    default:
      return parts_.all->perform(x.what, x.in, x.out, until);
    }
  }

  result<void> transmit(const call& x, uint32_t to, time_point until) override {
    return parts_.all->transfer_to(x, to, until);
  }
  result<void> take(const call& x, uint32_t from, time_point until) override {
    return parts_.all->transfer_from(x, from, until);
  }

  result<void> look_at_others() override {
    TROUPE_TRY(parts_.local->look());
    return parts_.all->look();
  }

  void end(errc) override {
    parts_.local->abort();
    if (parts_.across)
      parts_.across->abort();
    parts_.all->abort();
  }

  // Ranks of one host that call different operations would wait at different places.
  result<void> announce(const operation& op, time_point until) {
    operation met;
    met.how = op.how;
    met.type = op.type;
    met.root = op.root;
    met.count = op.count * 16 + static_cast<uint64_t>(op.kind);
    return parts_.local->perform(met, {}, {}, until);
  }

  // The first of this host's ranks has rank 0 there.
  result<void> spread(const output& row, uint32_t from, time_point until) {
    operation op;
    op.kind = operation_kind::broadcast;
    op.type = row.type;
    op.root = from;
    op.count = row.count;
    return parts_.local->perform(op, row, row, until);
  }

  result<void> run_allreduce(const call& x, time_point until) {
    return reduce_as_sum(x, [&](const output& row, reduction how) -> result<void> {
      auto op = x.what;
      op.type = row.type;
      op.how = how;
      op.kind = operation_kind::reduce;
      TROUPE_TRY(parts_.local->perform(op, row, row, until));
      op.kind = operation_kind::allreduce;
      if (parts_.across)
        TROUPE_TRY(parts_.across->perform(op, row, row, until));
      return spread(row, 0, until);
    });
  }

  result<void> run_broadcast(const call& x, time_point until) {
    auto& host_of = parts_.host_of;
    auto home = host_of[x.what.root];
    // Ranks of one host, and hosts, are in the order of the ranks.
    auto before = [&](uint32_t rank, auto counts) {
      uint32_t place = 0;
      for (uint32_t r = 0; r < rank; ++r)
        place += counts(r) ? 1 : 0;
      return place;
    };
    if (host_of[rank()] == home)
      TROUPE_TRY(
        spread(x.out, before(x.what.root, [&](uint32_t r) { return host_of[r] == home; }), until));
    auto op = x.what;
    op.root = before(home, [&](uint32_t r) { return host_of[r] == r; });
    if (parts_.across)
      TROUPE_TRY(parts_.across->perform(op, x.in, x.out, until));
    return host_of[rank()] == home ? result<void>{} : spread(x.out, 0, until);
  }

  result<void> run_barrier(time_point until) {
    if (parts_.across)
      TROUPE_TRY(parts_.across->perform({}, {}, {}, until));
    return parts_.local->perform({}, {}, {}, until);
  }

  parts parts_;
};

std::string host_of(const std::string& member) {
  return member.substr(0, member.rfind(':'));
}

} // namespace

result<std::unique_ptr<group>> join_hierarchical(const group_options& options,
                                                 const std::string& name, int listener,
                                                 const std::vector<std::string>& members) {
  owned_fd owned(listener);
  TROUPE_TRY(check(options, members));
  auto until = now() + options.deadline;
  hierarchical_group::parts made;
  std::vector<uint32_t> all(options.size);
  std::iota(all.begin(), all.end(), 0u);
  std::vector<uint32_t> local;
  std::vector<uint32_t> first;
  for (auto r : all) {
    auto there = std::find_if(all.begin(), all.end(), [&](uint32_t other) {
      return host_of(members[other]) == host_of(members[r]);
    });
    made.host_of.push_back(*there);
    if (*there == r)
      first.push_back(r);
    if (host_of(members[r]) == host_of(members[options.rank]))
      local.push_back(r);
  }
  // The same options for a group of some of the ranks, in which this one has another rank.
  auto options_among = [&](const std::vector<uint32_t>& ranks) {
    auto out = options;
    out.size = static_cast<uint32_t>(ranks.size());
    out.rank
      = static_cast<uint32_t>(std::find(ranks.begin(), ranks.end(), options.rank) - ranks.begin());
    return out;
  };
  auto joined = tcp::join(options, std::move(owned), members, until);
  if (!joined)
    return joined.error();
  std::shared_ptr<tcp::mesh_link> link = std::move(*joined);
  auto everybody = tcp::make_group(options, link, all, until);
  if (!everybody)
    return everybody.error();
  made.all = std::move(*everybody);
  if (made.host_of[options.rank] == options.rank) {
    auto across = tcp::make_group(options_among(first), link, first, until);
    if (!across)
      return across.error();
    made.across = std::move(*across);
  }
  // Hosts may be network namespaces of one machine.
  auto own = name + "_" + std::to_string(local.front());
  auto here = shm::make_group(options_among(local), own, until);
  if (!here)
    return here.error();
  made.local = std::move(*here);
  return std::unique_ptr<group>(std::make_unique<hierarchical_group>(options, std::move(made)));
}

} // namespace troupe::collective
