#pragma once
// The shape of a step, and quantities that depend on it.
//
// Every FLOP count, byte count and tensor dimension in the project is a function of two numbers:
// n, the new tokens of the step, and p, the tokens already cached. Prefill of a prompt of 11 tokens
// is {11, 0}; decoding the next token after it is {1, 11}. Without a KV cache p is always 0.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lingua {

struct Step {
  std::int64_t new_tokens = 1;
  std::int64_t cached_tokens = 0;

  bool operator==(const Step&) const = default;
};

// c0 + c1 n + c2 p + c3 n^2 + c4 n p + c5 p^2: exact for every operation of a transformer.
class StepFunction {
 public:
  StepFunction() = default;
  StepFunction(double constant) : c_{constant} {}  // NOLINT: a number is a constant function
  explicit StepFunction(const std::array<double, 6>& coefficients) : c_(coefficients) {}

  double at(const Step& step) const;
  const std::array<double, 6>& coefficients() const { return c_; }
  bool is_constant() const;

  StepFunction& operator+=(const StepFunction& other);
  StepFunction& operator*=(double factor);
  bool operator==(const StepFunction&) const = default;

  // "1.2e6 + 4096 n + 8192 n p"
  std::string to_string() const;

 private:
  std::array<double, 6> c_{};
};

StepFunction operator+(StepFunction a, const StepFunction& b);
StepFunction operator*(StepFunction a, double factor);

// The shapes at which a quantity must be sampled for fit(): six that determine the coefficients and
// more that check them.
const std::vector<Step>& fit_steps();

// The function through samples[i] at fit_steps()[i]. Integer samples give exact integer or
// half-integer coefficients.
// REQUIRES: samples.size() == fit_steps().size().
// Returns false when no such function goes through all of the samples (within 1e-6 relative).
bool fit(const std::vector<double>& samples, StepFunction* function);

}  // namespace lingua
