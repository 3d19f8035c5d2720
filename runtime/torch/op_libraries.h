#pragma once
// Where operations of our own are registered with LibTorch: in the namespace `lingua`, with a kernel for
// tensors on the CPU and one that knows shapes only.
//
// Threads: one at a time. What is registered stays for as long as the libraries live.

#include <torch/library.h>

namespace lingua {

struct OpLibraries {
  // `file` is named in LibTorch's errors.
  explicit OpLibraries(const char* file)
      : names(torch::Library::FRAGMENT, "lingua", c10::nullopt, file, 0),
        cpu(torch::Library::IMPL, "lingua", c10::DispatchKey::CPU, file, 0),
        meta(torch::Library::IMPL, "lingua", c10::DispatchKey::Meta, file, 0) {}

  torch::Library names;  // schemas
  torch::Library cpu;
  torch::Library meta;
};

}  // namespace lingua
