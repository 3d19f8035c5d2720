#pragma once
// What LibTorch computes on this machine, by a short probe: a phone that comes is measured by it before it is
// planned with.
//
// Threads: one at a time; the numerics use those of LibTorch. Units: per second. Not deterministic.

namespace lingua {

struct MeasuredSpeed {
  double flops_per_s = 0;
  double memory_bytes_per_s = 0;
};

// In fp32, medians: of products of matrices, as prompts are, and of a matrix that no cache holds with a vector, as
// tokens are. Takes about half a second and 64 MiB.
MeasuredSpeed measure_speed();

}  // namespace lingua
