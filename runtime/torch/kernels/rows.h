#pragma once
// What a decoder does with a row of activations between its products: norms, activation functions,
// rotations, the likelihood of a token; and the rows that int8 weights are held in.
//
// Internal to torch/; includes nothing of LibTorch. Rows of a type that is named are float32 or bfloat16.
// Precision: float32 inside; results are rounded once, or as said.
// Determinism: a row's result depends on that row alone, whatever the instruction set. Sums have 16
// running sums, column i in sum i mod 16, which are added as a tree of neighbours; no multiplication is
// fused with an addition. Exponentials are polynomials of our own. Where NaN comes out, its bits are not
// defined.
// Threads: none of its own; different rows may be computed at once. `out` may be the operand.

#include <cstddef>
#include <cstdint>

#include "runtime/torch/kernels/elements.h"

namespace lingua {

enum class Activation {
  kSilu,  // x / (1 + e^-x)
  kGelu,  // its form by tanh: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
};

void activate(Activation activation, RowType type, const std::byte* x, std::int64_t size,
              std::byte* out);

struct Norm {
  RowType type = RowType::kFloat32;  // of row, bias and result
  RowType weight_type = RowType::kFloat32;
  const std::byte* weight = nullptr;
  const std::byte* bias = nullptr;  // of layer_norm
  float epsilon = 0;
  bool plus_one = false;  // of rms_norm
};

// x / sqrt(mean(x^2) + epsilon), rounded, times weight; with plus_one times 1 + weight before the one
// rounding. The weight is of the row's type or float32.
void rms_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out);

// (x - mean) / sqrt(variance + epsilon) times weight, plus bias. The weight is of the row's type.
void layer_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out);

// Turns the pairs (x[i], x[i + half]) by the angles whose cosines and sines are given.
void rotate(RowType type, const std::byte* x, const float* cosines, const float* sines,
            std::int64_t half, std::byte* out);

enum class Wave { kSine, kCosine };

// Tables for rotate(): factor times the sine or cosine, which is rounded once for angles below 2^20.
void wave(Wave which, const float* angles, std::int64_t size, float factor, float* out);

// cap * tanh(x / cap), within 1e-6 of cap.
void soft_cap(const float* x, std::int64_t size, float cap, float* out);

// The logarithm of the share that `token` has of e^logits.
float log_likelihood(const float* logits, std::int64_t size, std::int64_t token);

// A row in int8: its values, then its scale, the largest magnitude / 127; size + 4 bytes. False, and
// nothing of use written, when a value is not finite.
bool quantise_row(const float* row, std::int64_t size, std::byte* out);

}  // namespace lingua
