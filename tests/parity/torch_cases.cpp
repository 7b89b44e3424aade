// Writes what our operators, losses and optimisers compute, a line of JSON for each case, for
// torch_parity.py to compare with PyTorch.
#include "kernels/cpu/cpu.hpp"
#include "kernels/onednn/onednn.hpp"
#include "runtime/base/random.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace troupe::kernels {
namespace {

using nlohmann::json;

std::vector<float> noise(size_t size, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>(random.real() * 2 - 1);
  return values;
}

std::vector<float> ids(size_t size, size_t bound, uint64_t seed) {
  random_source random{seed};
  std::vector<float> values(size);
  for (auto& x : values)
    x = static_cast<float>(random.below(bound));
  return values;
}

void print(json line, const backend& on) {
  line["backend"] = on.name();
  std::puts(line.dump().c_str());
}

template <class T>
T value(result<T> made) {
  TROUPE_ASSERT(made);
  return *std::move(made);
}

void succeed(const result<void>& done) {
  TROUPE_ASSERT(done);
}

// `module` is PyTorch's, as an expression.
void write(const backend& on, const char* module, result<std::unique_ptr<op>> made,
           size_t words = 0, bool training = true) {
  auto of = value(std::move(made));
  auto count = elements(of->input_shape());
  auto input = words ? ids(count, words, 1) : noise(count, 1);
  auto parameters = noise(of->parameter_count(), 2);
  auto slope = noise(elements(of->output_shape()), 3);
  std::vector<float> output(slope.size()), back(count), update(parameters.size());
  succeed(of->forward({training}, input, parameters, output));
  succeed(of->backward(input, parameters, slope, back, update));
  json list = json::array();
  for (size_t i = 0; i < of->parameters().size(); ++i) {
    auto of_this = [&](const std::vector<float>& all) {
      auto at = all.begin() + static_cast<std::ptrdiff_t>(of->offset_of(i));
      return std::vector<float>(at,
                                all.begin() + static_cast<std::ptrdiff_t>(of->offset_of(i + 1)));
    };
    list.push_back({{"name", of->parameters()[i].name},
                    {"shape", of->parameters()[i].extents},
                    {"values", of_this(parameters)},
                    {"gradient", of_this(update)}});
  }
  auto statistics = of->statistics();
  print({{"module", module},
         {"training", training},
         {"input_shape", of->input_shape()},
         {"output_shape", of->output_shape()},
         {"input", input},
         {"ids", words > 0},
         {"parameters", list},
         {"slope", slope},
         {"output", output},
         {"input_gradient", back},
         {"statistics", std::vector<float>(statistics.begin(), statistics.end())}},
        on);
}

void write_layers(const backend& on) {
  write(on, "nn.Linear(15, 7)", on.dense({5, 15}, {7}));
  write(on, "nn.Sequential(nn.Linear(15, 7), nn.ReLU())", on.dense({5, 15}, {7, true}));
  write(on, "nn.Conv2d(3, 8, 3, padding=1)", on.conv2d({2, 3, 9, 7}, {8, 3, 1, 1}));
  write(on, "nn.Conv2d(3, 8, 3, stride=2)", on.conv2d({2, 3, 9, 7}, {8, 3, 2, 0}));
  write(on, "nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())",
        on.conv2d({2, 3, 9, 7}, {8, 3, 1, 0, true}));
  write(on, "nn.MaxPool2d(2)", on.max_pool2d({2, 3, 9, 8}, {2, 2}));
  write(on, "nn.MaxPool2d(3, 2)", on.max_pool2d({2, 3, 9, 8}, {3, 2}));
  write(on, "nn.AvgPool2d(3, 2)", on.avg_pool2d({2, 3, 9, 8}, {3, 2}));
  write(on, "nn.ReLU()", on.activate({4, 9}, activation::relu));
  write(on, "nn.Tanh()", on.activate({4, 9}, activation::tanh));
  write(on, "nn.Sigmoid()", on.activate({4, 9}, activation::sigmoid));
  write(on, "nn.GELU()", on.activate({4, 9}, activation::gelu));
  for (bool training : {true, false}) {
    write(on, "nn.BatchNorm2d(3)", on.batch_norm({4, 3, 5, 2}, {}), 0, training);
    write(on, "nn.BatchNorm1d(6)", on.batch_norm({9, 6}, {}), 0, training);
  }
  write(on, "nn.LayerNorm(11)", on.layer_norm({3, 4, 11}, {}));
  write(on, "nn.Embedding(9, 4)", on.embedding({3, 5}, {9, 4}), 9);
  write(on, "nn.LSTM(5, 6, batch_first=True)", on.lstm({3, 7, 5}, {6, false}));
  write(on, "nn.LSTM(5, 19, batch_first=True)", on.lstm({3, 7, 5}, {19, true}));
  write(on, "nn.GRU(5, 6, batch_first=True)", on.gru({3, 7, 5}, {6, false}));
  write(on, "nn.GRU(5, 19, batch_first=True)", on.gru({3, 7, 5}, {19, true}));
}

void write(const backend& on, const char* criterion, result<std::unique_ptr<loss>> made,
           bool classes) {
  auto of = value(std::move(made));
  auto rows = of->output_shape()[0];
  auto outputs = noise(elements(of->output_shape()), 1);
  auto targets = classes ? ids(elements(of->target_shape()), of->output_shape().back(), 2)
                         : noise(elements(of->target_shape()), 2);
  for (auto& x : targets)
    x = classes ? x : (x + 1) / 2;
  std::vector<float> gradient(outputs.size());
  auto part = 1 / static_cast<float>(rows);
  auto sum = value(of->run(outputs, targets, rows, part, gradient));
  print({{"criterion", criterion},
         {"classes", classes},
         {"output_shape", of->output_shape()},
         {"target_shape", of->target_shape()},
         {"outputs", outputs},
         {"targets", targets},
         {"mean", sum * part},
         {"gradient", gradient}},
        on);
}

void write(const backend& on, const char* optimiser, const optimiser_options& options) {
  constexpr size_t size = 37;
  constexpr uint64_t steps = 20;
  auto parameters = noise(size, 1);
  json line{{"optimiser", optimiser}, {"start", parameters}, {"gradients", json::array()}};
  std::vector<float> first(state_arrays(options) > 0 ? size : 0);
  std::vector<float> second(state_arrays(options) > 1 ? size : 0);
  for (uint64_t step = 1; step <= steps; ++step) {
    auto gradients = noise(size, 1 + step);
    line["gradients"].push_back(gradients);
    on.update(options, {step, options.learning_rate}, gradients, first, second, parameters);
  }
  line["end"] = parameters;
  print(line, on);
}

void write_rest(const backend& on) {
  write(on, "nn.CrossEntropyLoss()", on.softmax_cross_entropy({5, 7}), true);
  write(on, "nn.CrossEntropyLoss()", on.softmax_cross_entropy({3, 4, 6}), true);
  write(on, "nn.MSELoss()", on.mean_squared_error({5, 7}), false);
  write(on, "nn.BCEWithLogitsLoss()", on.binary_cross_entropy({5, 3}), false);
  auto kind
    = [](optimiser_kind of) { return optimiser_options{.kind = of, .learning_rate = 0.1F}; };
  auto options = kind(optimiser_kind::sgd);
  write(on, "SGD(p, lr=0.1)", options);
  options.momentum = 0.9F;
  options.weight_decay = 0.01F;
  write(on, "SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01)", options);
  options.nesterov = true;
  write(on, "SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)", options);
  options = kind(optimiser_kind::adam);
  write(on, "Adam(p, lr=0.1)", options);
  options.weight_decay = 0.01F;
  write(on, "Adam(p, lr=0.1, weight_decay=0.01)", options);
  options.kind = optimiser_kind::adamw;
  write(on, "AdamW(p, lr=0.1, weight_decay=0.01)", options);
  options = kind(optimiser_kind::adadelta);
  options.epsilon = 1e-6F;
  write(on, "Adadelta(p, lr=0.1)", options);
}

} // namespace
} // namespace troupe::kernels

int main() {
  using namespace troupe::kernels;
  auto fast = value(onednn::make_backend());
  auto reference = cpu::make_backend();
  for (const auto* on : {reference.get(), fast.get()}) {
    write_layers(*on);
    write_rest(*on);
  }
  return 0;
}
