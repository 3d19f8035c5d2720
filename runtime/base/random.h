#pragma once
// Seeded random numbers: the only source of randomness in the project.
//
// Determinism: the same seed gives the same numbers with every compiler and library (the
// distributions of <random> do not promise that, so they are not used). normal() also takes what the
// machine's mathematical library makes of a logarithm and a cosine, whose last bit may differ.
// Threads: an Rng belongs to one thread.
// Source: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) as generator, Box-Muller for normal(), von Neumann
// (Various techniques used in connection with random digits, 1951) for exponential().

#include <cmath>
#include <cstdint>
#include <numbers>

namespace lingua {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  // Mean 1. By comparisons alone, so that it is the same to the last bit everywhere.
  double exponential() {
    for (double whole = 0;; whole += 1) {
      const double first = uniform();
      bool odd = true;  // the length of the run of falling numbers that `first` begins
      double last = first;
      for (double next = uniform(); next < last; next = uniform()) {
        last = next;
        odd = !odd;
      }
      if (odd) return whole + first;
    }
  }

  // Mean 0, standard deviation 1.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace lingua
