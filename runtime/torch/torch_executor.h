#pragma once
// The executor over LibTorch's lite interpreter: real numerics, on phones and here.
//
// Builds without the JIT part of LibTorch. Threads: one at a time; the numerics use set_threads().
// Errors: as Executor; LibTorch's own exceptions become WorldError with their first line.

#include <memory>

#include "runtime/device/device.h"

namespace lingua {

std::unique_ptr<Executor> make_torch_executor();

// True when matrix products run on an unoptimised BLAS (20 times slower): the program warns.
bool has_slow_blas();

}  // namespace lingua
