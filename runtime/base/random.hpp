// Randomness as a parameter: a small generator with a seed, the same on every machine.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
// (SplitMix64).
#pragma once

#include <cstdint>
#include <random>

namespace troupe {

// A seed, or a token, that nobody foresees. For shells only: it differs in each run.
inline uint64_t unforeseen_number() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

class random_source {
public:
  explicit random_source(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    auto z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // A number below `bound`, which is at least 1.
  uint64_t below(uint64_t bound) { return next() % bound; }

  // A number in [0, 1).
  double real() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  bool chance(double probability) { return real() < probability; }

private:
  uint64_t state_;
};

} // namespace troupe
