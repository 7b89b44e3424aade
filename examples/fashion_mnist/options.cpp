#include "examples/fashion_mnist/options.hpp"

#include <array>
#include <charconv>

namespace troupe::examples {

const char* const usage = R"(One rank of a gang that trains a small network on Fashion-MNIST.
  --data DIR              the four IDX files (/usr/share/datasets/fashion-mnist)
  --epochs N              passes over the training images (4)
  --batch N               images of one rank in one step (64)
  --learning-rate X       the highest of the schedule (0.1)
  --seed N                of weights and shuffling (1)
  --device NAME           cpu, gpu, or any: a GPU where there is one (any)
  --checkpoint-every N    steps between checkpoints (100)
  --report-every N        steps between reports of the metrics (25)
Example: fashion_mnist_worker --epochs 2 --seed 7
)";

namespace {

error wrong(const std::string& option, const std::string& why) {
  return {errc::invalid, option + " " + why + ": see --help."};
}

template <class Number>
result<void> read(const std::string& option, std::string_view text, Number least, Number& into) {
  Number value{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Written so that a value that is not a number fails too.
  if (failed != std::errc{} || end != text.data() + text.size() || !(value >= least))
    return wrong(option, "takes no value \"" + std::string(text) + "\"");
  into = value;
  return {};
}

result<void> read_device(std::string_view text, training::computing& into) {
  constexpr std::array names{std::pair{std::string_view("any"), training::computing::any},
                             std::pair{std::string_view("cpu"), training::computing::processor},
                             std::pair{std::string_view("gpu"), training::computing::gpu}};
  for (auto [name, meant] : names)
    if (text == name) {
      into = meant;
      return {};
    }
  return wrong("--device", "takes no value \"" + std::string(text) + "\"");
}

result<void> set(worker_options& options, const std::string& name, std::string_view value) {
  auto& plan = options.plan;
  if (name == "--epochs")
    return read(name, value, 1U, plan.epochs);
  if (name == "--batch")
    return read(name, value, 1U, plan.batch);
  if (name == "--learning-rate")
    return read(name, value, 1e-9F, plan.optimiser.learning_rate);
  if (name == "--seed")
    return read(name, value, uint64_t{0}, plan.seed);
  if (name == "--device")
    return read_device(value, options.on);
  if (name == "--checkpoint-every")
    return read(name, value, uint64_t{1}, options.steps_per_checkpoint);
  if (name == "--report-every")
    return read(name, value, uint64_t{1}, options.steps_per_report);
  if (name != "--data")
    return wrong(name, "is no option of this program");
  options.data = value;
  return {};
}

} // namespace

result<std::optional<worker_options>> parse_options(std::span<char* const> arguments) {
  worker_options options;
  for (size_t i = 0; i < arguments.size(); i += 2) {
    const std::string name = arguments[i];
    if (name == "--help" || name == "-h")
      return std::optional<worker_options>{};
    if (i + 1 == arguments.size())
      return wrong(name, "needs a value");
    TROUPE_TRY(set(options, name, arguments[i + 1]));
  }
  return std::optional{options};
}

} // namespace troupe::examples
