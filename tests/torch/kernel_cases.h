#pragma once
// What the kernels give for operands that are the same everywhere: odd sizes, numbers near zero, infinities.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/torch/kernels/elements.h"

namespace lingua::testing {

// Numbers of a fixed sequence.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();  // splitmix64
  float next();          // uniform from -1 to 1
  float next_of_any();   // zeros, subnormal, huge and infinite ones among them

 private:
  std::uint64_t state_;
};

// Rows of numbers of a type, and the same in double precision.
struct Rows {
  Rows(RowType type, std::int64_t count, std::int64_t width);
  // Rounded to the type; int8: 127 times value.
  void set(std::int64_t row, std::int64_t column, float value);
  double at(std::int64_t row, std::int64_t column) const;  // with the scale of int8 rows
  void fill(Numbers& numbers, bool any);
  RowMatrix matrix() const { return {bytes.data(), stride, width, type}; }

  RowType type;
  std::int64_t count;
  std::int64_t width;
  std::int64_t stride;  // bytes; rows are not aligned
  std::vector<std::byte> bytes;
};

float widened(std::uint16_t bfloat16);
std::uint16_t rounded(float value);  // to bfloat16

// Products of all rows with all vectors, which are taken `at_once`: [vector][row].
std::vector<float> products(const Rows& rows, const Rows& vectors, std::int64_t at_once);

// Bits of all results by the name of the case; of NaN one.
std::map<std::string, std::vector<std::uint32_t>> kernel_results();

}  // namespace lingua::testing
