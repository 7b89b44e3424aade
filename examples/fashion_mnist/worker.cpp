// One rank of a gang that trains a small convolutional network on Fashion-MNIST.
//
//   fashion_mnist_worker --epochs 3                 trains alone
//   troupe submit examples/fashion_mnist/job.yaml   trains as two ranks
//
// It goes on from the job's newest checkpoint, whichever attempt wrote it.
#include "actors/training/checkpoints.hpp"
#include "actors/training/elastic_gang.hpp"
#include "actors/training/image_network.hpp"
#include "actors/training/input/idx.hpp"
#include "examples/fashion_mnist/options.hpp"
#include "launcher/troupe_metric.h"
#include "runtime/base/clock.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace troupe::examples {
namespace {

using namespace troupe::training;

constexpr uint64_t reports_per_line = 4;

result<std::unique_ptr<dataset>> read(const worker_options& from, const char* part) {
  auto path = from.data + "/" + part;
  const std::array<named_file, 2> files{
    {{"image", path + "-images-idx3-ubyte.gz"}, {"label", path + "-labels-idx1-ubyte.gz"}}};
  auto opened = open_idx(files);
  if (!opened && opened.error().code == errc::not_found)
    return {errc::not_found, opened.error().text
                               + " The package dataset-fashion-mnist brings the files, and --data "
                                 "names another directory."};
  return opened;
}

// Set by a signal: SIGTERM asks for a checkpoint and an end, SIGUSR1 for a checkpoint.
volatile std::sig_atomic_t end_asked = 0;
volatile std::sig_atomic_t checkpoint_asked = 0;

// Tells people and Troupe how far the training is.
class progress {
public:
  progress(const trainer& of, uint64_t steps_per_report, const clock& time)
    : trainer_(of), steps_per_report_(steps_per_report), time_(time),
      last_samples_(of.samples_done()), last_(time.now()) {}

  void step(float loss) {
    if (trainer_.step() % steps_per_report_ != 0 && !trainer_.done())
      return;
    auto now = time_.now();
    auto seconds = std::chrono::duration<double>(now - last_).count();
    auto samples = trainer_.samples_done() - last_samples_;
    auto rate = static_cast<double>(samples) / std::max(seconds, 1e-9);
    auto epoch = trainer_.epochs_done();
    troupe_metric("epoch", epoch, trainer_.step());
    troupe_metric("loss", loss, trainer_.step());
    troupe_metric("samples_per_s", rate, trainer_.step());
    troupe_metric("progress", epoch / trainer_.plan().epochs, trainer_.step());
    last_ = now;
    last_samples_ += samples;
    if (trainer_.rank() == 0 && trainer_.step() % (reports_per_line * steps_per_report_) == 0)
      std::printf("epoch %.2f of %u, step %llu, loss %.3f, %.0f samples/s\n", epoch,
                  trainer_.plan().epochs, static_cast<unsigned long long>(trainer_.step()),
                  static_cast<double>(loss), rate);
  }

  void accuracy(double value) { troupe_metric("accuracy", value, trainer_.step()); }

private:
  const trainer& trainer_;
  uint64_t steps_per_report_;
  const clock& time_;
  uint64_t last_samples_;
  time_point last_;
};

// One rank, from its first step to its last, through the generations of its gang.
class worker {
public:
  worker(const worker_options& given, compute& on, trainer& network, elastic_gang& gang,
         const dataset& test, progress& shown)
    : given_(given), compute_(on), network_(network), gang_(gang), test_(images_with_labels(test)),
      shown_(shown), saves_(gang.task().checkpoints, gang.task().job) {}
  ~worker() { leave(); }

  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Brings the ranks together. A member that is new to a gang that runs learns where that is.
  result<void> begin() {
    if (auto met = meet(); !met)
      return go_on_after(met.error());
    if (gang_.task().generation != 0)
      announce();
    return {};
  }

  result<void> train() {
    while (!network_.done()) {
      if (gang_.is_behind())
        network_.ask_to_leave();
      if (std::exchange(checkpoint_asked, 0) != 0)
        network_.ask_to_save();
      auto stepped = step();
      if (!stepped) {
        TROUPE_TRY(go_on_after(stepped.error()));
      } else if (network_.left_after()) {
        TROUPE_TRY(regroup());
      }
    }
    return {};
  }

  result<void> finish() {
    auto accuracy = network_.accuracy(test_);
    while (!accuracy) {
      TROUPE_TRY(go_on_after(accuracy.error()));
      accuracy = network_.accuracy(test_);
    }
    shown_.accuracy(*accuracy);
    TROUPE_TRY(saves_.wait());
    if (network_.rank() != 0)
      return {};
    const auto& task = gang_.task();
    if (!task.output.empty())
      TROUPE_TRY(save_model(task.output + "/model.ckpt", task.attempt, network_, *accuracy));
    std::printf("test accuracy: %.1f %%\n", *accuracy * 100);
    return {};
  }

private:
  // Of all ranks at the same step: each its shard, or rank 0 the whole.
  result<void> save() {
    const auto& task = gang_.task();
    if (task.checkpoints.empty())
      return {};
    if (sharded_)
      return saves_.save(network_, task.attempt, {task.generation, task.rank, task.world_size});
    return task.rank == 0 ? saves_.save(network_, task.attempt) : result<void>{};
  }

  // Where the other ranks may be lost. A write that failed before is made up for by this one.
  result<void> save_alone() {
    const auto& task = gang_.task();
    auto before = saves_.wait();
    if (task.rank != 0 || task.checkpoints.empty())
      return before;
    TROUPE_TRY(saves_.save(network_, task.attempt));
    return saves_.wait();
  }

  result<void> step() {
    auto epoch = network_.epoch();
    auto loss = network_.advance();
    if (!loss)
      return loss.error();
    shown_.step(*loss);
    if (network_.epoch() != epoch && !network_.done()) {
      auto accuracy = network_.accuracy(test_);
      if (!accuracy)
        return accuracy.error();
      shown_.accuracy(*accuracy);
    }
    auto due = network_.step() % given_.steps_per_checkpoint == 0 || network_.done()
               || network_.save_due();
    if (due)
      TROUPE_TRY(save());
    return end_asked ? result<void>{errc::aborted, "it was asked to end"} : result<void>{};
  }

  // Between two steps the state is whole, also when the next step failed.
  result<void> go_on_after(const error& why) {
    auto lost_member = why.code == errc::aborted || why.code == errc::deadline;
    if (!end_asked && lost_member && gang_.may_change())
      if (auto met = regroup(); met || end_asked)
        return met;
    TROUPE_TRY(save_alone());
    return why;
  }

  void leave() {
    network_.leave();
    devices_.reset();
  }

  result<void> meet() {
    const auto& task = gang_.task();
    if (gang_.group()) {
      auto devices = compute_.join(*gang_.group(), task.deadline);
      if (!devices)
        return devices.error();
      devices_ = *std::move(devices);
    }
    TROUPE_TRY(network_.join({gang_.group(), devices_.get()}));
    TROUPE_TRY(network_.synchronise());
    if (task.checkpoints.empty())
      return {};
    auto once = task.job + "-" + std::to_string(task.attempt);
    once.append("-").append(std::to_string(task.generation));
    auto shared = share_directory(task.checkpoints, once, gang_.group());
    TROUPE_TRY(shared);
    sharded_ = *shared;
    return {};
  }

  // Members that are lost meanwhile are left out by a later generation.
  result<void> regroup() {
    for (;;) {
      leave();
      TROUPE_TRY(gang_.regroup());
      if (!meet())
        continue;
      announce();
      return {};
    }
  }

  void announce() const {
    std::printf("generation %u: rank %u of %u goes on at step %llu\n", gang_.task().generation,
                network_.rank(), network_.world_size(),
                static_cast<unsigned long long>(network_.step()));
  }

  const worker_options& given_;
  compute& compute_;
  trainer& network_;
  elastic_gang& gang_;
  sample_set test_;
  progress& shown_;
  checkpoint_writer saves_;
  std::unique_ptr<collective::group> devices_; // over the gang's
  bool sharded_ = false; // the ranks have their checkpoints' directory in common
};

result<void> run(const worker_options& given, const clock& time) {
  auto task = read_environment([](const char* name) { return std::getenv(name); });
  if (!task)
    return task.error();
  auto samples = read(given, "train");
  if (!samples)
    return samples.error();
  auto test = read(given, "t10k");
  if (!test)
    return test.error();
  auto on = compute::open(given.on);
  if (!on)
    return on.error();
  auto extents = image_extents(**samples);
  if (!extents)
    return extents.error();
  auto net = make_image_network(
    (*on)->backend(), {.batch = given.plan.batch, .rows = (*extents)[0], .columns = (*extents)[1]},
    given.plan.seed);
  if (!net)
    return net.error();
  elastic_gang gang(*task, time, {.ended = [] { return end_asked != 0; }});
  TROUPE_TRY(gang.join());
  auto network
    = trainer::make((*on)->backend(), *std::move(net), images_with_labels(**samples), given.plan);
  if (!network)
    return network.error();
  if (gang.task().rank == 0 && !task->checkpoints.empty()) {
    auto step = resume_newest(task->checkpoints, *network);
    if (!step)
      return step.error();
    if (*step)
      std::printf("goes on from the checkpoint of step %llu\n",
                  static_cast<unsigned long long>(**step));
  }
  progress shown(*network, given.steps_per_report, time);
  worker one(given, **on, *network, gang, **test, shown);
  TROUPE_TRY(one.begin());
  TROUPE_TRY(one.train());
  return one.finish();
}

} // namespace

int work(std::span<char* const> arguments) {
  auto given = parse_options(arguments);
  if (given && !*given) {
    std::fputs(usage, stdout);
    return 0;
  }
  system_clock time;
  auto done = given ? run(**given, time) : result<void>(given.error());
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().text.c_str());
    return end_asked ? 128 + SIGTERM : 1;
  }
  return 0;
}

void listen_to_signals() {
  // A reader of metrics that ends must not end the training.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { end_asked = 1; });
  std::signal(SIGUSR1, [](int) { checkpoint_asked = 1; });
}

} // namespace troupe::examples

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  troupe::examples::listen_to_signals();
  return troupe::examples::work({argv + (argc > 0 ? 1 : 0), argv + argc});
}
