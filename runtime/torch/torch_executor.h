#pragma once
// The executor over LibTorch's lite interpreter: real numerics, on phones and here.
//
// Builds without the JIT part of LibTorch. Threads: one at a time; the numerics use set_threads().
// Memory: states take it as they are written, not when they are made. Beside weights and states a
// process holds what LibTorch needs, which does not grow with the number of tokens.
// Errors: as Executor; LibTorch's own exceptions become WorldError with their first line.

#include <memory>

#include "runtime/device/device.h"

namespace lingua {

std::unique_ptr<Executor> make_torch_executor();

// Keeps oneDNN, and LibTorch's layer over it, from collecting a kernel for every shape that they meet
// (1,024 of them, 212 MB after 2,000 shapes; with this 7 MB: experiments/bench/kernel_cache).
// ONEDNN_PRIMITIVE_CACHE_CAPACITY and LRU_CACHE_CAPACITY of the environment win.
// make_torch_executor() calls it.
// REQUIRES: before the first product of matrices and while the process has one thread: it sets
// those variables, which are read once.
void bound_kernel_caches();

}  // namespace lingua
