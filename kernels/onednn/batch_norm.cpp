#include "kernels/batch_norm.hpp"

#include "kernels/onednn/session.hpp"
#include "kernels/vectorised.hpp"

#include <algorithm>

namespace troupe::kernels::onednn {

namespace {

// Of a part of one channel that lies together.

TROUPE_VECTORISED float sum(const float* in, size_t count) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (size_t i = 0; i < count; ++i)
    total += in[i];
  return total;
}

TROUPE_VECTORISED float squares(const float* in, float mean, size_t count) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (size_t i = 0; i < count; ++i)
    total += (in[i] - mean) * (in[i] - mean);
  return total;
}

TROUPE_VECTORISED float product(const float* in, float mean, const float* slope, size_t count) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (size_t i = 0; i < count; ++i)
    total += (in[i] - mean) * slope[i];
  return total;
}

TROUPE_VECTORISED void scale(const float* in, float mean, float factor, float shift, float* out,
                             size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = (in[i] - mean) * factor + shift;
}

// factor * (slope - constant - linear * (in - mean))
TROUPE_VECTORISED void correct(const float* in, float mean, const float* slope, float factor,
                               float constant, float linear, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = factor * (slope[i] - constant - linear * (in[i] - mean));
}

// Of rows whose every element is another channel.

TROUPE_VECTORISED void add_rows(const float* in, double* sums, size_t count) {
  for (size_t i = 0; i < count; ++i)
    sums[i] += static_cast<double>(in[i]);
}

TROUPE_VECTORISED void add_squares(const float* in, const double* means, double* sums,
                                   size_t count) {
  for (size_t i = 0; i < count; ++i)
    sums[i] += (in[i] - means[i]) * (in[i] - means[i]);
}

TROUPE_VECTORISED void add_products(const float* in, const float* means, const float* slope,
                                    double* sums, size_t count) {
  for (size_t i = 0; i < count; ++i)
    sums[i] += static_cast<double>((in[i] - means[i]) * slope[i]);
}

TROUPE_VECTORISED void scale_row(const float* in, const float* means, const float* factors,
                                 const float* shifts, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = (in[i] - means[i]) * factors[i] + shifts[i];
}

TROUPE_VECTORISED void correct_row(const float* in, const float* means, const float* slope,
                                   const float* factors, const float* constants,
                                   const float* linears, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = factors[i] * (slope[i] - constants[i] - linears[i] * (in[i] - means[i]));
}

class batch_norm final : public batch_norm_op {
public:
  batch_norm(op_shapes shapes, const batch_norm_options& options)
    : batch_norm_op(std::move(shapes), options), sums_(channels()), products_(channels()),
      factors_(channels()), constants_(channels()), linears_(channels()) {}

private:
  bool rows() const { return plane() == 1; }

  // Calls visit(channel, where its part begins) in the order of memory.
  template <class Visit>
  void each_plane(Visit visit) const {
    for (size_t n = 0; n < input_shape()[0]; ++n)
      for (size_t c = 0; c < channels(); ++c)
        visit(c, (n * channels() + c) * plane());
  }

  template <class Visit>
  void each_row(Visit visit) const {
    for (size_t n = 0; n < input_shape()[0]; ++n)
      visit(n * channels());
  }

  void measure(view input) override {
    auto whole = static_cast<double>(count());
    auto* means = sums_.data();
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(products_.begin(), products_.end(), 0.0);
    if (rows())
      each_row([&](size_t at) { add_rows(&input[at], means, channels()); });
    else
      each_plane([&](size_t c, size_t at) { means[c] += sum(&input[at], plane()); });
    for (auto& each : sums_)
      each /= whole;
    if (rows())
      each_row([&](size_t at) { add_squares(&input[at], means, products_.data(), channels()); });
    else
      each_plane([&](size_t c, size_t at) {
        products_[c] += squares(&input[at], static_cast<float>(means[c]), plane());
      });
    for (size_t c = 0; c < channels(); ++c)
      set_batch(c, static_cast<float>(means[c]), static_cast<float>(products_[c] / whole));
  }

  void apply(view input, view parameters, mutable_view output) override {
    auto* shifts = &parameters[offset_of(1)];
    for (size_t c = 0; c < channels(); ++c)
      factors_[c] = parameters[c] * inverse(c);
    if (rows())
      each_row([&](size_t at) {
        scale_row(&input[at], means(), factors_.data(), shifts, &output[at], channels());
      });
    else
      each_plane([&](size_t c, size_t at) {
        scale(&input[at], mean(c), factors_[c], shifts[c], &output[at], plane());
      });
  }

  void differentiate(bool training, view input, view parameters, view output_gradient,
                     mutable_view input_gradient, mutable_view parameter_gradient) override {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(products_.begin(), products_.end(), 0.0);
    if (rows())
      each_row([&](size_t at) {
        add_rows(&output_gradient[at], sums_.data(), channels());
        add_products(&input[at], means(), &output_gradient[at], products_.data(), channels());
      });
    else
      each_plane([&](size_t c, size_t at) {
        sums_[c] += sum(&output_gradient[at], plane());
        products_[c] += product(&input[at], mean(c), &output_gradient[at], plane());
      });
    for (size_t c = 0; c < channels(); ++c) {
      auto of = products_[c] * inverse(c);
      parameter_gradient[c] = static_cast<float>(of);
      parameter_gradient[offset_of(1) + c] = static_cast<float>(sums_[c]);
      auto part = training ? 1 / static_cast<double>(count()) : 0.0;
      factors_[c] = parameters[c] * inverse(c);
      constants_[c] = static_cast<float>(sums_[c] * part);
      linears_[c] = static_cast<float>(of * part) * inverse(c);
    }
    if (!input_gradient.empty())
      correct_all(input, output_gradient, input_gradient);
  }

  void correct_all(view input, view slope, mutable_view out) {
    if (rows())
      each_row([&](size_t at) {
        correct_row(&input[at], means(), &slope[at], factors_.data(), constants_.data(),
                    linears_.data(), &out[at], channels());
      });
    else
      each_plane([&](size_t c, size_t at) {
        correct(&input[at], mean(c), &slope[at], factors_[c], constants_[c], linears_[c], &out[at],
                plane());
      });
  }

  std::vector<double> sums_;
  std::vector<double> products_;
  std::vector<float> factors_;
  std::vector<float> constants_;
  std::vector<float> linears_;
};

} // namespace

std::unique_ptr<op> make_batch_norm(op_shapes shapes, const batch_norm_options& options) {
  return std::make_unique<batch_norm>(std::move(shapes), options);
}

} // namespace troupe::kernels::onednn
