// One rank of a gang that trains a small convolutional network on Fashion-MNIST.
//
//   fashion_mnist_worker --epochs 3                 trains alone
//   troupe submit examples/fashion_mnist/job.yaml   trains as two ranks
//
// It goes on from the job's newest checkpoint, whichever attempt wrote it.
#include "actors/training/checkpoints.hpp"
#include "actors/training/task_environment.hpp"
#include "examples/fashion_mnist/options.hpp"
#include "kernels/onednn/onednn.hpp"
#include "launcher/troupe_metric.h"
#include "runtime/base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace troupe::examples {
namespace {

using namespace troupe::training;

constexpr size_t classes = 10;
constexpr uint64_t steps_per_report = 25;

result<idx_dataset> read(const worker_options& from, const char* part) {
  auto path = from.data + "/" + part;
  return read_idx_dataset(path + "-images-idx3-ubyte.gz", path + "-labels-idx1-ubyte.gz", classes);
}

// Tells people and Troupe how far the training is.
class progress {
public:
  progress(const trainer& of, const clock& time)
    : trainer_(of), time_(time), last_step_(of.step()), last_(time.now()) {}

  void step(float loss) {
    if (trainer_.step() % steps_per_report != 0 && !trainer_.done())
      return;
    auto now = time_.now();
    auto seconds = std::chrono::duration<double>(now - last_).count();
    auto samples = (trainer_.step() - last_step_) * trainer_.plan().batch * trainer_.world_size();
    auto rate = static_cast<double>(samples) / std::max(seconds, 1e-9);
    auto part = static_cast<double>(trainer_.step()) / static_cast<double>(trainer_.steps());
    auto epoch = part * trainer_.plan().epochs;
    troupe_metric("epoch", epoch, trainer_.step());
    troupe_metric("loss", loss, trainer_.step());
    troupe_metric("samples_per_s", rate, trainer_.step());
    troupe_metric("progress", part, trainer_.step());
    last_ = now;
    last_step_ = trainer_.step();
    if (trainer_.rank() == 0 && (trainer_.step() / steps_per_report) % 4 == 0) {
      std::printf("epoch %.2f of %u, step %llu of %llu, loss %.3f, %.0f samples/s\n", epoch,
                  trainer_.plan().epochs, static_cast<unsigned long long>(trainer_.step()),
                  static_cast<unsigned long long>(trainer_.steps()), static_cast<double>(loss),
                  rate);
      std::fflush(stdout);
    }
  }

  void accuracy(double value) { troupe_metric("accuracy", value, trainer_.step()); }

private:
  const trainer& trainer_;
  const clock& time_;
  uint64_t last_step_;
  time_point last_;
};

// Set by a signal: SIGTERM asks for a checkpoint and an end, SIGUSR1 for a checkpoint.
volatile std::sig_atomic_t end_asked = 0;
volatile std::sig_atomic_t checkpoint_asked = 0;

bool keeps_checkpoints(const trainer& network, const task_environment& task) {
  return network.rank() == 0 && !task.checkpoints.empty();
}

// Between two steps the state is whole, also when the next step failed.
result<void> leave(const trainer& network, const task_environment& task, const error& why) {
  if (keeps_checkpoints(network, task))
    TROUPE_TRY(save_checkpoint(task.checkpoints, task.attempt, network));
  return why;
}

result<void> train(trainer& network, const task_environment& task, const worker_options& given,
                   const idx_dataset& test, progress& shown) {
  while (!network.done()) {
    auto loss = network.advance();
    if (!loss)
      return leave(network, task, loss.error());
    if (end_asked)
      return leave(network, task, {errc::aborted, "it was asked to end"});
    shown.step(*loss);
    if (network.step() % network.steps_per_epoch() == 0 && !network.done()) {
      auto accuracy = network.accuracy(test);
      if (!accuracy)
        return accuracy.error();
      shown.accuracy(*accuracy);
    }
    auto due = network.step() % given.steps_per_checkpoint == 0 || network.done()
               || std::exchange(checkpoint_asked, 0) != 0;
    if (due && keeps_checkpoints(network, task))
      TROUPE_TRY(save_checkpoint(task.checkpoints, task.attempt, network));
  }
  return {};
}

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
  auto backend = kernels::onednn::make_backend();
  if (!backend)
    return backend.error();
  auto gang = join_gang(*task);
  if (!gang)
    return gang.error();
  auto network = trainer::make(**backend, *samples, given.plan, gang->get());
  if (!network)
    return network.error();
  if (keeps_checkpoints(*network, *task)) {
    auto step = resume_newest(task->checkpoints, *network);
    if (!step)
      return step.error();
    if (*step)
      std::printf("goes on from the checkpoint of step %llu\n",
                  static_cast<unsigned long long>(**step));
  }
  TROUPE_TRY(network->synchronise());
  progress shown(*network, time);
  TROUPE_TRY(train(*network, *task, given, *test, shown));
  auto accuracy = network->accuracy(*test);
  if (!accuracy)
    return accuracy.error();
  shown.accuracy(*accuracy);
  if (network->rank() != 0)
    return {};
  if (!task->output.empty())
    TROUPE_TRY(save_model(task->output + "/model.ckpt", task->attempt, *network, *accuracy));
  std::printf("test accuracy: %.1f %%\n", *accuracy * 100);
  return {};
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
  troupe::examples::listen_to_signals();
  return troupe::examples::work({argv + (argc > 0 ? 1 : 0), argv + argc});
}
