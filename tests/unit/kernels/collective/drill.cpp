#include "tests/unit/kernels/collective/drill.hpp"

#include "tests/unit/kernels/collective/values.hpp"

#include <cstring>

namespace troupe::collective::test {
namespace {

constexpr size_t row_bytes_max = 3u << 20; // more than a step of each backend takes
// Of the numbers: prime, so that bytes which lie at a wrong place are wrong ones.
constexpr size_t period = 1021;

template <class T>
void poison(std::span<T> row) {
  if (!row.empty())
    memset(static_cast<void*>(row.data()), 0xa5, row.size_bytes());
}

} // namespace

// What the ranks give in one operation: small whole numbers, so that sums are exact in each type.
template <class T>
class drill::numbers {
public:
  numbers(uint32_t ranks, reduction how, random_source& chance)
    : of_(ranks, std::vector<T>(period)), reduced_(period) {
    std::vector<double> all(ranks);
    for (size_t i = 0; i < period; ++i) {
      for (uint32_t r = 0; r < ranks; ++r) {
        all[r] = static_cast<double>(chance.below(8));
        of_[r][i] = value<T>(all[r]);
      }
      reduced_[i] = value<T>(reduced(all, how));
    }
  }

  void fill(std::span<T> row, uint32_t rank) const {
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = of_[rank][i % period];
  }
  // Whether `row` has what a rank gives from element `from` on, or what that is reduced to.
  bool holds(std::span<const T> row, uint32_t rank, size_t from = 0) const {
    return holds(row, of_[rank], from);
  }
  bool holds_reduced(std::span<const T> row, size_t from = 0) const {
    return holds(row, reduced_, from);
  }

private:
  static bool holds(std::span<const T> row, const std::vector<T>& known, size_t from) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i] != known[(from + i) % period])
        return false;
    }
    return true;
  }

  std::vector<std::vector<T>> of_;
  std::vector<T> reduced_;
};

drill::drill(group& ranks, uint64_t seed, std::span<std::atomic<uint64_t>> entered)
  : ranks_(ranks), chance_(seed), entered_(entered) {}

result<void> drill::prepare() {
  auto shared = chance_.chance(0.5);
  for (auto* each : {&first_, &second_}) {
    auto made = shared ? ranks_.allocate(row_bytes_max) : make_memory(row_bytes_max);
    if (!made)
      return made.error();
    *each = std::move(*made);
  }
  return {};
}

drill::task drill::draw() {
  task x;
  x.what = static_cast<kind>(chance_.below(static_cast<uint64_t>(kind::count_)));
  x.type = static_cast<element>(chance_.below(6));
  x.how = static_cast<reduction>(chance_.below(4));
  x.root = static_cast<uint32_t>(chance_.below(ranks_.size()));
  x.in_place = chance_.chance(0.5);
  // Elements of a part; of the whole row, where there are no parts.
  constexpr size_t bounds[] = {1, 2, 100, 4096, 4096, 65'536, row_bytes_max};
  auto bytes = chance_.below(bounds[chance_.below(std::size(bounds))]);
  auto whole = x.what == kind::allreduce || x.what == kind::broadcast || x.what == kind::reduce
               || x.what == kind::transfer;
  x.part = bytes / size_of(x.type) / (whole ? 1 : ranks_.size());
  if (bytes == 1)
    x.part = 1;
  return x;
}

result<void> drill::next() {
  auto x = draw();
  if (x.what == kind::barrier)
    return meet();
  entered_[ranks_.rank()] = ++number_;
  switch (x.type) {
  case element::f32:
    return run<float>(x);
  case element::f64:
    return run<double>(x);
  case element::bf16:
    return run<bfloat16>(x);
  case element::f16:
    return run<float16>(x);
  case element::i32:
    return run<int32_t>(x);
  case element::i64:
    return run<int64_t>(x);
  }
  return {};
}

result<void> drill::meet() {
  entered_[ranks_.rank()] = ++number_;
  TROUPE_TRY(ranks_.barrier());
  for (uint32_t r = 0; r < ranks_.size(); ++r) {
    if (entered_[r] < number_)
      return wrong({});
  }
  return {};
}

template <class T>
result<void> drill::run(const task& x) {
  numbers<T> known(ranks_.size(), x.how, chance_);
  switch (x.what) {
  case kind::allreduce:
  case kind::reduce:
  case kind::reduce_scatter:
    return reduce_rows(x, known);
  case kind::broadcast:
  case kind::transfer:
    return copy_row(x, known);
  case kind::allgather:
  case kind::gather:
  case kind::all_to_all:
  case kind::scatter:
    return move_parts(x, known);
  case kind::look:
  case kind::barrier:
  case kind::count_:
    break;
  }
  return ranks_.look();
}

template <class T>
result<void> drill::reduce_rows(const task& x, const numbers<T>& known) {
  auto scatters = x.what == kind::reduce_scatter;
  auto from = scatters ? ranks_.rank() * x.part : 0;
  auto in = first_->row<T>().first(scatters ? x.part * ranks_.size() : x.part);
  auto out = x.in_place ? in.subspan(from, x.part) : second_->row<T>().first(x.part);
  if (!x.in_place)
    poison(out);
  known.fill(in, ranks_.rank());
  auto done = scatters                 ? ranks_.reduce_scatter(in, out, x.how)
              : x.what == kind::reduce ? ranks_.reduce(in, out, x.how, x.root)
                                       : ranks_.allreduce(in, out, x.how);
  TROUPE_TRY(done);
  auto writes = x.what != kind::reduce || ranks_.rank() == x.root;
  return !writes || known.holds_reduced(out, from) ? result<void>{} : wrong(x);
}

// A broadcast, or a transfer from the root to the rank after it.
template <class T>
result<void> drill::copy_row(const task& x, const numbers<T>& known) {
  auto me = ranks_.rank();
  auto to = (x.root + 1) % ranks_.size();
  if (x.what == kind::transfer && (x.root == to || (me != x.root && me != to)))
    return {};
  auto row = first_->row<T>().first(x.part);
  if (me == x.root)
    known.fill(row, me);
  else
    poison(row);
  auto done = x.what == kind::broadcast ? ranks_.broadcast(row, x.root)
              : me == x.root            ? ranks_.send(row, to)
                                        : ranks_.receive(row, x.root);
  TROUPE_TRY(done);
  return known.holds(row, x.root) ? result<void>{} : wrong(x);
}

// Between a row of parts and one part, or two rows of parts.
template <class T>
result<void> drill::move_parts(const task& x, const numbers<T>& known) {
  auto me = ranks_.rank();
  auto mine = me * x.part;
  auto gathers = x.what == kind::allgather || x.what == kind::gather;
  auto whole = first_->row<T>().first(x.part * ranks_.size());
  auto other = second_->row<T>().first(whole.size());
  auto part = x.in_place ? whole.subspan(mine, x.part) : other.first(x.part);
  // Of the rows of all ranks, in their order, the part that begins at `from`.
  auto has_rows = [&](std::span<const T> row, size_t from) {
    auto good = true;
    for (uint32_t r = 0; r < ranks_.size(); ++r)
      good = good && known.holds(row.subspan(r * x.part, x.part), r, from);
    return good;
  };
  poison(whole);
  poison(other);
  if (gathers)
    known.fill(part, me);
  else if (x.what == kind::all_to_all || me == x.root)
    known.fill(whole, me);
  auto done = x.what == kind::allgather ? ranks_.allgather(part, whole)
              : x.what == kind::gather  ? ranks_.gather(part, whole, x.root)
              : x.what == kind::scatter ? ranks_.scatter(whole, part, x.root)
                                        : ranks_.all_to_all(whole, other);
  TROUPE_TRY(done);
  auto good = x.what == kind::scatter      ? known.holds(part, x.root, mine)
              : x.what == kind::all_to_all ? has_rows(other, mine)
              : x.what == kind::allgather  ? has_rows(whole, 0)
                                           : me != x.root || has_rows(whole, 0);
  return good ? result<void>{} : wrong(x);
}

result<void> drill::wrong(const task& x) const {
  static constexpr const char* names[]
    = {"allreduce", "reduce-scatter", "allgather", "broadcast", "all-to-all", "reduce",
       "gather",    "scatter",        "transfer",  "barrier",   "look"};
  return {errc::corrupt,
          std::string(names[static_cast<size_t>(x.what)]) + ", operation " + std::to_string(number_)
            + " of rank " + std::to_string(ranks_.rank()) + " of " + std::to_string(ranks_.size())
            + ", has a wrong result: " + std::to_string(x.part) + " " + std::string(name_of(x.type))
            + ", reduction " + std::to_string(static_cast<int>(x.how)) + ", root "
            + std::to_string(x.root) + (x.in_place ? ", in place" : "")};
}

} // namespace troupe::collective::test
