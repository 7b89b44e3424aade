// How long a step of training takes, with one rank or several on this machine.
//
//   train_step_troupe NAME RANKS [tcp|gpu]     NAME: mlp, cnn or lstm; each rank has one thread;
//                                              the ranks share memory, or meet over the loopback
//                                              device; the first GPU of this machine computes
//
// Prints, in milliseconds, medians over rounds of rank 0: a step; what each rank computes for it,
// while the others compute too; its allreduce alone.
#include "actors/training/compute.hpp"
#include "actors/training/image_network.hpp"
#include "actors/training/trainer.hpp"
#include "tests/support/labelled_images.hpp"
#include "tests/support/loopback.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace troupe::bench {
namespace {

using namespace troupe::training;

constexpr size_t batch_rows = 64;
constexpr size_t side = 28;
constexpr size_t classes = 10;
constexpr int rounds = 5;
constexpr int steps_per_round = 25;
constexpr int steps_of_warm_up = 20;
constexpr int steps_per_epoch = 4 * steps_per_round;

template <class T>
T must(result<T> x) {
  if (!x) {
    std::fprintf(stderr, "%s\n", x.error().text.c_str());
    std::exit(1);
  }
  return *std::move(x);
}

void must(const result<void>& x) {
  if (!x) {
    std::fprintf(stderr, "%s\n", x.error().text.c_str());
    std::exit(1);
  }
}

std::unique_ptr<dataset> images(size_t count) {
  std::vector<uint8_t> pixels(count * side * side);
  std::vector<uint8_t> labels(count);
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(i * i % 251);
  for (size_t i = 0; i < count; ++i)
    labels[i] = static_cast<uint8_t>(i % classes);
  return labelled_images(side, side, pixels, labels);
}

network network_of(const std::string& name, const kernels::backend& on) {
  if (name == "cnn")
    return must(make_image_network(on, {.batch = batch_rows}, 1));
  network out(on.where());
  if (name == "mlp") {
    out.add(on.dense({batch_rows, side * side}, {.features = 512, .relu = true}));
    out.add(on.dense(out.last(), {.features = 256, .relu = true}));
  } else {
    out.add(on.lstm({batch_rows, side, side}, {.hidden = 128, .last = true}));
  }
  out.add(on.dense(out.last(), {.features = classes}));
  must(out.finish(on.softmax_cross_entropy(out.last()), 1));
  return out;
}

training_plan plan_of(const std::string& name) {
  training_plan out{.epochs = 1000000, .batch = batch_rows};
  out.optimiser = {.learning_rate = 0.01F, .momentum = 0.9F};
  out.optimiser.weight_decay = name == "cnn" ? 5e-4F : 0;
  if (name == "lstm")
    out.optimiser = {.kind = kernels::optimiser_kind::adam, .learning_rate = 1e-3F};
  out.rate = {.warm_up = 0, .falls = decay::none};
  return out;
}

// The median over rounds of one of many, in milliseconds.
template <class F>
double time_of(F&& once) {
  std::vector<double> all;
  for (int i = 0; i < steps_of_warm_up; ++i)
    once();
  for (int round = 0; round < rounds; ++round) {
    auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < steps_per_round; ++i)
      once();
    std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - began;
    all.push_back(passed.count() / steps_per_round);
  }
  std::nth_element(all.begin(), all.begin() + rounds / 2, all.end());
  return all[rounds / 2];
}

void run_rank(const std::string& name, std::unique_ptr<collective::group> gang, computing wanted) {
  auto ranks = gang ? gang->size() : 1;
  auto computes = must(compute::open(wanted));
  const auto* on = &computes->backend();
  auto data = images(batch_rows * ranks * steps_per_epoch);
  auto trained
    = must(trainer::make(*on, network_of(name, *on), images_with_labels(*data), plan_of(name)));
  must(trained.join({gang.get()}));
  must(trained.synchronise());
  auto step = time_of([&] { must(trained.advance()); });
  auto compute = step;
  double exchange = 0;
  if (gang) {
    auto row = must(gang->allocate(trained.parameter_count() * sizeof(float)));
    auto values = row->row<float>();
    exchange = time_of([&] { must(gang->allreduce(values, collective::reduction::sum)); });
    trained.leave();
    must(trained.join({}));
    must(gang->barrier());
    compute = time_of([&] { must(trained.advance()); });
    must(gang->barrier());
  }
  if (!gang || gang->rank() == 0)
    std::printf("%.5f %.5f %.5f\n", step, compute, exchange);
  std::fflush(stdout);
  trained.leave();
}

} // namespace

int run(const std::string& name, uint32_t ranks, const std::string& how) {
  auto over_tcp = how == "tcp";
  auto meeting = "troupe_train_step." + std::to_string(getpid());
  std::vector<int> listeners;
  std::vector<std::string> members;
  for (uint32_t rank = 0; over_tcp && rank < ranks; ++rank) {
    auto [fd, address] = test::listen_at("127.0.0.1");
    listeners.push_back(fd);
    members.push_back(address);
  }
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    if (fork() != 0)
      continue;
    collective::group_options options{rank, ranks, 1, "bench", std::chrono::seconds(60)};
    std::unique_ptr<collective::group> gang;
    if (ranks > 1)
      gang = must(over_tcp ? collective::join_tcp(options, listeners[rank], members)
                           : collective::join_shm(options, meeting));
    run_rank(name, std::move(gang), how == "gpu" ? computing::gpu : computing::processor);
    std::exit(0);
  }
  int code = 0;
  for (int status = 0; wait(&status) > 0;)
    code = std::max(code, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  return code;
}

} // namespace troupe::bench

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fputs("train_step_troupe NAME RANKS [tcp|gpu]\n", stderr);
    return 2;
  }
  return troupe::bench::run(argv[1], static_cast<uint32_t>(std::atoi(argv[2])),
                            argc == 4 ? argv[3] : "");
}
